// --- From stored bytes to numbers, and from numbers to pixels ---------------------------------

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

async function inflate(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The inverse of `quantise` in page.py: square roots, in 63 steps to either side or in 127.
function values(levels, top, signed) {
  return Float32Array.from(levels, (level) => {
    const root = signed ? level / 63 - 1 : level / 127;
    return Math.sign(root) * root * root * top;
  });
}

// Where colours end: a percentile of the magnitudes, between neighbours as NumPy has it.
function scaleOf(numbers, percentile) {
  const sorted = numbers.map(Math.abs).sort();
  const at = (percentile / 100) * (sorted.length - 1), low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]) || sorted.at(-1) || 1;
}

// One pixel a number; with a veil, the weaker the more transparent.
function paint(canvas, numbers, { height, width, scale, signed, palette, veil }) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  numbers.forEach((number, i) => {
    const share = Math.max(signed ? -1 : 0, Math.min(1, number / scale));
    const colour = Math.min(255, Math.floor(256 * (signed ? (share + 1) / 2 : share)));
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = palette[3 * colour + c];
    image.data[4 * i + 3] = veil ? Math.round(255 * Math.sqrt(Math.abs(share))) : 255;
  });
  context.putImageData(image, 0, 0);
}

// --- One figure: the panels of a method, its numbers and its curve ---------------------------

const WAYS = ["input", "map", "overlay"];
const [LEFT, RIGHT, HIGH, LOW] = [30, 234, 8, 84]; // of the curve, in units of its viewBox
const decimals = (number) =>
  number === null ? "–" : (Math.round(100 * number) / 100 + 0).toFixed(2).replace("-", "−");
const SERIES = [
  ["magnitudes", "magnitudes"], ["withSigns", "with signs"], ["noise", "noise, same zeros"],
];

function panels(figure) {
  const made = WAYS.map((way) => element("div", { class: "ex-panel", "data-way": way },
    element("div", { class: "ex-square" },
      element("div", { class: "ex-photo" }, element("img", { alt: "" })),
      element("canvas", { role: "img" })),
    element("span", {}, way)));
  figure.querySelector(".ex-panels").replaceChildren(...made);
}

// What figure `side` shows, from the state and the picture's unpacked levels.
function look(state, levels, side) {
  const { network, picture, stop } = state, method = state[side];
  const m = network.methods.indexOf(method), stops = network.counts.length;
  const first = (state.class * network.methods.length + m) * stops, at = first + stop;
  const size = network.height * network.width, signed = network.signed[m];
  const numbers = values(levels.subarray(at * size, (at + 1) * size), picture.tops[at], signed);
  const series = {};
  for (const [key] of SERIES) series[key] = picture[key].slice(first, first + stops);
  return { method, signed, numbers, series, empty: picture.tops[at] === 0 };
}

function draw(figure, data, state, levels) {
  const { network, picture, stop } = state;
  const { method, signed, numbers, series, empty } = look(state, levels, figure.dataset.side);
  const { title, lecture } = data.methods[method];
  const palette = data.palettes[signed ? "signed" : "magnitude"];
  const drawn = { height: network.height, width: network.width, signed, palette };
  const scale = scaleOf(numbers, state.clip);
  for (const panel of figure.querySelectorAll(".ex-panel")) {
    const image = panel.querySelector("img"), canvas = panel.querySelector("canvas");
    const veil = panel.dataset.way === "overlay";
    if (image.getAttribute("src") !== picture.image) image.src = picture.image;
    image.alt = `The picture: ${picture.name}`;
    canvas.setAttribute("aria-label", `${title} for ${picture.classes[state.class]}` +
      (veil ? ", over the picture" : ""));
    paint(canvas, numbers, { ...drawn, scale, veil });
    canvas.style.opacity = veil ? state.opacity / 100 : 1;
  }
  legend(figure.querySelector(".ex-legend"), signed, palette);
  readout(figure.querySelector("output"), series, stop, empty);
  curve(figure.querySelector("svg"), series, stop, title);
  const where = `${title} in chapter\u00a0${lecture.slice(0, 2)}`;
  figure.querySelector(".ex-lecture").replaceChildren(
    data.book === null ? where : element("a", { href: `${data.book}${lecture}.html` }, where));
}

function legend(place, signed, palette) {
  const [low, high] = place.querySelectorAll("span");
  [low.textContent, high.textContent] = signed ? ["against", "for"] : ["weak", "strong"];
  const ramp = Float32Array.from({ length: 256 }, (_, i) => (signed ? i / 127.5 - 1 : i / 255));
  paint(place.querySelector("canvas"), ramp, { height: 1, width: 256, scale: 1, signed, palette });
}

function readout(output, series, stop, empty) {
  const lines = SERIES.filter(([key]) => key !== "noise" || series.noise[stop] !== null).map(
    ([key, name]) => element("span", { class: `ex-number ex-${key}` },
      element("b", {}, decimals(series[key][stop])), ` ${name}`));
  const last = empty ? [element("span", { class: "ex-empty" }, "The map is empty.")] : [];
  output.replaceChildren(element("span", { class: "ex-what" }, "rank correlation with the intact map"), ...lines, ...last);
}

function curve(svg, series, stop, title) {
  const stops = series.magnitudes.length;
  const x = (s) => LEFT + ((RIGHT - LEFT) * s) / (stops - 1);
  const y = (number) => LOW - ((LOW - HIGH) * (number + 1)) / 2;
  const parts = [-1, 0, 1].map((n) =>
    `<line class="ex-grid" x1="${LEFT}" x2="${RIGHT}" y1="${y(n)}" y2="${y(n)}"/>` +
    `<text x="${LEFT - 6}" y="${y(n) + 4}" text-anchor="end">${String(n).replace("-", "−")}</text>`);
  parts.push(`<line class="ex-now" x1="${x(stop)}" x2="${x(stop)}" y1="${HIGH}" y2="${LOW}"/>`);
  for (const [key] of [...SERIES].reverse()) {
    let path = "", pen = "M"; // lifted where there is no number
    series[key].forEach((number, s) => {
      if (number !== null) path += `${pen}${x(s).toFixed(1)} ${y(number).toFixed(1)}`;
      pen = number === null ? "M" : "L";
    });
    parts.push(`<path class="ex-line ex-${key}" d="${path}"/>`);
    if (series[key][stop] !== null) {
      parts.push(`<circle class="ex-dot ex-${key}" cx="${x(stop)}" cy="${y(series[key][stop])}" r="4"/>`);
    }
  }
  svg.innerHTML = parts.join("");
  svg.setAttribute("aria-label", `${title}: rank correlation with the intact map, stop by stop: ` +
    `magnitudes ${series.magnitudes.map(decimals).join(", ")}; ` +
    `with signs ${series.withSigns.map(decimals).join(", ")}`);
}

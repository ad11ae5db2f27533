// Makes the drawings of course/plot/attention.py answer to pointer, touch and keyboard.
(() => {
  const unpack = (text, Kind) =>
    new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
  const BACK = ["ArrowLeft", "ArrowUp"], STEPS = [...BACK, "ArrowRight", "ArrowDown"];

  // One of several buttons is checked; arrow keys move on, and up or down by `row` of them.
  function radios(buttons, row, onPick) {
    const pick = (at) => {
      buttons.forEach((button, i) => {
        button.setAttribute("aria-checked", i === at);
        button.tabIndex = i === at ? 0 : -1;
      });
      onPick(at);
    };
    buttons.forEach((button, i) => {
      button.addEventListener("click", () => pick(i));
      button.addEventListener("keydown", (event) => {
        if (!STEPS.includes(event.key)) return;
        event.preventDefault();
        const step = event.key.endsWith("Up") || event.key.endsWith("Down") ? row : 1;
        const to = i + (BACK.includes(event.key) ? -step : step);
        if (to < 0 || to >= buttons.length) return;
        buttons[to].focus();
        pick(to);
      });
    });
    return buttons.findIndex((button) => button.getAttribute("aria-checked") === "true");
  }

  function headView(root) {
    const words = root.dataset.tokens.split("\n"), t = words.length;
    const weights = unpack(root.dataset.weights, Uint16Array);
    const lines = [...root.querySelectorAll(".av-lines line")];
    const tokens = [...root.querySelectorAll(".av-token")]; // those that look, those looked at
    const readout = root.querySelector(".av-readout");
    const heads = [...root.querySelectorAll(".av-heads button")];
    const perLayer = root.querySelector(".av-layer").querySelectorAll("button").length;
    let head = 0, pinned = Number(root.dataset.pinned), shown = pinned;
    const weight = (i, j) => weights[(head * t + i) * t + j] / 65535;

    function show(at) {
      shown = at;
      const looks = at < t, here = at % t;
      lines.forEach((line, n) => {
        const i = Math.floor(n / t), j = n % t;
        const on = at < 0 || (looks ? i : j) === here;
        line.setAttribute("stroke-opacity", on ? weight(i, j).toFixed(3) : 0);
      });
      const shares = words.map((_, k) => (looks ? weight(here, k) : weight(k, here)));
      tokens.forEach((token, n) => {
        const across = at >= 0 && n < t !== looks;
        token.querySelector("rect").setAttribute(
          "fill-opacity", across ? (0.55 * shares[n % t]).toFixed(3) : 0);
        token.classList.toggle("av-here", n === at);
        token.classList.toggle("av-pinned", n === pinned);
      });
      const label = heads[head].getAttribute("aria-label");
      if (at < 0) {
        readout.textContent = `${label}.`;
        return;
      }
      const most = shares.map((share, k) => [share, words[k]]).sort((a, b) => b[0] - a[0]);
      const list = most.slice(0, 5).map(([share, word]) => `${word} ${percent(share)}`);
      const verb = looks ? "looks at" : "is looked at by";
      readout.textContent = `${label}: “${words[here]}” ${verb} ${list.join(", ")}.`;
    }

    const start = radios(heads, perLayer, (at) => { head = at; show(shown); });
    tokens.forEach((token, n) => {
      token.addEventListener("pointerenter", () => show(n));
      token.addEventListener("pointerleave", () => show(pinned));
      token.addEventListener("focus", () => show(n));
      token.addEventListener("blur", () => show(pinned));
      token.addEventListener("click", () => { pinned = pinned === n ? -1 : n; show(pinned); });
      token.addEventListener("keydown", (event) => {
        const row = n % t, side = n - row;
        const to = {
          ArrowUp: side + Math.max(0, row - 1), ArrowDown: side + Math.min(t - 1, row + 1),
          ArrowLeft: row, ArrowRight: t + row, Home: side, End: side + t - 1,
        }[event.key];
        if (to !== undefined) {
          token.tabIndex = -1;
          tokens[to].tabIndex = 0;
          tokens[to].focus();
        } else if (event.key === "Enter" || event.key === " ") {
          pinned = pinned === n ? -1 : n;
          show(n);
        } else if (event.key === "Escape") {
          pinned = -1;
          show(-1);
        } else return;
        event.preventDefault();
      });
    });
    head = start;
    show(pinned);
  }

  function neuronView(root) {
    const { dataset } = root, d = Number(dataset.width), t = dataset.tokens.split("\n").length;
    const query = unpack(dataset.query, Float32Array), key = unpack(dataset.key, Float32Array);
    const scores = unpack(dataset.scores, Float32Array);
    const weights = unpack(dataset.weights, Uint16Array);
    const rows = [...root.querySelectorAll("tbody tr")];
    const paint = (cell, numbers, top) =>
      cell.querySelectorAll("rect").forEach((bar, n) => {
        bar.setAttribute("class", numbers[n] > 0 ? "av-up" : "av-down");
        bar.setAttribute("fill-opacity", Math.min(1, Math.abs(numbers[n]) / top).toFixed(2));
      });
    radios([...root.querySelectorAll(".av-words button")], 1, (i) => {
      const q = query.subarray(i * d, (i + 1) * d);
      paint(root.querySelector(".av-query"), q, Number(dataset.top));
      rows.forEach((row, j) => {
        const product = q.map((v, n) => v * key[j * d + n]);
        paint(row.querySelector(".av-product"), product, Number(dataset.reach));
        row.querySelector(".av-score").textContent = scores[i * t + j].toFixed(1);
        row.querySelector(".av-share").textContent = percent(weights[i * t + j] / 65535);
      });
    });
  }

  for (const root of document.querySelectorAll(".attention-view:not([data-ready])")) {
    root.dataset.ready = "";
    (root.dataset.kind === "neuron" ? neuronView : headView)(root);
  }
})();

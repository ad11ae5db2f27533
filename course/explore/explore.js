// --- Everything together -----------------------------------------------------------------------

const percent = (share) =>
  share < 0.0005 ? "less than 0.1\u00a0%" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}\u00a0%`;
const PAUSE = 1200; // milliseconds at each stop while playing

function start(root) {
  const data = JSON.parse(root.querySelector("script").textContent);
  const form = root.querySelector("form"), figures = [...root.querySelectorAll("figure[data-side]")];
  const play = root.querySelector(".ex-play"), layers = root.querySelector(".ex-layers");
  for (const name in data.palettes) data.palettes[name] = bytes(data.palettes[name]);
  let turn = 0, timer = null, writing = null;

  function read() {
    const chosen = offerAll(form, data), fields = Object.fromEntries(new FormData(form));
    for (const name of ["stop", "clip", "opacity", "class"]) fields[name] = Number(fields[name]);
    return { ...fields, ...chosen };
  }

  async function show() {
    const state = read(), { network, picture, stop } = state, mine = ++turn;
    picture.unpacked ??= inflate(picture.levels);
    const levels = await picture.unpacked;
    if (mine !== turn) return; // something else was chosen meanwhile
    Object.assign(form.dataset, { view: state.view, show: state.show, small: network.height < 40 });
    figures.forEach((figure) => draw(figure, data, state, levels));
    root.querySelector(".ex-clip").textContent = state.clip;
    root.querySelector(".ex-opacity").textContent = `${state.opacity}%`;
    root.querySelector(".ex-link a").href = address(form);
    drawLayers(network, stop);
    const said = describe(state);
    root.querySelector(".ex-status").textContent = said;
    form.elements.stop.setAttribute("aria-valuetext", `${network.counts[stop]} of ${network.layers}`);
    form.dataset.ready = mine;
  }

  // Between two stops, the layers that are drawn anew from one to the other.
  function drawLayers({ counts }, stop) {
    layers.replaceChildren(...counts.slice(1).map((count, s) => element("span", {},
      ...Array.from({ length: count - counts[s] }, () =>
        element("i", s < stop ? { class: "ex-random" } : {})))));
  }

  function describe({ network, picture, stop, class: c }) {
    const count = network.counts[stop], name = picture.classes[c];
    const what = count === 0 ? `All ${network.layers} layers are as trained.`
      : count === network.layers ? `All ${count} layers are random.`
      : count === 1 ? `The output layer is random, the other ${network.layers - 1} are as trained.`
      : `${count} of ${network.layers} layers are random, down to ${network.reached[stop]}.`;
    return `${what} The network gives “${name}” ${percent(picture.probabilities[stop][c])}` +
      (picture.says[stop] === name ? ", its likeliest class."
        : `; its likeliest class is “${picture.says[stop]}”, ${percent(picture.surely[stop])}.`);
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function step() {
    const slider = form.elements.stop;
    slider.value = Number(slider.value) + 1;
    changed();
    if (slider.value === slider.max) pause();
  }

  function changed() {
    show();
    clearTimeout(writing); // a dragged slider would write too often for some browsers
    writing = setTimeout(() => history.replaceState(history.state, "", address(form)), 300);
  }

  play.addEventListener("click", () => {
    if (timer !== null) return pause();
    if (form.elements.stop.value === form.elements.stop.max) form.elements.stop.value = 0;
    play.textContent = "Pause";
    timer = setInterval(step, PAUSE);
    changed();
  });
  form.addEventListener("input", (event) => {
    pause();
    if (event.target.name === "network") form.elements.stop.value = 0;
    if (event.target.name === "opacity") form.elements.show.value = "overlay";
    changed();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => { restore(form, data, location.hash); show(); });

  figures.forEach(panels);
  offerAll(form, data);
  restore(form, data, location.hash);
  form.hidden = false;
  show();
}

for (const root of document.querySelectorAll(".explore:not([data-started])")) {
  root.dataset.started = "";
  start(root);
}

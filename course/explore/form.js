// --- The form is the state: what can be chosen, what is, and its address ---------------------

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const PLACES = { picture: ".ex-pictures div", class: ".ex-classes div" };

// Offer values in a <select> or as radio buttons; what was chosen stays, else the first is.
function offer(form, name, items) {
  const place = form.querySelector(PLACES[name] ?? `select[name=${name}]`);
  const same = items.map(({ value, text }) => `${value} ${text}`).join();
  if (place.dataset.offered === same) return; // and keeps the focus
  place.dataset.offered = same;
  const before = form.elements[name]?.value;
  const chosen = (items.find((item) => item.value === before) ?? items[0]).value;
  if (!PLACES[name]) {
    place.replaceChildren(...items.map(({ value, text }) => element("option", { value }, text)));
    place.value = chosen;
    return;
  }
  place.replaceChildren(...items.map(({ value, text, image }) => {
    const input = element("input", { type: "radio", name, value });
    input.checked = value === chosen;
    const shown = image ? [element("img", { src: image, alt: text })] : [];
    const spoken = image ? { "aria-hidden": "true" } : {}; // the name of the image is enough
    return element("label", {}, input, ...shown, element("span", spoken, text));
  }));
}

// Everything that depends on the network, then on the picture.
function offerAll(form, data) {
  if (!form.elements.network.value) {
    offer(form, "network", data.networks.map(({ name, title }) => ({ value: name, text: title })));
  }
  const network = data.networks.find(({ name }) => name === form.elements.network.value);
  offer(form, "picture", network.pictures.map(({ name, image }) => ({ value: name, text: name, image })));
  const picture = network.pictures.find(({ name }) => name === form.elements.picture.value);
  offer(form, "class", picture.classes.map((text, i) => ({ value: String(i), text })));
  for (const side of ["left", "right"]) {
    const fresh = !form.elements[side].value;
    offer(form, side, network.methods.map((name) => ({ value: name, text: data.methods[name].title })));
    if (fresh && side === "right") form.elements.right.selectedIndex = 1;
  }
  form.elements.stop.max = network.counts.length - 1;
  return { network, picture };
}

const address = (form) => `#${new URLSearchParams(new FormData(form))}`;

// Take the state from an address. Choices appear as those they depend on are made; what does not
// exist is left as it was.
function restore(form, data, hash) {
  const wanted = new URLSearchParams(hash.slice(1));
  if (!data.networks.some(({ name }) => name === wanted.get("network"))) return;
  for (const name of ["network", "picture", "class", "left", "right", "view", "show", "stop", "clip", "opacity"]) {
    const field = form.querySelector(`:is(select, [type=range])[name=${name}]`);
    const option = [...form.querySelectorAll(`[name=${name}][type=radio], [name=${name}] option`)]
      .find(({ value }) => value === wanted.get(name));
    if (option) option[field ? "selected" : "checked"] = true;
    else if (field?.type === "range" && wanted.has(name)) field.value = wanted.get(name);
    offerAll(form, data);
  }
}

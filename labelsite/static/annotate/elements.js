// Small helpers to build the page out of nodes; text is always a text node.

/** An element with properties, attributes (aria-…, data-…, role) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A phrase with its {names} filled in. */
export function fill(phrase, values = {}) {
  return phrase.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** A phrase about `n`, filled in; the first of the two is for one. */
export function counted([one, several], values) {
  return fill(values.n === 1 ? one : several, values);
}

/** How a key looks on a button. */
export function keyName(key) {
  const names = { " ": "Space", Enter: "⏎", ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", "-": "−" };
  return names[key] ?? key;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Shows or hides without moving anything when it is already so. */
export function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
}

// Sets formulas away from the page, so that no formula, however built, can freeze it: the page ends this worker when
// it is too slow. KaTeX writes into the small document below, and the page gets plain objects to make nodes of.

const LIMITS = { trust: false, strict: "ignore", maxExpand: 200, maxSize: 20, throwOnError: true };
// More than this the page itself could not lay out quickly; thirty aligned equations have a quarter of it.
const MOST_NODES = 20000;
const DEEPEST = 200;

let count = 0;

function node(tag, namespace = "") {
  count += 1;
  if (count > MOST_NODES) throw new Error(`> ${MOST_NODES}`);
  return {
    tag, namespace, className: "", attributes: {}, style: {}, children: [],
    setAttribute(name, value) { this.attributes[name] = String(value); },
    appendChild(child) { this.children.push(child); return child; },
  };
}

globalThis.document = {
  compatMode: "CSS1Compat",
  createElement: (tag) => node(tag),
  createElementNS: (namespace, tag) => node(tag, namespace),
  createTextNode: (text) => String(text),
  createDocumentFragment: () => node(""),
};

/** A node as plain data. The security policy refuses style attributes; those that KaTeX's MathML has are ornaments. */
function plain(element, depth = 0) {
  if (typeof element === "string") return element;
  if (depth > DEEPEST) throw new Error(`> ${DEEPEST}`);
  const { style: _ornament, ...attributes } = element.attributes;
  if (element.className) attributes.class = element.className;
  return { tag: element.tag, namespace: element.namespace, attributes, style: element.style, children: element.children.map((child) => plain(child, depth + 1)) };
}

onmessage = ({ data }) => {
  if (data.katex) {
    importScripts(data.katex);
    postMessage({ ready: true });
    return;
  }
  count = 0;
  try {
    const tree = katex.__renderToDomTree(data.formula, { ...LIMITS, displayMode: data.display });
    postMessage({ id: data.id, tree: plain(tree.toNode()) });
  } catch (error) {
    postMessage({ id: data.id, error: String(error.message ?? error) });
  }
};

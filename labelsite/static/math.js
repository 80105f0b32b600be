// Formulas in text that models wrote. The text is hostile: it only ever becomes text nodes and KaTeX's own nodes.

const LIMITS = { trust: false, strict: "ignore", maxExpand: 200, maxSize: 20, throwOnError: true };
const LONGEST_FORMULA = 4000;
const PAIRS = [
  { open: "$$", close: "$$", display: true },
  { open: "\\[", close: "\\]", display: true },
  { open: "\\(", close: "\\)", display: false },
  { open: "$", close: "$", display: false },
];

/** Where `close` next stands outside braces and not behind a backslash, or -1. */
function closing(text, close, from) {
  let depth = 0;
  for (let index = from; index < text.length; index += 1) {
    if (depth <= 0 && text.startsWith(close, index)) return index;
    if (text[index] === "\\") index += 1;
    else if (text[index] === "{") depth += 1;
    else if (text[index] === "}") depth -= 1;
  }
  return -1;
}

/** A dollar sign opens a formula only where it cannot be money: "$5 and $6" stays text. */
function isMoney(text, start, end) {
  const inside = text.slice(start + 1, end);
  return inside.trim() === "" || /^\s|\s$/.test(inside) || /\n\s*\n/.test(inside)
    || (/^\d/.test(inside) && (/\d/.test(text[end + 1] ?? "") || /[a-z]{3,} /i.test(inside.replace(/\\[a-z]+/gi, ""))));
}

/** Cuts `text` into [{text}] and [{formula, display, source}]. */
export function split(text) {
  const pieces = [];
  let plain = "";
  let index = 0;
  while (index < text.length) {
    if (text.startsWith("\\$", index)) {
      plain += "$";
      index += 2;
      continue;
    }
    const pair = PAIRS.find((candidate) => text.startsWith(candidate.open, index));
    const start = pair ? index + pair.open.length : -1;
    const end = pair ? closing(text, pair.close, start) : -1;
    if (end < 0 || (pair.open === "$" && isMoney(text, index, end))) {
      plain += text[index];
      index += 1;
      continue;
    }
    if (plain) pieces.push({ text: plain });
    plain = "";
    index = end + pair.close.length;
    pieces.push({ formula: text.slice(start, end), display: pair.display, source: text.slice(start - pair.open.length, index) });
  }
  if (plain) pieces.push({ text: plain });
  return pieces;
}

/** KaTeX writes some MathML styles as attributes, which the content security policy refuses; they are ornaments. */
function withoutStyleAttributes(node) {
  if (node.attributes?.style) delete node.attributes.style;
  for (const child of node.children ?? []) withoutStyleAttributes(child);
  return node;
}

function formulaNode({ formula, display, source }) {
  const holder = document.createElement("span");
  holder.dataset.source = source;
  try {
    if (formula.length > LONGEST_FORMULA) throw new Error("This formula is too long to be set.");
    const tree = katex.__renderToDomTree(formula, { ...LIMITS, displayMode: display });
    holder.append(withoutStyleAttributes(tree).toNode());
  } catch (error) {
    // The source is what the author wrote, so it is the honest fallback; the reason stands in the title.
    holder.className = "formula-error";
    holder.textContent = source;
    holder.title = String(error.message ?? error);
  }
  return holder;
}

/** Replaces the text of one element by text nodes and set formulas. Safe to call twice. */
export function render(element) {
  if (element.dataset.mathDone) return;
  element.dataset.mathDone = "1";
  const texts = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT, (node) =>
    (node.parentElement.closest("pre") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT));
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const node of texts) {
    if (!/\$|\\\(|\\\[/.test(node.data)) continue;
    const pieces = split(node.data);
    if (pieces.every((piece) => piece.text !== undefined)) continue;
    node.replaceWith(...pieces.map((piece) => (piece.text === undefined ? formulaNode(piece) : piece.text)));
  }
}

let loading = null;

/** Loads KaTeX once, and only on a page that has a formula. */
function load() {
  if (window.katex) return Promise.resolve();
  const base = document.body.dataset.katex;
  loading ??= new Promise((resolve, reject) => {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${base}katex.min.css` });
    const script = Object.assign(document.createElement("script"), { src: `${base}katex.min.js`, onload: resolve, onerror: reject });
    document.head.append(style, script);
  });
  return loading;
}

/** Renders every `.math` element under `scope`; one that fails leaves the others alone. */
export async function renderAll(scope) {
  const elements = [...scope.querySelectorAll(".math:not([data-math-done])")];
  if (scope.matches?.(".math:not([data-math-done])")) elements.push(scope);
  if (!elements.some((element) => /\$|\\\(|\\\[/.test(element.textContent))) return;
  try {
    await load();
  } catch {
    return; // Without KaTeX the source stays readable.
  }
  for (const element of elements) {
    try {
      render(element);
    } catch (error) {
      console.warn("A formula could not be set.", error);
    }
  }
}

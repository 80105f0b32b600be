// Formulas in text that models wrote. The text is hostile: it only ever becomes text nodes and KaTeX's own nodes.

import { Setter } from "./math-setter.js";
import { nameTurning, named } from "./unseen.js";

const setter = new Setter();
// What has Markdown in it sets its formulas itself.
const UNSET = ".math:not([data-math-done], .markdown)";
const ENVIRONMENTS = ["align", "align*", "equation", "equation*", "gather", "gather*"];
const PAIRS = [
  ...ENVIRONMENTS.map((name) => ({ open: `\\begin{${name}}`, close: `\\end{${name}}`, display: true, isOfTex: true })),
  { open: "$$", close: "$$", display: true },
  { open: "\\[", close: "\\]", display: true },
  { open: "\\(", close: "\\)", display: false },
  { open: "$", close: "$", display: false },
];

// A text full of openings that nothing closes would be searched to its end for each of them.
const LONGEST_SEARCH = 5000;
const MOST_MISSES = 300;
const PATIENCE = 1000;

/** Where `close` next stands outside braces and not behind a backslash, or -1. */
function closing(text, close, from) {
  let depth = 0;
  const end = Math.min(text.length, from + LONGEST_SEARCH);
  for (let index = from; index < end; index += 1) {
    if (depth <= 0 && text.startsWith(close, index)) return index;
    if (text[index] === "\\") index += 1;
    else if (text[index] === "{") depth += 1;
    else if (text[index] === "}") depth -= 1;
  }
  return -1;
}

/** GSM8K's calculator notes stand behind money: "She made $0.25*5=$<<0.25*5=1.25>>1.25". */
function isBesideNote(text, inside, end) {
  return /^<<|<<[^<>]*>>/.test(inside) || (text.startsWith("<<", end + 1) && !inside.includes("\\"));
}

// In TeX, what holds words that are no variables: a command's or an environment's name, and the text that it sets.
const NAMED = /\\(?:text\w*|mbox|math\w*|operatorname\*?|begin|end)\s*\{[^{}]*\}|\\[a-z]+/gi;

function hasWords(tex) {
  return /[a-z]{3,} /i.test(tex.replace(NAMED, ""));
}

/** Between dollars that white space parts from it on both sides, as in "5 $ and 6 $", only what is written as TeX is a formula. */
function isSpacedFormula(inside) {
  return /\\[a-z]|[\^_]|^\s+[a-z]\s*=/i.test(inside) && !inside.includes("$") && !hasWords(inside);
}

/** A dollar sign opens a formula only where it cannot be money: "$5 and $6" stays text. */
function isMoney(text, start, end) {
  const inside = text.slice(start + 1, end);
  if (inside.trim() === "" || /\n\s*\n/.test(inside) || isBesideNote(text, inside, end)) return true;
  const [isSpacedBefore, isSpacedAfter] = [/^\s/.test(inside), /\s$/.test(inside)];
  if (isSpacedBefore || isSpacedAfter) return !(isSpacedBefore && isSpacedAfter && isSpacedFormula(inside));
  return /^\d/.test(inside) && (/\d/.test(text[end + 1] ?? "") || hasWords(inside));
}

const CODE = /(?<!`)(`{1,2})(?!`)([^`\n]+?)\1(?!`)/y;

/** A code span that begins at `index`, or null. LaTeX writes quotes ``so'', which are none. */
function codeSpan(text, index) {
  CODE.lastIndex = index;
  const found = CODE.exec(text);
  return found && !found[2].includes("''") ? found : null;
}

/** Cuts `text` into [{text}] and [{formula, display, source}], and where `code` is wanted into [{code}]. */
export function split(text, { code = false } = {}) {
  const pieces = [];
  let plain = "";
  let index = 0;
  let misses = 0;
  while (index < text.length) {
    if (misses > MOST_MISSES) {
      plain += text.slice(index);
      break;
    }
    if (text.startsWith("\\$", index)) {
      plain += "$";
      index += 2;
      continue;
    }
    const span = code && text[index] === "`" ? codeSpan(text, index) : null;
    if (span) {
      if (plain) pieces.push({ text: plain });
      plain = "";
      pieces.push({ code: span[2] });
      index += span[0].length;
      continue;
    }
    const pair = PAIRS.find((candidate) => text.startsWith(candidate.open, index));
    const start = pair ? index + pair.open.length : -1;
    const end = pair ? closing(text, pair.close, start) : -1;
    if (end < 0 || (pair.open === "$" && isMoney(text, index, end))) {
      misses += pair ? 1 : 0;
      plain += text[index];
      index += 1;
      continue;
    }
    if (plain) pieces.push({ text: plain });
    plain = "";
    index = end + pair.close.length;
    const source = text.slice(start - pair.open.length, index);
    pieces.push({ formula: pair.isOfTex ? source : text.slice(start, end), display: pair.display, source });
  }
  if (plain) pieces.push({ text: plain });
  return pieces;
}

const ANSWER = ".answer";
// "xy" is a product, "5 cm" is none.
const PLAIN_WORD = /\p{L}{3,}|[\d})]\s+\p{L}{2}|\bor\b/u;

// "2^10" and "10^-3" are no TeX, which would raise the first sign alone.
const RAISES_LESS = /[\^_]\s*(?:[-+\u2212](?=[\w(])|\(|\d{2})/;

/** The pieces of an answer: data sets write one that is a formula without dollars, and then it is one whole. */
function answerPieces(text) {
  const pieces = split(text);
  const isPlain = text.includes("$") || pieces.some((piece) => piece.formula) || PLAIN_WORD.test(text.replace(NAMED, "")) || RAISES_LESS.test(text);
  return isPlain || !/[\\^_]/.test(text) ? pieces : [{ formula: text, display: false, source: text }];
}

/** A node of the page from the plain data that the worker made; its text is text, and nothing in it can be a script. */
function built(data) {
  if (typeof data === "string") return document.createTextNode(data);
  if (!data.tag) {
    const fragment = document.createDocumentFragment();
    fragment.append(...data.children.map(built));
    return fragment;
  }
  const element = data.namespace ? document.createElementNS(data.namespace, data.tag) : document.createElement(data.tag);
  for (const [name, value] of Object.entries(data.attributes)) element.setAttribute(name, value);
  Object.assign(element.style, data.style);
  element.append(...data.children.map(built));
  return element;
}

// What is wider than its room, a formula or the text around it, scrolls, by keyboard too; what fits is no stop on the way.
const rooms = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const isWide = target.scrollWidth > target.clientWidth;
    target.classList.toggle("scrolls", isWide);
    if (isWide) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

/** Watches whether a text's box has room for its formulas, and looks at once also where it was watched before. */
export function watchRoom(text) {
  if (!text?.querySelector("[data-source]")) return;
  const box = getComputedStyle(text).display === "inline" ? text.parentElement : text;
  rooms.unobserve(box);
  rooms.observe(box);
}

function fillHolder(holder, { tree, error }) {
  if (tree) {
    holder.className = "";
    holder.replaceChildren(built(tree));
    // Also one that TeX makes: \char"202E.
    nameTurning(holder);
    for (const display of holder.querySelectorAll(".katex-display")) rooms.observe(display);
    return;
  }
  // The source is what the author wrote, so it is the honest fallback; the reason stands in the title.
  holder.className = "formula-error";
  holder.title = named(`${document.body.dataset.formulaError} ${error}`.trim());
}

/** A formula as a node; one that is not set yet shows its source and follows. */
export function formulaNode(piece) {
  const holder = document.createElement("span");
  holder.dataset.source = piece.source;
  holder.textContent = named(piece.source);
  const known = setter.known(piece);
  if (known) fillHolder(holder, known);
  else setter.set(piece).then((result) => { fillHolder(holder, result); watchRoom(holder.closest(".math")); });
  return holder;
}

/** Replaces the text of one element by text nodes and formulas; those not set yet follow. Safe to call twice. */
export function render(element) {
  if (element.dataset.mathDone) return;
  element.dataset.mathDone = "1";
  const isAnswer = element.closest(ANSWER) !== null;
  const texts = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT, (node) =>
    (node.parentElement.closest("pre, code") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT));
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const node of texts) {
    const pieces = isAnswer ? answerPieces(node.data) : formulasIn(node.data) ? split(node.data) : [];
    if (pieces.every((piece) => piece.text !== undefined)) continue;
    node.replaceWith(...pieces.map((piece) => (piece.text === undefined ? formulaNode(piece) : piece.text)));
  }
  nameTurning(element);
  watchRoom(element);
}

function formulasIn(text) {
  return /\$|\\\(|\\\[|\\begin/.test(text);
}

/** Sets the formulas of these texts and answers beforehand, so that `render` has them at once; waits for a while. */
export async function prepare(texts, answers = []) {
  const pieces = [...texts.filter(formulasIn).flatMap((text) => split(text)), ...answers.flatMap(answerPieces)];
  const waiting = pieces.filter((piece) => piece.text === undefined).map((piece) => setter.set(piece));
  if (!waiting.length) return;
  loadStyle();
  // A font that arrives after the text moves every line below it, so both of the usual ones come first.
  const fonts = ["1em KaTeX_Main", "italic 1em KaTeX_Math"].map((font) => document.fonts.load(font).catch(() => null));
  await Promise.race([Promise.all([...waiting, ...fonts]), new Promise((resolve) => { setTimeout(resolve, PATIENCE); })]);
}

/** KaTeX's style, once, and only on a page that has a formula. */
function loadStyle() {
  const href = document.body.dataset.katexCss;
  if ([...document.styleSheets].some((sheet) => sheet.href?.endsWith(href)) || document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));
}

/** Renders every `.math` element under `scope`; one that fails leaves the others alone. */
export async function renderAll(scope) {
  const elements = [...scope.querySelectorAll(UNSET)];
  if (scope.matches?.(UNSET)) elements.push(scope);
  const [answers, texts] = [true, false].map((isAnswer) => elements.filter((element) => Boolean(element.closest(ANSWER)) === isAnswer));
  await prepare(texts.map((element) => element.textContent), answers.map((element) => element.textContent));
  for (const element of elements) {
    try {
      render(element);
    } catch (error) {
      console.warn("A formula could not be set.", error);
    }
  }
}

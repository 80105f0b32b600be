// Click a word or a number, and it lights up wherever it stands in the task. Uses CSS highlights: no node changes.
import { askWord } from "./dialogs.js";
import { byId } from "./elements.js";

const WORD = /[\p{L}\p{M}]+|\d[\d,]*(?:\.\d+)?/gu;
let lit = "";

function textNodes() {
  const nodes = [];
  for (const root of [byId("problem"), byId("answer"), byId("steps")]) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, (node) =>
      (node.parentElement.closest(".katex-mathml, .field, .write-box, .step-rate, .machine, .step-number, [hidden]") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT));
    while (walker.nextNode()) nodes.push(walker.currentNode);
  }
  return nodes;
}

export function clear() {
  lit = "";
  globalThis.CSS?.highlights?.delete("lit");
}

/**
 * Lights up every occurrence of `term`, whole words only; returns how many. The same term again turns it off: then, and
 * where nothing can be lit, there is nothing to count (null).
 */
function lightUp(term) {
  const wanted = term.trim().toLowerCase().replaceAll(",", "");
  const again = wanted === lit;
  clear();
  if (!wanted || again || !globalThis.CSS?.highlights) return null;
  const ranges = [];
  for (const node of textNodes()) {
    for (const match of node.data.matchAll(WORD)) {
      if (match[0].toLowerCase().replaceAll(",", "") !== wanted) continue;
      const range = new Range();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      ranges.push(range);
    }
  }
  if (ranges.length) CSS.highlights.set("lit", new Highlight(...ranges));
  lit = wanted;
  return ranges.length;
}

function wordAt(x, y) {
  const caret = document.caretPositionFromPoint?.(x, y);
  const range = caret ? null : document.caretRangeFromPoint?.(x, y);
  const node = caret?.offsetNode ?? range?.startContainer;
  const offset = caret?.offset ?? range?.startOffset ?? 0;
  if (node?.nodeType !== Node.TEXT_NODE) return "";
  for (const match of node.data.matchAll(WORD)) {
    if (match.index <= offset && offset <= match.index + match[0].length) return match[0];
  }
  return "";
}

/** Asks for a word and lights it up; `told(term, count)` hears how often it stands there. */
export async function find(told) {
  const word = await askWord();
  if (word) light(word, told);
}

function light(word, told) {
  const count = lightUp(word);
  if (count !== null) told(word, count);
}

/** Listens for clicks on words; `told(term, count)` hears what lit up. */
export function startLightUp(told) {
  byId("task").addEventListener("click", (event) => {
    if (event.target.closest("button, a, summary, textarea, input, .guideline") || !getSelection().isCollapsed) return;
    const word = wordAt(event.clientX, event.clientY);
    if (word) light(word, told);
    else clear();
  });
}

// What is selected on the page, as something to work out: a formula by its TeX, everything else by its characters.
import { evaluate } from "./calculator.js";
import { plain } from "./tex.js";

const ARITHMETIC = /^[-+*/^%!().,\d\s×·⋅÷−–√π=]*\d[-+*/^%!().,\d\s×·⋅÷−–√π=]*$/;
// A formula's glyphs read from left to right only where nothing stands above anything, and a unit is no part of it.
const LAID_OUT = ".katex-mathml, math, .mfrac, .vlist-t, .text";

function formulaAt(node) {
  const element = node instanceof Element ? node : node.parentElement;
  return element?.closest(".katex") ?? null;
}

function readingOf(formula) {
  return plain(formula.querySelector("annotation")?.textContent ?? formula.textContent);
}

function isValue(text) {
  try {
    evaluate(text);
    return true;
  } catch {
    return false;
  }
}

/** The part of “x = 12 · 7 = 84” that is to be worked out: the first side that is more than a number, else any with a value. */
function side(text) {
  const sides = text.split(/=/).map((part) => part.replace(/[\s.,;:]+$/, "").trim()).filter(isValue);
  return sides.find((part) => !/^[-−]?[\d.,]+$/.test(part)) ?? sides[0] ?? null;
}

/** A part of one formula, where its characters alone say what it is. */
function partOf(range) {
  const formula = formulaAt(range.startContainer);
  if (!formula || formula !== formulaAt(range.endContainer)) return null;
  if (range.commonAncestorContainer.parentElement.closest(".katex-mathml")) return null;
  return range.cloneContents().querySelector(LAID_OUT) ? null : range.toString().replaceAll("\u200b", "").trim();
}

/** The selected nodes with every formula that the selection touches, whole. */
function wholeFormulas(range) {
  const wide = range.cloneRange();
  const [first, last] = [formulaAt(range.startContainer), formulaAt(range.endContainer)];
  if (first) wide.setStartBefore(first);
  if (last) wide.setEndAfter(last);
  return wide.cloneContents();
}

/** The selection as the calculator takes it, or null where there is nothing to work out. */
export function selectedExpression() {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  const part = partOf(range);
  if (part) return side(part) ?? part;
  const nodes = wholeFormulas(range);
  const readings = [...nodes.querySelectorAll(".katex")].map((formula) => {
    const reading = readingOf(formula);
    formula.replaceWith(reading);
    return reading;
  });
  const text = nodes.textContent.trim();
  if (!readings.length) return ARITHMETIC.test(text) ? (side(text) ?? text) : null;
  return side(text) ?? readings.map(side).find((found) => found !== null) ?? text;
}

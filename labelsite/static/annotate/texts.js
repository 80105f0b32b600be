// How the task's texts are shown: their Markdown formatted, or every character as it was written.
import { renderMarkdown } from "../markdown.js";
import { nameTurning, named } from "../unseen.js";
import { byId, make } from "./elements.js";

const KEPT = "misstep-as-written";

function keptChoice() {
  try {
    return localStorage.getItem(KEPT) === "yes";
  } catch {
    return false;
  }
}

function keep(isRaw) {
  try {
    localStorage.setItem(KEPT, isRaw ? "yes" : "no");
  } catch {
    // A full or forbidden storage only means that the choice lasts as long as the page.
  }
}

/** The beginning and the end of a long text: what code prints last is mostly its result. */
export function bothEnds(text, length) {
  const half = length / 2;
  return text.length <= length ? text : `${text.slice(0, half)}\n…\n${text.slice(-half)}`;
}

/** Every character, also those that no font draws: one that has no width, or that turns the direction of what follows. */
function raw(text) {
  return make("div", { className: "as-written" }, named(text, /(?![\n\r\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu));
}

export function formatted(text) {
  const holder = make("div", { className: "math" }, text);
  try {
    renderMarkdown(holder);
  } catch (error) {
    console.warn("A text could not be formatted.", error);
    holder.replaceChildren(text);
  }
  return holder;
}

/** The texts on the page, each with what draws it, so that the switch changes them and nothing else. */
export class Texts {
  constructor() {
    this.isRaw = keptChoice();
    this.drawn = new Map();
    this.showChoice();
  }

  showChoice() {
    byId("as-written").setAttribute("aria-pressed", String(this.isRaw));
  }

  clear() {
    this.drawn.clear();
  }

  /** Puts `text` into `element`; `draw` makes its nodes where they are more than the formatted text, `after` follows it. */
  put(element, text, draw = () => [formatted(text)], after = () => []) {
    this.drawn.set(element, () => (this.isRaw ? [raw(text), ...after()] : draw()));
    this.fill(element);
  }

  fill(element) {
    element.replaceChildren(...this.drawn.get(element)());
    nameTurning(element);
  }

  switch() {
    this.isRaw = !this.isRaw;
    keep(this.isRaw);
    this.showChoice();
    for (const element of this.drawn.keys()) this.fill(element);
  }
}

// The problem stays above the steps while they are scrolled; what is brought into sight comes to stand below it.
import { byId } from "./elements.js";

const card = byId("problem").closest(".problem");

export function isBehindProblem(row) {
  return row.getBoundingClientRect().top < card.getBoundingClientRect().bottom;
}

/** Tells the style sheet how high the problem is, and lets the keyboard scroll a text that is too long for its room. */
export function watchProblem() {
  const text = byId("problem");
  const watcher = new ResizeObserver(() => {
    document.documentElement.style.setProperty("--problem-height", `${card.offsetHeight}px`);
    if (text.scrollHeight > text.clientHeight) text.tabIndex = 0;
    else text.removeAttribute("tabindex");
  });
  for (const element of [card, text]) watcher.observe(element);
}

// From click to action. Buttons name theirs; on a phone, which has no keys for that, a tap on a step takes it in hand.
import { byId } from "./elements.js";

const OF_ITS_OWN = "button, a, summary, label, textarea, input, .write-box, .reason-line, .written";

/**
 * The row that a click is about, or null: a control is about itself, and a drag over words selects them. Where each row
 * has its own buttons, a click lights up a word, and the keys stay with the step that is in hand.
 */
function rowOf(target) {
  if (target.closest(OF_ITS_OWN) || !getSelection().isCollapsed) return null;
  const row = target.closest(".step[data-option]");
  return row?.querySelector(":scope > .step-rate")?.checkVisibility() ? null : row;
}

function optionOf({ dataset }) {
  return dataset.option ? Number(dataset.option) : undefined;
}

/** Calls `act(action, option)` for each click that is one; `option` is undefined where none is named. */
export function listenForClicks(act) {
  byId("workplace").addEventListener("click", ({ target, detail }) => {
    const button = target.closest("[data-action]");
    if (!button) return;
    if (detail > 0) button.blur(); // After a mouse click, Enter means "submit" again.
    act(button.dataset.action, optionOf(button));
  });
  // Before the page lights up the word under the pointer: what is drawn anew would lose its light.
  byId("steps").addEventListener("click", ({ target }) => {
    const row = rowOf(target);
    if (row) act("take", optionOf(row));
  });
  byId("write-add").addEventListener("click", () => act("add_written"));
}

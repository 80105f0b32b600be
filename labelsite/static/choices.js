// What is kept at each change would, with the keys, be kept at each value on the way: several browsers tell a change at
// every arrow key on a drop-down that is closed. So what a key has changed is told when the key's user moves on, or
// presses Enter; what was chosen from the open list, or with a pointer, is told at once.

const KEPT_AT_ONCE = 'select[data-submit-on-change], [hx-post][hx-trigger="change"] select';
// The change of a key follows it within the same event; from an open list, it follows when somebody has chosen.
const SAME_EVENT = 100;

let pressed = { select: null, at: 0, value: "" };
let held = null;

function press(event) {
  const select = event.target.closest?.(KEPT_AT_ONCE);
  if (!select) return;
  if (event.key === "Enter" && held) {
    event.preventDefault();
    tell();
  }
  // What leaves or reloads the page takes no focus away first.
  if (held && (event.ctrlKey || event.metaKey || event.altKey || event.key === "F5")) tell();
  if (event.key !== "Enter" && event.key !== " ") pressed = { select, at: performance.now(), value: select.value };
}

function hold(event) {
  const select = event.target;
  const isOfKey = select === pressed.select && performance.now() - pressed.at < SAME_EVENT;
  if (event.isTrusted && isOfKey) {
    event.stopImmediatePropagation();
    // One that an answer has replaced meanwhile is nobody's any more.
    if (held?.select !== select) held = { select, value: pressed.value };
  } else if (select === held?.select) held = null;
}

/** A value that the keys have come back to is no change. */
function tell() {
  const { select, value } = held;
  held = null;
  if (select.value !== value) select.dispatchEvent(new Event("change", { bubbles: true }));
}

/** To be called before anything else listens for changes: they are held back from whoever listens later. */
export function watchChoices() {
  document.addEventListener("keydown", press, true);
  document.addEventListener("change", hold, true);
  document.addEventListener("focusout", () => held && tell(), true);
  // An answer to what was told before would replace the drop-down that is in hand.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => { if (held && detail.target.contains(held.select)) detail.shouldSwap = false; });
}

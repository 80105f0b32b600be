// From key to action. Text fields and open dialogs keep their keys; nothing here destroys work with one key.

const SCROLLING = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " "];
const NATIVE_ON_ENTER = "a, summary, button:not(.rate)";

/** The element that a key belongs to. A closed window keeps the focus until the next frame, but no longer its keys. */
function pressedOn(target) {
  return target instanceof Element && !target.closest("dialog:not([open])") ? target : document.body;
}

/** The action of a key: by the letter it writes, or where that is of another script (ㅓ, о), by the one it would write. */
function boundTo(bindings, { key, code, shiftKey }) {
  const named = bindings[key] ?? bindings[key.toLowerCase()];
  const [, letter] = (!named && /^(?!\p{Script=Latin})\p{L}$/u.test(key) && /^Key([A-Z])$/.exec(code)) || [];
  if (!letter) return named;
  return (shiftKey ? bindings[letter] : null) ?? bindings[letter.toLowerCase()];
}

/** Calls `act(action, event)` for each bound key. */
export function listen(bindings, act) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    // The calculator is no question: it leaves the page its keys.
    if (document.querySelector("dialog:modal")) return;
    const target = pressedOn(event.target);
    if (target.closest("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (SCROLLING.includes(event.key) && target.closest(".guideline, #problem:focus-visible")) return;
    if ((event.key === "Enter" || event.key === " ") && target.closest(`${NATIVE_ON_ENTER}, .rate:focus-visible`)) return;
    const action = boundTo(bindings, event);
    if (event.key === "Escape") act("escape", event);
    else if (action) {
      event.preventDefault();
      if (!event.repeat || action === "next" || action === "previous") act(action, event);
    }
  });
}

// From key to action. Text fields and open dialogs keep their keys; nothing here destroys work with one key.

const NATIVE_ON_ENTER = "a, summary, button:not(.rate)";

/** Calls `act(action, event)` for each bound key. */
export function listen(bindings, act) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if ((event.key === "Enter" || event.key === " ") && target.closest(`${NATIVE_ON_ENTER}, .rate:focus-visible`)) return;
    const action = bindings[event.key] ?? bindings[event.key.toLowerCase()];
    if (event.key === "Escape") act("escape", event);
    else if (action) {
      event.preventDefault();
      if (!event.repeat || action === "next" || action === "previous") act(action, event);
    }
  });
}

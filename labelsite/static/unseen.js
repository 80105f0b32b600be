// Signs that nobody sees and that change what everybody reads: "12" behind U+202E looks like "21". No isolation helps
// against one inside the very text, so each stands there by its name.

// The Syriac one is invisible as well, and turns what follows like a letter of its script.
const TURNING = /[\p{Bidi_Control}\u070F]/gu;
// What a script reads, and what a person edits.
const KEPT = "script, style, textarea";

/** `text` with each of the `signs` by its name. */
export function named(text, signs = TURNING) {
  return text.replace(signs, (sign) => `⟨U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** Names the turning signs in every text under `root`, but for those inside of what `later` selects. */
export function nameTurning(root, later = KEPT) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (text.data.search(TURNING) >= 0 && !text.parentElement?.closest(`${KEPT}, ${later}`)) text.data = named(text.data);
  }
}

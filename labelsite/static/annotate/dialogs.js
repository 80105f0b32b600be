// Small windows: why somebody leaves a task, notes, keys. Each is a native <dialog>, so focus comes back by itself.
import { byId, keyName, make } from "./elements.js";
import { selectedExpression } from "./selection.js";

let answer = null; // answers the question that is open

/** Closes the open question; a late event of an earlier dialog finds nothing to answer. */
function settle(dialog, confirmed) {
  const told = answer;
  answer = null;
  if (dialog.open) dialog.close();
  told?.(confirmed);
}

/** Whether the key belongs to a word under composition; Safari tells of the one that ends it by its number alone. */
function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

for (const dialog of document.querySelectorAll("dialog[data-question]")) {
  const field = dialog.querySelector("textarea, input");
  const form = dialog.querySelector("form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    settle(dialog, event.submitter?.value !== "cancel");
  });
  dialog.addEventListener("cancel", () => settle(dialog, false));
  // Enter confirms, Shift+Enter is a new line; a keyboard on the screen has only Return for it.
  field.addEventListener("keydown", (event) => {
    if (!dialog.open || event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    if (field instanceof HTMLTextAreaElement && matchMedia("(pointer: coarse)").matches) return;
    event.preventDefault();
    if (form.reportValidity()) settle(dialog, true);
  });
}

/** Opens a dialog and resolves with true when it was confirmed. */
function ask(dialog, field) {
  return new Promise((resolve) => {
    answer = resolve;
    dialog.showModal();
    field.focus();
  });
}

/** Asks with what was typed there before (`unsent.text`), else with `text`; `unsent.keep` hears each change, null where it is none. */
async function askAgain(dialog, field, text, unsent) {
  field.value = unsent.text ?? text;
  field.oninput = () => unsent.keep(field.value === text ? null : field.value);
  return (await ask(dialog, field)) ? field.value.trim() : null;
}

/** Asks why a task is left; resolves with the reason or null. */
export async function askExit(kind, unsent) {
  for (const id of ["exit-title", "exit-help"]) byId(id).textContent = byId(id).dataset[kind === "bad_problem" ? "bad" : "give"];
  return (await askAgain(byId("exit-dialog"), byId("exit-reason"), "", unsent)) || null;
}

/** Asks for the note of a step; resolves with the text or null. */
export function askNote(text, unsent) {
  return askAgain(byId("note-dialog"), byId("note-text"), text, unsent);
}

/** Asks for a word to light up; resolves with it or null. */
export async function askWord() {
  const field = byId("find-text");
  return (await ask(byId("find-dialog"), field)) ? field.value : null;
}

/** Shows what each key does; an action can have several. */
export function showHelp({ actions, bindings }) {
  const keysOf = (name) => Object.keys(bindings).filter((key) => bindings[key] === name);
  byId("help-keys").replaceChildren(...actions.flatMap(({ name, label }) =>
    [make("dt", {}, ...keysOf(name).flatMap((key) => [make("kbd", {}, keyName(key)), " "])), make("dd", {}, label)]));
  byId("help-dialog").showModal();
  // The focus goes to the button below the list, which on a small screen scrolls the first keys out of sight.
  byId("help-dialog").scrollTop = 0;
}

let before = 0; // how far the page was scrolled when somebody went to the guideline

/** Goes to the guideline, which on a narrow screen stands below the task, and from there back to where one was. */
export function toggleGuideline() {
  const guideline = byId("guideline");
  byId("more").open = false;
  if (document.activeElement === guideline) {
    guideline.blur();
    scrollTo({ top: before, behavior: "instant" });
    return;
  }
  before = scrollY;
  guideline.focus({ preventScroll: true });
  const { top, bottom } = guideline.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) guideline.scrollIntoView({ block: "start", behavior: "instant" });
}

const calculator = byId("calculator-dialog");

/** Closes the calculator, and gives the keys back to the page. */
function hideCalculator() {
  calculator.close();
  document.activeElement?.blur();
}

calculator.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  event.preventDefault();
  hideCalculator();
});

/** Opens the calculator beside the work, which stays in sight and in hand; begins with what is selected. */
export function showCalculator() {
  const selected = selectedExpression();
  byId("more").open = false;
  if (!calculator.open) calculator.show();
  const input = byId("calculator-input");
  if (selected !== null) {
    input.value = selected;
    input.dispatchEvent(new Event("input"));
  }
  input.focus();
  input.select();
}

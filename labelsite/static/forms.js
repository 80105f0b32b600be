// What a form hides must not count unseen: folds open where something in them differs, or is refused.

const ANSWERED = 'form[hx-get][hx-trigger^="change"]';

function differs(field) {
  if (field instanceof HTMLSelectElement) {
    const options = [...field.options];
    const initial = options.filter((option) => option.defaultSelected);
    const expected = initial.length || field.multiple ? initial : options.slice(0, 1);
    return options.some((option) => option.selected !== expected.includes(option));
  }
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  return field.type !== "hidden" && "defaultValue" in field && field.value !== field.defaultValue;
}

/** The browser has put in again what stood here before: shown, and what is told beside it asked for anew. */
function showRestored(form) {
  const changed = [...form.elements].filter(differs);
  for (const field of changed) openFolds(field);
  if (changed.length) form.dispatchEvent(new Event("change"));
}

function openFolds(field) {
  for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}

export function watchForms() {
  // A refused form comes back as a whole page: what to change is read first, and stands in sight.
  document.querySelector("[data-refused]")?.focus();
  addEventListener("pageshow", () => document.querySelectorAll(ANSWERED).forEach(showRestored));
  // The event does not bubble. A field that nobody sees cannot say what is wrong with it, and stops the form.
  document.addEventListener("invalid", (event) => openFolds(event.target), true);
}

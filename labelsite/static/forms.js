// What a form hides must not count unseen: folds open where something in them differs, or is refused. And what was
// sent is not sent again by a second press while the answer is on its way: it would start the work twice.

import { csrfToken } from "./csrf.js";

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

// After so long an answer may have been stopped by hand. A file takes as long as it takes, or until another is chosen.
const PATIENCE = 10000;

function sendOnce(event) {
  const form = event.target;
  // A field called "method" would hide the form's own property.
  if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
  form.elements.csrfmiddlewaretoken.value = csrfToken();
  // What is sent at each change has no button: the newer choice counts.
  if (!event.submitter) return;
  if (form.hasAttribute("aria-busy")) {
    event.preventDefault();
    return;
  }
  form.setAttribute("aria-busy", "true");
  event.submitter.setAttribute("aria-disabled", "true");
  if (form.enctype !== "multipart/form-data") setTimeout(() => release(form), PATIENCE);
}

/** A form whose answer is the page anew takes along what was typed into the one beside it. */
function takeAlong({ target, formData }) {
  const beside = document.getElementById(target.dataset.takesAlong);
  if (!beside) return;
  const typed = new FormData(beside);
  for (const name of target.dataset.fields.split(" ")) if (typed.has(name)) formData.set(name, typed.get(name));
}

function release(form) {
  form.removeAttribute("aria-busy");
  // A button may stand outside of its form.
  for (const button of form.elements) button.removeAttribute("aria-disabled");
}

export function watchForms() {
  // A refused form comes back as a whole page: what to change is read first, and stands in sight.
  document.querySelector("[data-refused]")?.focus();
  document.addEventListener("submit", sendOnce);
  document.addEventListener("formdata", takeAlong);
  // What is changed now was not sent: another file, say, where the first one was stopped on its way.
  document.addEventListener("change", ({ target }) => { if (target.form?.hasAttribute("aria-busy")) release(target.form); });
  addEventListener("pageshow", () => {
    document.querySelectorAll("form[aria-busy]").forEach(release);
    document.querySelectorAll(ANSWERED).forEach(showRestored);
  });
  // The event does not bubble. A field that nobody sees cannot say what is wrong with it, and stops the form.
  document.addEventListener("invalid", (event) => openFolds(event.target), true);
}

// What every page shares: formulas, the theme switch, and times in the reader's own zone.
import { watchChoices } from "./choices.js";
import { renderCode } from "./code.js";
import { csrfToken } from "./csrf.js";
import { watchForms } from "./forms.js";
import { renderMarkdown } from "./markdown.js";
import { prepare, renderAll } from "./math.js";
import { FAILURES, isPolled, watchPolling } from "./polling.js";
import { nameTurning } from "./unseen.js";

/** Switches the theme at once; the form's POST then keeps it for the next page and the next device. */
function switchTheme(event) {
  event.preventDefault();
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark;
  root.dataset.theme = isDark ? "light" : "dark";
  const body = new FormData(event.target);
  body.set("theme", root.dataset.theme);
  body.set("csrfmiddlewaretoken", csrfToken());
  fetch(event.target.action, { method: "POST", body, redirect: "manual" }).catch(() => {});
}

function localTimes(scope) {
  for (const element of scope.querySelectorAll("time[datetime][data-local]")) {
    const moment = new Date(element.dateTime);
    if (!Number.isNaN(moment.valueOf())) {
      element.textContent = moment.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    }
  }
}

async function formatAll(scope) {
  const holders = [...scope.querySelectorAll(".markdown:not([data-math-done])")];
  await prepare(holders.map((holder) => holder.textContent));
  holders.forEach(renderMarkdown);
}

function refresh(scope) {
  scope.querySelectorAll(".math:not([data-math-done], .markdown)").forEach(renderCode);
  renderAll(scope);
  formatAll(scope);
  localTimes(scope);
  // Formulas are known by their source, and name such signs once they are set.
  nameTurning(scope, ".math, .markdown");
}

watchChoices();
document.querySelectorAll("form[data-theme-switch]").forEach((form) => form.addEventListener("submit", switchTheme));
document.addEventListener("change", (event) => event.target.closest("[data-submit-on-change]")?.form?.requestSubmit());
// What is touched is sent whatever the row has shown of it: it may take back a change that is still on its way.
document.addEventListener("change", (event) => {
  const row = event.target.closest("[data-shown]");
  row?.querySelector(`input[type="hidden"][name="initial-${event.target.name}"]`)?.remove();
}, true);
// What is sent at each change says so where it did not arrive, and what is told beside a form where it is of an older one.
for (const failure of FAILURES) {
  document.addEventListener(failure, ({ detail: { target, requestConfig } }) => {
    if (!isPolled(requestConfig.elt)) target?.querySelector("[data-not-saved], [data-outdated]")?.removeAttribute("hidden");
  });
}
/** A page that goes on asking says when nobody is logged in any more, until an answer comes again. */
function tellLoggedOut({ detail: { xhr } }) {
  document.getElementById("logged-out")?.toggleAttribute("hidden", xhr.status !== 401);
}

document.addEventListener("htmx:afterRequest", tellLoggedOut);
document.addEventListener("htmx:configRequest", (event) => { event.detail.headers["X-CSRFToken"] = csrfToken(); });
document.addEventListener("htmx:load", (event) => refresh(event.detail.elt));
// On a phone the rows of links scroll sideways; where one is should be in sight.
document.querySelectorAll(".site-nav [aria-current], .tabs [aria-current]").forEach((link) => { link.parentElement.scrollLeft = link.offsetLeft - link.parentElement.offsetLeft - 48; });
watchForms();
watchPolling();
refresh(document);

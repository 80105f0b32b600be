// A page that watches work fetches a part of itself anew every other second. What replaces the part is new to the
// browser, so the focus would fall to the top of the page, a log that is being read would jump to its start, and what
// somebody has unfolded would close.
const REACHED = "a[href], button, input, select, summary, [tabindex]";
// An answer that is called off for a newer one is none of them.
export const FAILURES = ["htmx:sendError", "htmx:responseError", "htmx:timeout"];
const SCROLLED = "pre, .table-wrap";

// Whoever copies has done so by then, and whoever watches on would see nothing new.
const MARKED_FOR = 20000;

let kept = null;
let markedAt = -MARKED_FOR;

/** What tells one control from its siblings, also in a newer version of the part. */
function nameOf(element) {
  const words = element.tabIndex === 0 && element.matches("[tabindex]") ? "" : element.textContent.trim();
  return [element.tagName, element.getAttribute("href"), element.form?.action, element.getAttribute("aria-label"), words].join("|");
}

export function isPolled(element) {
  return element.getAttribute?.("hx-trigger")?.startsWith("every ");
}

/** A button between press and release, and text that was marked just now, would be gone before the click or the copy. */
function isInHand(part) {
  const marked = getSelection();
  const isFresh = performance.now() - markedAt < MARKED_FOR;
  return part.querySelector(":active") || (isFresh && !marked.isCollapsed && marked.containsNode(part, true));
}

function keep(event) {
  const part = event.detail.target;
  const isOfPoll = event.detail.requestConfig?.elt === part;
  // The next answer brings it.
  if (isOfPoll && isPolled(part) && isInHand(part)) event.detail.shouldSwap = false;
  // It asks as the form stood when it was made, and would hide that the form says something else by now.
  if (isOfPoll && part.querySelector("[data-outdated]:not([hidden])")) event.detail.shouldSwap = false;
  if (!event.detail.shouldSwap || !isPolled(part)) return;
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const scrolls = [...part.querySelectorAll(SCROLLED)].map((box) => [box.scrollTop, box.scrollLeft]);
  const folds = [...part.querySelectorAll("details")].map((fold) => fold.open);
  kept = { id: part.id, focusedId: focused?.id ?? "", name: focused && !focused.id ? nameOf(focused) : "", scrolls, folds };
}

function putBack() {
  const part = kept && document.getElementById(kept.id);
  if (!part) return;
  const { focusedId, name, scrolls, folds } = kept;
  kept = null;
  [...part.querySelectorAll("details")].forEach((fold, place) => (fold.open = folds[place] ?? fold.open));
  [...part.querySelectorAll(SCROLLED)].forEach((box, place) => box.scrollTo(scrolls[place]?.[1] ?? 0, scrolls[place]?.[0] ?? 0));
  if (name) [...part.querySelectorAll(REACHED)].find((element) => nameOf(element) === name)?.focus({ preventScroll: true });
  // Whatever has an id htmx finds again itself, but not what it keeps and has to move to its new place without `moveBefore`.
  if (focusedId && document.activeElement === document.body) document.getElementById(focusedId)?.focus({ preventScroll: true });
}

/** Whoever watches is told when answers fail to come, until one does; that nobody is logged in is told elsewhere. */
function tellUnanswered({ detail: { requestConfig, xhr } }) {
  // By the status: htmx calls no answer successful that has the page loaded anew.
  const isAnswered = (xhr.status >= 200 && xhr.status < 400) || xhr.status === 401;
  if (isPolled(requestConfig.elt)) document.getElementById("not-renewed")?.toggleAttribute("hidden", isAnswered);
}

export function watchPolling() {
  document.addEventListener("selectionchange", () => { markedAt = performance.now(); });
  document.addEventListener("htmx:beforeSwap", keep);
  document.addEventListener("htmx:afterSwap", putBack);
  for (const end of FAILURES) document.addEventListener(end, tellUnanswered);
  document.addEventListener("htmx:afterOnLoad", tellUnanswered);
}

// The address says what stands on the page, so that a reload opens the same and "back" leaves the page.
import { address } from "./transport.js";

/** `payload` is the task on the page, or null where there is none. No entry of its own: there is no page to go back to. */
export function keepAddress(urls, payload) {
  const wanted = payload?.annotation ? address(urls.edit, payload.annotation) : urls.page;
  if (location.pathname !== wanted) history.replaceState(null, "", wanted);
}

// The guideline beside the work reaches down to the action bar, however far the page is scrolled.
import { byId } from "./elements.js";

const GAP = 16;

/** How high the panel may be: down to the bar, and never so high that the page grows by it. */
function room() {
  const columns = byId("task");
  const { top } = columns.getBoundingClientRect();
  const end = byId("actions").getBoundingClientRect().top - GAP;
  const beside = columns.firstElementChild.offsetHeight;
  return Math.min(end - Math.max(GAP, top), Math.max(end - top - scrollY, beside));
}

export function watchGuideline() {
  const fit = () => {
    if (!byId("actions").hidden) byId("guideline").style.setProperty("--room", `${Math.round(room())}px`);
  };
  const watcher = new ResizeObserver(fit);
  for (const element of [byId("actions"), byId("task").firstElementChild]) watcher.observe(element);
  for (const name of ["scroll", "resize"]) addEventListener(name, fit, { passive: true });
}

// The arrow keys on a search tree: right to a step's first continuation, left back, up and down among the drawn; Home to
// the problem, End to the end of the way to the answer. Tab stops at one step, and the next press leaves the tree.
// Without this file every step is still a link that Tab reaches.

const nodeOf = (id) => document.getElementById(`node-${id}`);

function neighbour(node, key) {
  const children = node.dataset.children ? node.dataset.children.split(",") : [];
  if (key === "ArrowRight") return children.length ? nodeOf(children[0]) : null;
  if (key === "ArrowLeft") return node.dataset.parent ? nodeOf(node.dataset.parent) : null;
  if (key === "Home") return nodeOf(0);
  if (key === "End") return [...node.ownerSVGElement.querySelectorAll(".tree-best")].at(-1);
  const all = [...node.ownerSVGElement.querySelectorAll(".tree-node")];
  const box = (element) => element.querySelector("rect");
  const [x, y] = [Number(box(node).getAttribute("x")), Number(box(node).getAttribute("y"))];
  const column = all.filter((other) => other !== node && Number(box(other).getAttribute("x")) === x);
  const beyond = column.filter((other) => (Number(box(other).getAttribute("y")) - y) * (key === "ArrowDown" ? 1 : -1) > 0);
  beyond.sort((a, b) => Math.abs(Number(box(a).getAttribute("y")) - y) - Math.abs(Number(box(b).getAttribute("y")) - y));
  return beyond[0] ?? null;
}

document.addEventListener("keydown", (event) => {
  const node = event.target.closest?.(".tree-node");
  if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " || (event.key === "ArrowRight" && !node.dataset.children)) {
    const fold = document.getElementById(node.id.replace("node", "fold"));
    if (fold) {
      event.preventDefault();
      fold.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
    }
    return;
  }
  if (!["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
  event.preventDefault();
  const next = neighbour(node, event.key);
  next?.focus();
  next?.scrollIntoView({ block: "nearest", inline: "nearest" });
});

/** Brings the chosen step, or else the root, into the middle of its scrolling frame, without moving the page. */
function centre(scope) {
  const frame = scope.closest?.("#tree-pane") ?? scope.querySelector?.("#tree-pane");
  const node = frame?.querySelector(".tree-selected") ?? frame?.querySelector("#node-0");
  if (!node) return;
  const [inner, outer] = [node.getBoundingClientRect(), frame.getBoundingClientRect()];
  frame.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
  frame.scrollLeft += Math.min(0, inner.left - outer.left - 12) || Math.max(0, inner.right - outer.right + 12);
}

// A fold is swapped in as a new drawing: what had the focus or was folded stays where the eye is.
let kept = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id === "tree-pane") kept = [event.detail.target.scrollLeft, event.detail.target.scrollTop];
});
document.addEventListener("htmx:afterSettle", () => {
  const frame = document.getElementById("tree-pane");
  if (!frame || !kept) return;
  if (!frame.contains(document.activeElement)) stopAt(frame.querySelector(".tree-selected") ?? nodeOf(0));
  [frame.scrollLeft, frame.scrollTop] = kept;
  kept = null;
});

function stopAt(node) {
  for (const other of document.querySelectorAll(".tree-node")) other.setAttribute("tabindex", other === node ? 0 : -1);
}

/** The step that is read beside the drawing is the one that is marked in it, however it was reached. */
function choose(event) {
  const node = event.target.closest?.(".tree-node");
  if (!node) return;
  document.querySelectorAll(".tree-selected").forEach((other) => other.classList.remove("tree-selected"));
  node.classList.add("tree-selected");
  stopAt(node);
}
for (const reached of ["click", "focusin"]) document.addEventListener(reached, choose);
centre(document);
stopAt(document.querySelector(".tree-selected") ?? nodeOf(0));

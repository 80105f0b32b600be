// Deciding on one disagreement after another without the mouse: the arrow keys go from step to step, space marks one, and
// Enter, which presses a form's first button, keeps the decision and goes on.
const form = document.querySelector("form[data-decide]");
const boxes = [...form.querySelectorAll("[name=positions]")];

form.addEventListener("keydown", (event) => {
  const place = boxes.indexOf(event.target);
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (place < 0 || !by) return;
  event.preventDefault();
  boxes.at((place + by) % boxes.length).focus();
});

// Who walks along a list begins where somebody sees a mistake. The page stays at the problem, which is read first; what
// is marked then is in sight.
form.addEventListener("change", (event) => event.target.scrollIntoView({ block: "nearest" }));
if (form.dataset.decide === "walking" && !document.querySelector("[data-refused]")) {
  (form.querySelector("tr:has(.badge.bad, input:checked) [name=positions], .run-first [name=positions]") ?? boxes[0]).focus({ preventScroll: true });
}

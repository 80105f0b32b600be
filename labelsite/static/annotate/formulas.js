// Sets a task's formulas before it is drawn, so that nothing moves under the reader's eyes.
import { prepare } from "../math.js";

/** Every text of a task that can hold formulas. */
function textsOf(payload) {
  return payload.nothing ? [] : [payload.problem, payload.answer ?? "", payload.reference ?? "", ...payload.options.map((option) => option.text)];
}

/** The task with its formulas set, so that it is drawn in one go. */
export async function whole(payload) {
  await prepare(textsOf(payload));
  return payload;
}

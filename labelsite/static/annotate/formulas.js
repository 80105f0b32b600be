// Sets a task's formulas before it is drawn, so that nothing moves under the reader's eyes.
import { prepare } from "../math.js";

/** The task with its formulas set, so that it is drawn in one go. */
export async function whole(payload) {
  if (payload.nothing) return payload;
  await prepare([payload.problem, payload.reference ?? "", ...payload.options.map((option) => option.text)], [payload.answer ?? ""]);
  return payload;
}

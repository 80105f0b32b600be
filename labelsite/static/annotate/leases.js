// The person's holds on tasks: the next one is taken in advance, and all are kept alive while somebody works.
import { whole } from "./formulas.js";
import { address, post } from "./transport.js";

/** Whether the person still holds the task. Without an answer nothing is known, so nothing is lost. */
export async function isHeld(urls, { assignment, token }) {
  const answer = await post(address(urls.heartbeat, assignment), { token }).catch(() => null);
  return answer?.held ?? true;
}

/** The task after the one on the page: leased and fetched while the person works on this one. */
export class NextTask {
  constructor(urls) {
    this.urls = urls;
    this.promise = null;
  }

  prepare(besides) {
    this.promise ??= post(this.urls.next, { besides }).then(whole).catch(() => null);
  }

  /** The prepared task, or null where there is none. */
  async take() {
    const ready = await this.promise;
    this.promise = null;
    return ready?.assignment ? ready : null;
  }

  /** Keeps its lease; one that was lost is dropped, and another prepared besides the task in hand (null: none). */
  async keep(besides) {
    const kept = this.promise;
    const ready = await kept;
    if (!ready?.assignment || (await isHeld(this.urls, ready)) || this.promise !== kept) return;
    this.promise = null;
    if (besides) this.prepare(besides);
  }
}

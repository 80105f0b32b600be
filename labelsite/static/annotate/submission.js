// Sends one judgement until it is acknowledged. The same judgement keeps its key, so that it counts once.
import { Refused, address, pause, post } from "./transport.js";

/** A random UUID, also where the page does not stand on HTTPS. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export class Submission {
  constructor(urls, showState) {
    this.urls = urls;
    this.showState = showState;
    this.failures = 0;
  }

  /** Resolves with the server's answer; throws Refused when trying again cannot help. */
  async send(payload, judgement) {
    const key = newKey();
    const isRevision = Boolean(payload.annotation);
    const url = isRevision ? address(this.urls.revise, payload.annotation) : address(this.urls.submit, payload.assignment);
    const body = isRevision ? { key, judgement, revision: payload.revision } : { key, judgement, token: payload.token };
    for (;;) {
      this.showState("sending");
      try {
        const answer = await post(url, body);
        this.failures = 0;
        return answer;
      } catch (error) {
        if (error instanceof Refused && error.status !== 401) throw error;
        await this.wait(error);
      }
    }
  }

  /** Until the next try is due, saying why the last one came to nothing. */
  async wait(error) {
    const state = error instanceof Refused ? "loggedOut" : "offline";
    this.failures += 1;
    await pause(this.failures, (seconds) => this.showState(state, seconds));
  }
}

// Requests of the page: JSON out, JSON in, a time limit, and one kind of error for each kind of trouble.
import { csrfToken } from "../csrf.js";

/** The server could not be reached or failed; trying again is right. */
export class Unreachable extends Error {}

/** The server understood and refused; `status`, `code` and the rest of its answer say why. */
export class Refused extends Error {
  constructor(status, answer) {
    super(answer.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = answer.code ?? "";
    this.answer = answer;
  }
}

const TIME_LIMIT = 15000;

/** `body` as JSON. Half of an emoji, which a text field can cut in two, is no text that the server can keep. */
function jsonOf(body) {
  return JSON.stringify(body, (_, value) => (typeof value === "string" ? value.replace(/\p{Surrogate}/gu, "") : value));
}

/** POSTs `body` and returns the answer's JSON; throws Unreachable or Refused. */
export async function post(url, body) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: jsonOf(body),
      credentials: "same-origin",
      signal: AbortSignal.timeout(TIME_LIMIT),
    });
  } catch (error) {
    throw new Unreachable(String(error));
  }
  const answer = await response.json().catch(() => null);
  // The page of a proxy or of a network's login, or half an answer: the site says what it did in JSON, and where it was asked.
  if (response.redirected || (response.ok && answer === null)) throw new Unreachable(`HTTP ${response.status}`);
  if (response.ok) return answer;
  // A restarting proxy answers 502 to 504, an overloaded one 429; the work itself was not refused.
  if (response.status >= 500 || response.status === 429 || response.status === 408) throw new Unreachable(`HTTP ${response.status}`);
  throw new Refused(response.status, answer ?? {});
}

/** Waits 1, 2, 4 … up to 30 seconds, or until the browser says it is online again, or `signal` that waiting is of no use. */
export function pause(attempt, onTick, signal) {
  const seconds = Math.min(30, 2 ** Math.min(attempt, 5));
  onTick?.(seconds);
  return new Promise((resolve) => {
    const timer = setTimeout(done, seconds * 1000);
    function done() {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    }
    addEventListener("online", done);
    signal?.addEventListener("abort", done);
  });
}

/** An address with its placeholder 0 replaced by `id`. */
export function address(template, id) {
  return template.replace("/0/", `/${id}/`);
}

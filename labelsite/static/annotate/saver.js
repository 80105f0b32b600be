// Keeps the draft: on the server after every change, in the browser until the server has it. A correction, beside which
// the old judgement stands, is kept in the browser alone, until it is submitted or given up.
import { Refused, address, pause, post } from "./transport.js";

const REST_MILLISECONDS = 600;
const MOST_MARKS = 50; // of drafts without an answer, the newest ones
const storageKey = ({ annotation, assignment }) => `misstep-${annotation ? "correction" : "draft"}-${assignment}`;
/** What a kept draft was made upon; one that was made upon less than stands now is of no use. */
const versionOf = ({ annotation, revision, version }) => (annotation ? revision : version);

function keepHere(payload, draft) {
  try {
    localStorage.setItem(storageKey(payload), JSON.stringify({ version: versionOf(payload), sent: payload.sent, draft }));
  } catch {
    // A full or forbidden storage only means that the server's copy is the only one.
  }
}

/** Whether what the server holds was sent from here, and its answer was lost: what is kept here follows it then. */
function isOurs(sent, draft) {
  return Boolean(draft?.mark) && Boolean(sent?.includes(draft.mark));
}

export function forget(payload) {
  try {
    localStorage.removeItem(storageKey(payload));
  } catch {
    // As above.
  }
}

/**
 * A draft that this browser has and the server has not, or null. One that came through while this page was on its way
 * is newer than the page: its version is then the task's.
 */
export function unsentDraft(payload) {
  try {
    const kept = JSON.parse(localStorage.getItem(storageKey(payload)));
    if (!kept || (kept.version < versionOf(payload) && !isOurs(kept.sent, payload.draft))) return null;
    if (!payload.annotation) {
      payload.version = Math.max(payload.version, kept.version);
      payload.sent = kept.sent; // One that was on its way when the page was left may come through even now.
    }
    return kept.draft;
  } catch {
    return null;
  }
}

export class Saver {
  /** `on` hears: state(name, seconds), stale(task, answer), refused(task, error), lost(task). */
  constructor(urls, on) {
    this.urls = urls;
    this.on = on;
    this.waiting = new Map();
    this.onItsWay = null; // the task whose draft is being sent
    this.running = null;
    this.pausing = new AbortController(); // of the wait before the next try
    this.failures = 0; // since the last save that came through
    this.held = []; // who waits for the saves to come through
    this.resting = new WeakMap(); // the clock of each task that is being typed into
    this.cancelled = new WeakSet(); // whose draft may be on its way, and matters no more
    this.isLeaving = false; // the next page may have been made before the draft that is on its way came through
    addEventListener("beforeunload", () => { this.isLeaving = true; });
  }

  /** As `save`, once the typing rests; until then this browser keeps it. */
  saveSoon(task) {
    this.cancelled.delete(task);
    keepHere(task.payload, task.work.draft());
    if (task.payload.annotation) return;
    this.on.state("saving");
    this.stopClock(task);
    this.resting.set(task, setTimeout(() => this.save(task), REST_MILLISECONDS));
  }

  /** Saves the draft of `task` ({payload, work}) as soon as the one before it is through. */
  save(task) {
    this.stopClock(task);
    this.cancelled.delete(task);
    this.isLeaving = false;
    keepHere(task.payload, task.work.draft());
    if (task.payload.annotation) return;
    this.waiting.set(task.payload.assignment, task);
    this.start();
  }

  /** What was put there while the last round ended is in a round of its own. */
  start() {
    this.running ??= this.run().finally(() => {
      this.running = null;
      this.release();
      if (this.waiting.size) this.start();
    });
  }

  /** An answer has come, or the page goes on: what waits is tried at once, and nothing is called saved before. */
  hurry() {
    const isBehind = this.waiting.size || (this.onItsWay && !this.cancelled.has(this.onItsWay));
    this.on.state(isBehind ? "saving" : "saved");
    this.pausing.abort();
  }

  stopClock(task) {
    clearTimeout(this.resting.get(task));
    this.resting.delete(task);
  }

  /** Resolves when nothing waits any more, or a save has failed: what this browser keeps must hold nobody up. */
  settled() {
    if (!this.running || this.failures) return Promise.resolve();
    return new Promise((resolve) => { this.held.push(resolve); });
  }

  release() {
    for (const go of this.held.splice(0)) go();
  }

  /**
   * Its submission says all: a draft that comes later is refused, and the page has nothing to tell of that. Until the
   * submission is acknowledged, this browser keeps the draft: it may be refused, or wait long for a connection.
   */
  cancel(task) {
    this.stopClock(task);
    this.cancelled.add(task);
    this.waiting.delete(task.payload.assignment);
    keepHere(task.payload, task.work.draft());
  }

  async run() {
    this.failures = 0;
    while (this.waiting.size) {
      const [id, task] = this.waiting.entries().next().value;
      const draft = this.marked(task);
      this.waiting.delete(id);
      this.on.state("saving");
      try {
        const answer = await this.send(id, task, draft);
        task.payload.version = answer.version;
        task.payload.sent = [];
        task.refusal = null; // What was refused before has come through with this one.
        const isTyping = this.resting.has(task);
        if (isTyping) keepHere(task.payload, task.work.draft());
        else if (!this.waiting.has(id) && !this.cancelled.has(task)) {
          if (this.isLeaving) keepHere(task.payload, draft);
          else forget(task.payload);
        }
        this.failures = 0;
        if (!isTyping) this.on.state("saved");
        if (!answer.held) this.on.lost(task);
      } catch (error) {
        if (this.cancelled.has(task)) continue;
        if (error instanceof Refused && error.status !== 401) {
          this.refused(id, task, error);
          continue;
        }
        // Not connected, or logged out: the work waits here, and the newest draft wins.
        if (!this.waiting.has(id)) this.waiting.set(id, task);
        this.failures += 1;
        this.release();
        this.pausing = new AbortController();
        const name = error instanceof Refused ? "loggedOut" : "offline";
        await pause(this.failures, (seconds) => this.on.state(name, seconds), this.pausing.signal);
      }
    }
  }

  async send(id, task, draft) {
    this.onItsWay = task;
    try {
      return await post(address(this.urls.draft, id), { token: task.payload.token, version: task.payload.version, draft });
    } finally {
      this.onItsWay = null;
    }
  }

  /** The draft as it is sent, with a mark of its own, kept here too: the server may have it though no answer comes. */
  marked(task) {
    const mark = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    task.payload.sent = [...(task.payload.sent ?? []), mark].slice(-MOST_MARKS);
    const draft = { ...task.work.draft(), mark };
    keepHere(task.payload, draft);
    return draft;
  }

  refused(id, task, error) {
    if (error.code === "stale_draft" && isOurs(task.payload.sent, error.answer.draft)) {
      task.payload.version = error.answer.version;
      if (!this.waiting.has(id)) this.waiting.set(id, task);
    } else if (error.code === "stale_draft") {
      task.payload.version = error.answer.version;
      forget(task.payload);
      this.on.stale(task, error.answer);
      this.on.state("saved");
    } else this.on.refused(task, error);
  }
}

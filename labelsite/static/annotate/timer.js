// Time that a person really spent: idle time and hidden tabs are cut.

const IDLE_AFTER = 60000;
const LEFT_ALONE_AFTER = 10 * 60 * 1000;

export class Timer {
  constructor(now = () => performance.now()) {
    this.now = now;
    this.active = 0;
    this.since = now();
    this.lastActivity = now();
    this.visible = !document.hidden;
    // A screen reader keeps the keys and the pointer to itself, and gives the page what they lead to.
    for (const name of ["keydown", "pointerdown", "pointermove", "wheel", "touchstart", "click", "focusin", "input", "scroll"]) {
      addEventListener(name, () => this.touch(), { passive: true, capture: true });
    }
    document.addEventListener("visibilitychange", () => {
      this.settle();
      this.visible = !document.hidden;
      if (this.visible) this.touch();
    });
  }

  touch() {
    this.settle();
    this.lastActivity = this.now();
  }

  /** Adds the time since the last look, but only until IDLE_AFTER past the last activity. */
  settle() {
    const now = this.now();
    if (this.visible) this.active += Math.max(0, Math.min(now, this.lastActivity + IDLE_AFTER) - this.since);
    this.since = now;
  }

  /** The active milliseconds since the last lap. */
  lap() {
    this.settle();
    const lap = this.active;
    this.active = 0;
    return lap;
  }

  /** Whether nobody has touched the page for so long that the task need not be held any more. */
  isLeftAlone() {
    return this.now() - this.lastActivity > LEFT_ALONE_AFTER;
  }
}

// Time that a person really spent: idle time and hidden tabs are cut.

const IDLE_AFTER = 60000;
const LEFT_ALONE_AFTER = 10 * 60 * 1000;
const LEFT_WITH = "misstep-time"; // in this tab: the task that was left, and its time since the last lap

/** The time with which this tab left `task`, once: what is counted again is kept no more. */
function takeTime(task) {
  try {
    const left = JSON.parse(sessionStorage.getItem(LEFT_WITH));
    if (left?.task !== task) return 0;
    sessionStorage.removeItem(LEFT_WITH);
    return left.milliseconds;
  } catch {
    return 0;
  }
}

function keepTime(task, milliseconds) {
  try {
    sessionStorage.setItem(LEFT_WITH, JSON.stringify({ task, milliseconds }));
  } catch {
    // A full or forbidden storage only means that the time since the last lap is not counted.
  }
}

export class Timer {
  constructor(now = () => performance.now()) {
    this.now = now;
    this.active = 0;
    this.since = now();
    this.lastActivity = now();
    this.visible = !document.hidden;
    this.task = null;
    addEventListener("pagehide", () => keepTime(this.task, this.read()));
    // The browser kept the page itself, with its time.
    addEventListener("pageshow", ({ persisted }) => { if (persisted) takeTime(this.task); });
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

  /** From here on it is the time of this task, with what was read of it before a reload or a look at another page. */
  begin({ annotation, assignment }) {
    this.lap();
    this.task = `${annotation ?? ""}/${assignment}`;
    this.active = takeTime(this.task);
  }

  /** The active milliseconds since the last lap. */
  read() {
    this.settle();
    return this.active;
  }

  /** As `read`, and begins the next lap. */
  lap() {
    const lap = this.read();
    this.active = 0;
    return lap;
  }

  /** Whether nobody has touched the page for so long that the task need not be held any more. */
  isLeftAlone() {
    return this.now() - this.lastActivity > LEFT_ALONE_AFTER;
  }
}

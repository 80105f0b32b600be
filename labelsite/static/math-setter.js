// Asks the worker to set formulas, watches its clock, and keeps what it made.

const LONGEST_FORMULA = 4000;
// A formula that takes longer is shown as its source. Honest ones take a few milliseconds.
const SLOWEST = 1500;
const START_WITHIN = 15000;
const MOST_KEPT = 3000;

const key = ({ formula, display }) => `${display ? "d" : "i"}${formula}`;

export class Setter {
  constructor() {
    this.results = new Map();
    this.waiting = new Map(); // key -> {piece, promise, resolve}, in the order in which the worker answers
    this.worker = null;
    this.isReady = false;
    this.clock = 0;
  }

  /** What became of a formula, {tree} or {error}, or undefined while nobody knows. */
  known(piece) {
    return this.results.get(key(piece));
  }

  /** Resolves with {tree} or {error}; never rejects. */
  set(piece) {
    const known = this.known(piece);
    if (known) return Promise.resolve(known);
    const name = key(piece);
    if (this.waiting.has(name)) return this.waiting.get(name).promise;
    if (piece.formula.length > LONGEST_FORMULA) {
      return Promise.resolve(this.keep(name, { error: `> ${LONGEST_FORMULA}` }));
    }
    const { promise, resolve } = Promise.withResolvers?.() ?? withResolvers();
    this.waiting.set(name, { piece, promise, resolve });
    if (this.isReady) this.send(name, piece);
    else this.start();
    return promise;
  }

  keep(name, result) {
    if (this.results.size >= MOST_KEPT) this.results.delete(this.results.keys().next().value);
    this.results.set(name, result);
    return result;
  }

  start() {
    if (this.worker) return;
    const { mathWorker, katexScript } = document.body.dataset;
    this.worker = new Worker(mathWorker);
    this.worker.onmessage = ({ data }) => (data.ready ? this.started() : this.answered(data));
    this.worker.onerror = () => this.giveUp();
    this.worker.postMessage({ katex: new URL(katexScript, location.href).href });
    this.clock = setTimeout(() => this.giveUp(), START_WITHIN);
  }

  started() {
    this.isReady = true;
    for (const [name, { piece }] of this.waiting) this.send(name, piece);
    this.watch();
  }

  send(name, { formula, display }) {
    this.worker.postMessage({ id: name, formula, display });
    if (this.waiting.size === 1) this.watch();
  }

  /** Starts the clock for the formula that the worker is at now. */
  watch() {
    clearTimeout(this.clock);
    if (this.waiting.size) this.clock = setTimeout(() => this.overrun(), SLOWEST);
  }

  answered({ id, tree, error }) {
    this.settle(id, tree ? { tree } : { error });
    this.watch();
  }

  settle(name, result) {
    const asked = this.waiting.get(name);
    this.waiting.delete(name);
    asked?.resolve(this.keep(name, result));
  }

  /** The first one waiting is what the worker is stuck in; the others get a new worker. */
  overrun() {
    this.stop();
    this.settle(this.waiting.keys().next().value, { error: `> ${SLOWEST} ms` });
    if (this.waiting.size) this.start();
  }

  stop() {
    this.worker.terminate();
    this.worker = null;
    this.isReady = false;
  }

  /** Without a worker every formula stays its source; nothing is kept, so that whoever asks again tries again. */
  giveUp() {
    clearTimeout(this.clock);
    this.stop();
    const refused = [...this.waiting.values()];
    this.waiting.clear();
    for (const { resolve } of refused) resolve({ error: "" });
  }
}

function withResolvers() {
  let resolve;
  const promise = new Promise((settled) => { resolve = settled; });
  return { promise, resolve };
}

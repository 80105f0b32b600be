// The judgement in the making: ratings, the cursor, undo, and what is still missing. No DOM in here.

const UNTOUCHED = Object.freeze({ rating: null, flagged: false, ms: 0, note: "" });

export class Work {
  /** `payload` is the task as the server sent it; `configuration` tells what the page shows and asks. */
  constructor(payload, configuration) {
    this.payload = payload;
    this.protocol = configuration.protocol;
    this.asksReason = configuration.asksReason;
    this.guidelineVersion = configuration.guidelineVersion;
    this.options = payload.options;
    this.chosen = this.trajectory();
    this.history = [];
    this.load(payload.draft ?? {});
  }

  load(draft) {
    const known = new Set(this.options.map((option) => option.id));
    this.entries = new Map((draft.order ?? []).filter((id) => known.has(id)).map((id) => [id, UNTOUCHED]));
    for (const [id, entry] of Object.entries(draft.ratings ?? {})) {
      if (known.has(Number(id))) this.entries.set(Number(id), { ...UNTOUCHED, ...entry });
    }
    this.first = draft.finish === "solution" && this.protocol === "index_only" ? -1 : (draft.first ?? null);
    // A draft of another protocol may hold steps for which there is no place any more.
    this.written = this.mayWrite() ? [...(draft.written ?? [])] : [];
    this.reached = draft.reached ?? false;
    this.reason = draft.reason ?? "";
    this.writing = draft.writing ?? ""; // A step of one's own that is not added yet.
    this.unsent = new Map(Object.entries(draft.unsent ?? {})); // What was typed into a window and not used yet, by what it is about.
    this.elapsed = draft.elapsed ?? 0;
    this.cursor = known.has(draft.cursor) ? draft.cursor : null;
    this.toNextOpen();
  }

  /**
   * Takes over what another device made of the task. One undo brings this side back as a whole; an earlier one is none
   * any more, as it would lay a part of this side over the other one.
   */
  follow(draft) {
    this.history = [];
    this.remember({ reached: this.reached, reason: this.reason, writing: this.writing, unsent: this.unsent });
    const spent = this.elapsed;
    this.load(draft);
    // The time on one side is no less for the other's, and undo takes none back.
    this.elapsed = Math.max(this.elapsed, spent);
  }

  /** What the server keeps as the draft, and `load` reads back. */
  draft() {
    return {
      ratings: Object.fromEntries(this.entries), first: this.first, written: this.written,
      reached: this.reached, reason: this.reason, writing: this.writing,
      unsent: Object.fromEntries(this.unsent), elapsed: Math.round(this.elapsed), cursor: this.cursor,
      order: [...this.entries.keys()], // JSON in the database keeps no order of names.
      finish: this.first === -1 ? "solution" : null,
    };
  }

  trajectory() {
    const chosen = [];
    for (const option of this.options) if (option.chosen && option.position === chosen.length) chosen.push(option);
    return chosen;
  }

  at(position) {
    return this.options.filter((option) => option.position === position);
  }

  alternatives(position) {
    return this.at(position).filter((option) => !option.chosen);
  }

  entry(id) {
    return this.entries.get(id) ?? UNTOUCHED;
  }

  isRated(option) {
    const entry = this.entry(option.id);
    return entry.rating !== null || (entry.flagged && !option.chosen);
  }

  /** The options that are open now, in order: what is rated so far and what comes next. */
  open() {
    if (this.protocol === "index_only") return this.chosen;
    const open = [];
    for (const step of this.chosen) {
      const here = this.protocol === "every_option" ? this.at(step.position) : [step];
      open.push(...here);
      const rating = this.entry(step.id).rating;
      if (rating === -1 && this.protocol === "first_mistake") open.push(...this.alternatives(step.position));
      if (rating === -1 || here.some((option) => !this.isRated(option))) break;
    }
    return open;
  }

  /** The position of the first -1 on the trajectory as far as it is open, or null. */
  mistake() {
    if (this.protocol === "index_only") return this.first !== null && this.first >= 0 ? this.first : null;
    const found = this.open().find((option) => option.chosen && this.entry(option.id).rating === -1);
    return found ? found.position : null;
  }

  /** Where an exit leaves the trajectory: at the mistake, or at the first position that is not rated as a whole. */
  unfinished() {
    const unrated = this.open().find((option) => !this.isRated(option));
    return this.mistake() ?? (this.protocol !== "index_only" && unrated ? unrated.position : Infinity);
  }

  current() {
    return this.open().find((option) => option.id === this.cursor) ?? null;
  }

  toNextOpen() {
    const open = this.open();
    if (this.protocol === "index_only") {
      this.cursor ??= open[0]?.id ?? null;
      return;
    }
    const next = open.find((option) => !this.isRated(option)) ?? open.find((option) => option.id === this.cursor) ?? open.at(-1);
    this.cursor = next?.id ?? null;
  }

  move(by) {
    const open = this.open();
    const index = open.findIndex((option) => option.id === this.cursor);
    const next = open[Math.max(0, Math.min(open.length - 1, index + by))];
    if (next) this.cursor = next.id;
  }

  /** Takes an open option in hand; false where it is not open, or in hand already. */
  take(id) {
    if (id === this.cursor || !this.open().some((option) => option.id === id)) return false;
    this.cursor = id;
    return true;
  }

  /** Keeps what undo goes back to, and `more` of it. */
  remember(more = {}) {
    const kept = { entries: this.entries, first: this.first, written: this.written, cursor: this.cursor, ...more };
    this.history.push(structuredClone(kept));
  }

  /**
   * Rates one option (-1, 0, 1, or null for "cannot say") and goes on; false where that is not possible. `spend` gives
   * the time for it, which only a rating takes.
   */
  rate(id, rating, spend) {
    const option = this.open().find((candidate) => candidate.id === id);
    if (!option || this.protocol === "index_only") return false;
    if (rating === null && (option.chosen || this.protocol === "every_option")) return false;
    this.remember();
    const entry = this.entry(id);
    const mistake = this.mistake();
    this.entries.delete(id); // What was rated last stands last.
    this.entries.set(id, { ...entry, rating, flagged: rating === null, ms: entry.ms + spend() });
    // One's own steps go on from one mistake, and only where nothing better stands there.
    if (this.mistake() !== mistake || !this.mayWrite()) this.written = [];
    this.cursor = id;
    this.toNextOpen();
    return true;
  }

  /** Index only: marks the first mistake (a position), or -1 for "no mistake"; the same again takes it back. */
  mark(position, spend) {
    if (this.protocol !== "index_only") return false;
    const ms = spend();
    this.remember();
    this.first = this.first === position ? null : position;
    const option = this.chosen[position];
    if (option) {
      this.cursor = option.id;
      this.addTime(option.id, ms);
    }
    return true;
  }

  addTime(id, ms) {
    const entry = this.entry(id);
    this.entries.set(id, { ...entry, ms: entry.ms + ms });
  }

  note(id, text) {
    this.remember();
    this.entries.set(id, { ...this.entry(id), note: text });
    this.unsent.delete(`note ${id}`);
  }

  /** Keeps what is typed into a window; null where it is what stood there before. */
  keepUnsent(name, text) {
    if (text === null) this.unsent.delete(name);
    else this.unsent.set(name, text);
  }

  /** Every option: a step of one's own is possible where every option of the mistake's position is bad. */
  mayWrite() {
    const mistake = this.mistake();
    return this.protocol === "every_option" && mistake !== null
      && this.at(mistake).every((option) => this.entry(option.id).rating === -1);
  }

  /** Steps of one's own turn the mistake into a solution only when they reach the final answer. */
  isSolvedByOwn() {
    return this.written.length > 0 && this.reached;
  }

  write(text) {
    this.remember({ taken: text });
    this.written.push(text);
    this.writing = "";
  }

  undo() {
    const kept = this.history.pop();
    if (!kept) return !this.payload.annotation && this.takeBack();
    const { taken, ...rest } = kept;
    Object.assign(this, rest);
    if (taken) this.putBack(taken);
    return true;
  }

  /** A step of one's own that is taken back was written by hand: it stands in its field again, before what is there. */
  putBack(text) {
    this.writing = [text, this.writing].filter(Boolean).join("\n");
  }

  /** Undo where the page was loaded since: of a draft it is known what it holds, and in which order it was rated. */
  takeBack() {
    if (this.written.length) {
      this.putBack(this.written.pop());
      return true;
    }
    if (this.protocol === "index_only") {
      const isMarked = this.first !== null;
      this.first = null;
      return isMarked;
    }
    const open = new Map(this.open().map((option) => [option.id, option]));
    const last = [...this.entries.keys()].findLast((id) => open.has(id) && this.isRated(open.get(id)));
    if (last === undefined) return false;
    this.entries.set(last, { ...this.entry(last), rating: null, flagged: false });
    this.cursor = last;
    return true;
  }

  /** What is missing, as the name of a phrase and its filling, or null. */
  missing() {
    if (this.protocol === "index_only") {
      if (this.first === null) return ["needIndex"];
    } else {
      const unrated = this.open().filter((option) => !this.isRated(option));
      if (unrated.some((option) => !option.chosen)) {
        return this.protocol === "every_option" ? ["needOptions", unrated[0].position + 1] : ["needAlternatives"];
      }
      if (this.mistake() === null && (unrated.length || this.open().length === 0)) return ["needAll"];
    }
    if (this.mayWrite() && this.writing.trim()) return ["needAdd"];
    if (this.asksReason && this.mistake() !== null && !this.isSolvedByOwn() && !this.reason.trim()) return ["needReason"];
    return null;
  }

  /** The judgement to submit; an exit (bad problem, give up) sends the ratings before any mistake, and every note. */
  judgement(exit = null, exitReason = "") {
    const mistake = this.mistake();
    const open = this.open().filter((option) => this.protocol === "index_only" || this.isRated(option));
    const kept = exit ? open.filter((option) => option.position < this.unfinished()) : open;
    const noted = exit ? this.options.filter((option) => !kept.includes(option) && this.entry(option.id).note) : [];
    const found = mistake !== null && !this.isSolvedByOwn();
    return {
      finish_reason: exit ?? (found ? "found_error" : "solution"),
      // What was wrong with a step that is no mistake any more stays in the draft: the mark may come back.
      reason: exit ? exitReason : mistake === null ? "" : this.reason.trim(),
      first_mistake: this.protocol === "index_only" && !exit ? mistake : null,
      ratings: [
        // The index is the judgement; a rating of an earlier look, or of an earlier protocol, must not contradict it.
        ...kept.map((option) => this.said(option, this.protocol !== "index_only")),
        ...noted.map((option) => this.said(option, false)),
      ],
      written: exit ? [] : this.written,
      total_time_ms: Math.round(this.elapsed),
      guideline_version: this.guidelineVersion,
      protocol: this.protocol,
    };
  }

  /** What is sent of one option, with its rating or without. */
  said(option, isRated) {
    const { rating, flagged, ms, note } = this.entry(option.id);
    return { step: option.id, rating: isRated ? rating : null, flagged: isRated && flagged, milliseconds: Math.round(ms), note };
  }
}

// Draws a task once, and after each change only toggles what changed.
import { render } from "../math.js";
import { codeBlock, splitCode } from "../code.js";
import { byId, counted, fill, keyName, make, show } from "./elements.js";
import { FIELD_OF, Fields } from "./fields.js";
import { watchGuideline } from "./guideline.js";
import { isBehindProblem, watchProblem } from "./problem.js";
import { Texts, bothEnds, formatted } from "./texts.js";

const LONGEST_OUTPUT = 4000;

export const RATINGS = [
  { action: "bad", value: -1, sign: "−1" },
  { action: "neutral", value: 0, sign: "0" },
  { action: "good", value: 1, sign: "+1" },
];
const UNSURE = { action: "unsure", value: null, sign: "?" };

export class View {
  constructor(configuration) {
    this.configuration = configuration;
    this.words = configuration.words;
    this.keys = configuration.keys;
    this.protocol = configuration.protocol;
    this.rows = new Map();
    this.texts = new Texts();
    this.fields = new Fields();
    for (const hint of document.querySelectorAll("kbd[data-key]")) hint.textContent = keyName(this.keys[hint.dataset.key]);
    byId("thumbs").replaceChildren(...this.thumbs());
    watchProblem();
    watchGuideline();
  }

  thumbs() {
    if (this.protocol === "index_only") {
      return [["mark", this.words.markHere], ["no_mistake", this.words.noMistake]].map(([action, word]) =>
        make("button", { type: "button", className: `button rate ${action}`, "data-action": action, "aria-pressed": "false" }, word));
    }
    return [...RATINGS, UNSURE].map((rating) => this.rateButton(rating, null));
  }

  rateButton(rating, id) {
    return make("button", {
      type: "button", className: `rate ${rating.action}`, "data-action": rating.action, "data-option": id,
      "aria-pressed": "false", "aria-label": `${rating.sign} ${this.words[rating.action]}`, title: this.words[rating.action],
    }, make("span", { className: "sign", "aria-hidden": "true" }, rating.sign),
    make("kbd", { "aria-hidden": "true" }, keyName(this.keys[rating.action])));
  }

  /** Puts text with formulas into `element`. */
  text(element, text) {
    element.replaceChildren(make("div", { className: "math" }, text));
    try {
      render(element.firstChild);
    } catch (error) {
      console.warn("A formula could not be set.", error);
    }
  }

  /** Whether the campaign changed what this page shows and asks, since it was opened. */
  isOutdated(payload) {
    const { guidelineVersion, protocol, asksReason } = this.configuration;
    return payload.guideline_version !== guidelineVersion || payload.protocol !== protocol || payload.asks_reason !== asksReason;
  }

  /** Says why there is no task, in its place. */
  nothing({ text }) {
    byId("nothing-text").textContent = text;
    show(byId("nothing"), true);
    for (const id of ["task", "actions", "revising"]) show(byId(id), false);
  }

  draw(work) {
    const { payload } = work;
    this.rows.clear();
    this.texts.clear();
    byId("why").textContent = payload.why;
    this.texts.put(byId("problem"), payload.problem);
    show(byId("answer-line"), payload.answer !== null);
    this.text(byId("answer"), payload.answer ?? "");
    show(byId("reference-line"), Boolean(payload.reference));
    if (payload.reference) this.texts.put(byId("reference"), payload.reference);
    this.fields.fill(work);
    byId("steps").classList.toggle("assisted", payload.assisted);
    byId("steps").replaceChildren(...work.chosen.map((step) => this.stepRow(work, step)));
    show(byId("revising"), Boolean(payload.annotation));
    show(byId("nothing"), false);
    show(byId("task"), true);
    show(byId("actions"), true);
  }

  stepRow(work, step) {
    const alternatives = this.protocol === "index_only" ? [] : work.alternatives(step.position);
    const list = make("ol", { className: "alternatives", hidden: true });
    list.append(...alternatives.map((option, index) => this.row(option, index, true)));
    const row = this.row(step, step.position, false);
    if (alternatives.length) row.append(list);
    return row;
  }

  row(option, index, isAlternative) {
    const name = fill(isAlternative ? this.words.alternative : this.words.step, { n: index + 1 });
    const label = fill(isAlternative ? this.words.rateAlternative : this.words.rateStep, { n: index + 1 });
    const choices = isAlternative && this.protocol === "first_mistake" ? [...RATINGS, UNSURE] : RATINGS;
    const buttons = this.protocol === "index_only"
      ? [make("button", { type: "button", className: "rate mark", "data-action": "mark", "data-option": option.id, "aria-pressed": "false",
        "aria-label": `${name}: ${this.words.markHere}` }, make("span", { className: "sign", "aria-hidden": "true" }, "✕"),
      make("kbd", { "aria-hidden": "true" }, keyName(this.keys.mark)))]
      : choices.map((rating) => this.rateButton(rating, option.id));
    const row = make("li", { className: isAlternative ? "step alternative" : "step", id: `option-${option.id}`, "data-option": option.id },
      make("span", { className: "step-number" }, make("span", { className: "visually-hidden" }, name), make("span", { "aria-hidden": "true" }, String(index + 1))),
      make("div", { className: "step-body" }, ...this.body(option)),
      make("div", { className: "step-rate", role: "group", "aria-label": label }, ...buttons));
    if (option.machine !== undefined) row.append(this.machine(option.machine));
    this.rows.set(option.id, row);
    return row;
  }

  body(option) {
    const said = make("div", { className: "step-said" });
    this.texts.put(said, option.text, () => this.formatted(option), () => this.output(option, Infinity));
    return [said, make("p", { className: "step-note muted small", hidden: true })];
  }

  /** A step's prose and code, with what the code printed right below the last of it. */
  formatted(option) {
    const prose = (text) => (text.trim() ? [make("div", { className: "step-text" }, formatted(text))] : []);
    const parts = splitCode(option.text);
    // What was run is told also where its code is not known for code.
    if (!parts) return [...prose(option.text), ...this.output(option)];
    const last = parts.findLast(({ code }) => code);
    return parts.flatMap((part) => (part.code
      ? [codeBlock(part.code.join("\n"), "Python"), ...(part === last ? this.output(option) : [])]
      : prose(part.prose.join("\n").trim())));
  }

  /** What the code printed, in `length` characters; as it was written, all of it stands there. */
  output({ output, verdict }, length = LONGEST_OUTPUT) {
    if (verdict === null && output === null) return [];
    const failed = verdict === "program_error";
    const notRun = verdict === "infrastructure";
    const text = bothEnds(output ?? "", length);
    const label = failed ? this.words.codeFailed : notRun ? this.words.codeNotRun : text ? this.words.codePrinted : this.words.codeSilent;
    return [make("div", { className: failed ? "code-output failed" : notRun ? "code-output not-run" : "code-output" },
      make("span", {}, label), text ? make("samp", {}, text) : null)];
  }

  machine(machine) {
    const holder = make("div", { className: "machine" });
    if (!machine) {
      holder.append(make("span", { className: "muted" }, this.words.machineNone));
      return holder;
    }
    const { q_value: q, bar, visits, score } = machine;
    if (q !== null) {
      holder.append(make("div", { className: "gauge" }, make("span", {}, `Q ${q.toFixed(2)}`), make("span", { className: "muted" }, counted(this.words.visits, { n: visits })),
        bar === null ? null : make("meter", { min: 0, max: 1, value: bar, "aria-hidden": "true" })));
    }
    if (score !== null) {
      const label = fill(this.words.score, { n: score.toFixed(2) });
      holder.append(make("div", { className: "gauge" }, make("span", {}, label), make("meter", { min: 0, max: 1, value: score, "aria-label": label })));
    }
    return holder;
  }

  /** Brings every row, the action bar and the status line in step with the work. */
  update(work) {
    const open = new Set(work.open().map((option) => option.id));
    const mistake = work.mistake();
    for (const option of work.options) {
      const row = this.rows.get(option.id);
      if (row) this.updateRow(work, option, row, open.has(option.id), mistake);
    }
    this.updateThumbs(work);
    const missing = work.missing();
    // Where only the words in a field are missing, the button leads to it.
    byId("submit").setAttribute("aria-disabled", String(Boolean(missing) && !(missing[0] in FIELD_OF)));
    byId("state").textContent = this.stateLine(work, missing);
    byId("no-mistake")?.setAttribute("aria-pressed", String(work.first === -1));
    this.fields.place(work, mistake === null ? null : this.rows.get(work.chosen[mistake].id));
    this.updateWritten(work);
  }

  updateRow(work, option, row, isOpen, mistake) {
    const entry = work.entry(option.id);
    const isMark = this.protocol === "index_only" && option.chosen && work.first === option.position;
    row.dataset.rating = isMark ? "-1" : isOpen && work.isRated(option) ? String(entry.rating ?? "?") : "";
    row.classList.toggle("later", !isOpen);
    row.classList.toggle("current", work.cursor === option.id);
    if (work.cursor === option.id) row.setAttribute("aria-current", "step");
    else row.removeAttribute("aria-current");
    for (const button of row.querySelectorAll(":scope > .step-rate > button")) {
      const rating = [...RATINGS, UNSURE].find((candidate) => candidate.action === button.dataset.action);
      const pressed = rating ? isOpen && (rating.value === null ? entry.flagged : entry.rating === rating.value) : isMark;
      button.setAttribute("aria-pressed", String(pressed));
      button.disabled = !isOpen;
    }
    const list = row.querySelector(":scope > .alternatives");
    if (list) show(list, this.protocol === "every_option" ? isOpen : mistake === option.position);
    const note = row.querySelector(":scope > .step-body > .step-note");
    note.textContent = entry.note;
    show(note, Boolean(entry.note));
  }

  updateThumbs(work) {
    const current = work.current();
    const entry = current ? work.entry(current.id) : null;
    for (const button of byId("thumbs").children) {
      const { action } = button.dataset;
      if (action === "mark") button.setAttribute("aria-pressed", String(Boolean(current) && work.first === current.position));
      if (action === "no_mistake") button.setAttribute("aria-pressed", String(work.first === -1));
      const rating = [...RATINGS, UNSURE].find((candidate) => candidate.action === action);
      if (rating) button.setAttribute("aria-pressed", String(Boolean(entry) && (rating.value === null ? entry.flagged : entry.rating === rating.value)));
      if (rating?.value === null) show(button, Boolean(current) && !current.chosen && this.protocol === "first_mistake");
    }
  }

  updateWritten(work) {
    show(byId("written"), work.written.length > 0);
    byId("written").replaceChildren(...work.written.map((text, index) => {
      const holder = make("div", { className: "step own" }, make("span", { className: "overline" }, fill(this.words.writtenStep, { n: index + 1 })));
      const body = make("div", { className: "step-text" });
      this.text(body, text);
      holder.append(body);
      return holder;
    }));
  }

  stateLine(work, missing) {
    const current = work.current();
    if (missing) {
      const where = current && this.protocol !== "index_only" ? `${this.name(work, current)}. ` : "";
      return where + fill(this.words[missing[0]], { n: missing[1] });
    }
    if (work.written.length) return this.words.readyWritten;
    const mistake = work.mistake();
    const more = work.mayWrite() ? ` ${this.words.mayWrite} (${keyName(this.keys.write)})` : "";
    return mistake === null ? this.words.ready : fill(this.words.readyMistake, { n: mistake + 1 }) + more;
  }

  name(work, option) {
    if (option.chosen) return fill(this.words.nowStep, { n: option.position + 1, total: work.chosen.length });
    const number = work.alternatives(option.position).indexOf(option) + 1;
    return fill(this.words.nowAlternative, { n: number, step: option.position + 1 });
  }

  /** Keeps the current step in sight, between the problem and the action bar. */
  reveal(work) {
    const row = this.rows.get(work.cursor);
    row?.scrollIntoView({ block: "nearest", behavior: "instant" });
    // A step taller than the room for it is met at its beginning, also on the way back up, and then left where it is.
    if (row && row !== this.met && isBehindProblem(row)) row.scrollIntoView({ block: "start", behavior: "instant" });
    this.met = row;
  }
}

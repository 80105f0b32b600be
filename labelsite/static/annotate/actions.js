// What keys and clicks do to the task on the page.
import { askExit, askNote } from "./dialogs.js";
import { byId } from "./elements.js";
import { RATINGS } from "./view.js";

/** The actions by name. `page`: work() in hand, spend() for the time since the last look, update(), refresh(), submit(), mayNotWrite(), typed(change) after each key in a field. */
export function taskActions({ work, spend, update, refresh, submit, mayNotWrite, typed }, protocol) {
  function rate(action, id) {
    const value = RATINGS.find((rating) => rating.action === action)?.value ?? null;
    if (work().rate(id ?? work().cursor, value, spend)) refresh();
  }

  function mark(id) {
    const option = work().chosen.find((step) => step.id === (id ?? work().cursor));
    if (option && work().mark(option.position, spend)) refresh();
  }

  /** What a window holds that was not used yet, kept in the draft as it is typed. */
  function unsent(name) {
    return { text: work().unsent.get(name), keep: (text) => typed((inHand) => inHand.keepUnsent(name, text)) };
  }

  // The reason stays in the draft until the task is left: a submission can be refused.
  async function exit(kind) {
    byId("more").open = false;
    const reason = await askExit(kind, unsent(kind));
    if (reason) await submit(kind, reason);
  }

  async function note() {
    const id = work().cursor;
    if (id === null) return;
    const text = await askNote(work().entry(id).note, unsent(`note ${id}`));
    if (text === null) return;
    work().note(id, text);
    refresh();
  }

  function write() {
    if (work().mayWrite()) byId("write-text").focus();
    else mayNotWrite();
  }

  function addWritten() {
    const text = byId("write-text").value.trim();
    if (!text || !work().mayWrite()) return;
    work().write(text);
    byId("write-text").value = "";
    refresh();
  }

  return {
    next: () => { work().move(1); refresh(false); },
    previous: () => { work().move(-1); refresh(false); },
    // What was clicked is in sight: a step that is read and tall must not jump to its beginning.
    take: (id) => { if (work().take(id)) update(); },
    unsure: (id) => rate("unsure", id),
    mark,
    no_mistake: () => work().mark(-1, spend) && refresh(),
    write,
    add_written: addWritten,
    submit: () => submit(),
    bad_problem: () => exit("bad_problem"),
    give_up: () => exit("give_up"),
    notes: note,
    ...Object.fromEntries(RATINGS.map(({ action }) => [action, (id) => (protocol === "index_only" ? action === "bad" && mark(id) : rate(action, id))])),
  };
}

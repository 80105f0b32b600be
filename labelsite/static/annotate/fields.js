// The fields in which somebody writes: they stand at the step that they are about, and keep what is typed as it is typed.
import { byId, show } from "./elements.js";

/** What a submission can still wait for that is no rating, with the field that it leads to. */
export const FIELD_OF = { needReason: "error-reason", needAdd: "write-text" };

export class Fields {
  constructor() {
    this.reason = byId("reason-line");
    this.own = [byId("written"), byId("write-box")];
    this.home = this.reason.parentElement;
  }

  /** `typed(change)` hears each change, to be made to the work. */
  listen(typed) {
    byId("error-reason").addEventListener("input", ({ target }) => typed((work) => { work.reason = target.value; }));
    byId("write-text").addEventListener("input", ({ target }) => typed((work) => { work.writing = target.value; }));
  }

  /** Out of the rows, before they are drawn anew; with what the work holds. */
  fill(work) {
    this.home.append(...this.own, this.reason);
    byId("write-text").value = work.writing;
    byId("error-reason").value = work.reason;
    byId("write-reached").checked = work.reached;
  }

  /** Under the row of the mistake, where there is one. A field that moves loses the focus, so none moves for nothing. */
  place(work, row) {
    show(this.reason, work.asksReason && work.mistake() !== null);
    show(byId("write-box"), work.mayWrite());
    const list = row?.querySelector(":scope > .alternatives") ?? null;
    if (row && this.reason.parentElement !== row) row.insertBefore(this.reason, list);
    if (row && this.own[0].parentElement !== row) row.append(...this.own);
  }
}

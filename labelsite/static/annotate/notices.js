// What the page says of itself: whether the work is kept, and what just happened.
import { byId, fill, make } from "./elements.js";
import { address } from "./transport.js";

const CARRIED = "misstep-notice";
const PASSING_SECONDS = 8;
const TROUBLES = ["offline", "loggedOut"]; // the states in which the work is kept in this browser alone

/** Keeps a message for the page that is about to replace this one. */
export function tellNextPage(text) {
  try {
    sessionStorage.setItem(CARRIED, text);
  } catch {
    // A full or forbidden storage only means that the new page speaks for itself.
  }
}

export function tellFromLastPage(notices) {
  try {
    const text = sessionStorage.getItem(CARRIED);
    if (text) notices.passing(text);
    sessionStorage.removeItem(CARRIED);
  } catch {
    // As above.
  }
}

/** Without a task there is no action bar, and nothing that could be covered. */
function placeOfPassing() {
  return byId(byId("actions").hidden ? "toast" : "passing");
}

export class Notices {
  constructor({ words, urls, keys }) {
    this.words = words;
    this.urls = urls;
    this.keys = keys;
    this.place = null; // the element in which something stands that only just happened
    this.clock = 0;
    this.trouble = null; // the trouble with saving that was told last and is not over
    // A tap anywhere else goes on with the work; one on the notice itself wants what stands in it.
    document.addEventListener("pointerdown", (event) => { if (!this.place?.contains(event.target)) this.seen(); });
  }

  /** Where the work is: saved, saving, offline …; `seconds` until the next try. */
  state(name, seconds) {
    const text = fill(this.words[name], { n: seconds });
    byId("save-state").dataset.state = name;
    byId("save-state").firstElementChild.textContent = text;
    // The head of the page may be out of sight, and the bar never is.
    byId("bar-state").textContent = TROUBLES.includes(name) ? text : "";
    this.tellTrouble(name, text);
  }

  /** A screen reader hears that saving fails, once, and that it works again: not of each draft that comes through. */
  tellTrouble(name, text) {
    const isTrouble = TROUBLES.includes(name);
    if (isTrouble ? name === this.trouble : !this.trouble || name !== "saved") return;
    this.trouble = isTrouble ? name : null;
    byId("saving-told").textContent = text;
  }

  /** For screen readers only. */
  say(text) {
    byId("announcer").textContent = text;
  }

  /**
   * About the task on the page, until that is left. The element is never hidden, only empty: a screen reader tells what
   * is put into a live region that it knows already.
   */
  toast(text, ...nodes) {
    if (this.place === byId("toast")) this.seen();
    byId("toast").replaceChildren(...[text, ...nodes].filter(Boolean));
  }

  /** What just happened stands in the action bar, where it covers no step, until the work goes on or for some seconds. */
  passing(text, ...nodes) {
    this.seen();
    this.place = placeOfPassing();
    this.place.replaceChildren(text, ...nodes);
    this.clock = setTimeout(() => this.timeUp(), PASSING_SECONDS * 1000);
  }

  /** Nothing is taken away under somebody's focus or pointer. */
  timeUp() {
    if (this.place.matches(":hover, :focus-within")) this.clock = setTimeout(() => this.timeUp(), 1000);
    else this.seen();
  }

  /** Somebody goes on, and needs no telling any more of what just happened. */
  seen() {
    clearTimeout(this.clock);
    this.place?.replaceChildren();
    this.place = null;
  }

  /** What was said of the task before says nothing of the next one; what just happened comes along. */
  taskLeft() {
    if (this.place !== byId("toast")) this.toast("");
    if (!this.place || this.place === placeOfPassing()) return;
    const told = [...this.place.childNodes];
    this.place = placeOfPassing();
    this.place.replaceChildren(...told);
  }

  /** The hold on the task ended: what that means, and the way on. */
  lost() {
    this.toast(`${this.words.holdEnded} `, make("button", { type: "button", className: "button", "data-action": "leave" }, this.words.goOn));
  }

  submitted({ annotation, secondLook }) {
    if (!secondLook) return this.passing(this.words.submitted);
    const link = make("a", { href: address(this.urls.secondLook, annotation) }, this.words.secondLook);
    return this.passing(`${this.words.submitted} `, link, " ", make("kbd", {}, this.keys.second_look));
  }
}

// What the page says of itself: whether the work is kept, and what just happened.
import { byId, fill, make, show } from "./elements.js";
import { address } from "./transport.js";

const CARRIED = "misstep-notice";

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
    if (text) notices.toast(text);
    sessionStorage.removeItem(CARRIED);
  } catch {
    // As above.
  }
}

export class Notices {
  constructor({ words, urls, keys }) {
    this.words = words;
    this.urls = urls;
    this.keys = keys;
  }

  /** Where the work is: saved, saving, offline …; `seconds` until the next try. */
  state(name, seconds) {
    byId("save-state").dataset.state = name;
    byId("save-state").firstElementChild.textContent = fill(this.words[name], { n: seconds });
  }

  /** For screen readers only. */
  say(text) {
    byId("announcer").textContent = text;
  }

  toast(text, ...nodes) {
    byId("toast").replaceChildren(text, ...nodes);
    show(byId("toast"), Boolean(text));
  }

  /** The hold on the task ended: what that means, and the way on. */
  lost() {
    this.toast(`${this.words.holdEnded} `, make("button", { type: "button", className: "button", "data-action": "leave" }, this.words.goOn));
  }

  submitted({ annotation, secondLook }) {
    if (!secondLook) return this.toast(this.words.submitted);
    const link = make("a", { href: address(this.urls.secondLook, annotation) }, this.words.secondLook);
    return this.toast(`${this.words.submitted} `, link, " ", make("kbd", {}, this.keys.second_look));
  }
}

// What the page says of itself: whether the work is kept, and what just happened.
import { byId, fill, make, show } from "./elements.js";
import { address } from "./transport.js";

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

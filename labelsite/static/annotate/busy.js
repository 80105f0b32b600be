// Whether something is under way that no key may get between: it might open what the answer would then replace.

export class Busy {
  constructor() {
    this.is = false;
  }

  set(is) {
    this.is = is;
    document.body.toggleAttribute("data-busy", is);
  }

  async during(work) {
    this.set(true);
    try {
      await work();
    } finally {
      this.set(false);
    }
  }
}

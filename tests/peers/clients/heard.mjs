//! What a client was told and asked, in order, for steps to take from.

const WAIT_MS = 10_000;

/** Notifications of a server, which steps wait for, and the questions it asked. */
export class Heard {
  #told = [];
  #asked = [];
  #waiting = () => {};

  /** Notes a notification. */
  told(method, params) {
    this.#told.push({ method, params: params ?? {} });
    this.#waiting();
  }

  /** Notes a question. */
  asked(method, params) {
    this.#asked.push({ method, params: params ?? {} });
  }

  /** The questions since the last time. Servers ask for the roots when they like, so those only when wanted. */
  takeAsked(withRoots) {
    const asked = this.#asked.filter((one) => withRoots || one.method !== 'roots/list');
    this.#asked = [];
    return asked;
  }

  /** The params of all notifications of a method so far. */
  all(method) {
    return this.#told.filter((one) => one.method === method).map((one) => one.params);
  }

  /** Takes the params of the first notification of the method in whose JSON `part` occurs, and waits for it. */
  async take(method, part = '') {
    const found = (one) => one.method === method && JSON.stringify(one.params).includes(part);
    const late = Date.now() + WAIT_MS;
    for (;;) {
      const at = this.#told.findIndex(found);
      if (at >= 0) {
        return this.#told.splice(at, 1)[0].params;
      }
      if (!(await this.#news(late - Date.now()))) {
        throw new Error(`no ${method} with ${JSON.stringify(part)} within ${WAIT_MS} ms`);
      }
    }
  }

  #news(leftMs) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.max(0, leftMs));
      this.#waiting = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

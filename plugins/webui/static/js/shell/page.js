// What a section is opened with: a place to draw in, what the address says, and work that ends when it is left.

import { follow } from '../base/stream.js';

export class Page {
  #left = new AbortController();

  constructor(root, path, params, query) {
    this.root = root;
    this.path = path;
    this.params = params;
    this.query = query;
    /** Aborted when the section is left. */
    this.signal = this.#left.signal;
    this.focusSearch = null;
  }

  /** Ends all that the section has begun. */
  leave() {
    this.#left.abort();
  }

  /** Does `job` every `ms` while the tab is looked at; one at a time. */
  every(ms, job) {
    let busy = false;
    const tick = async () => {
      if (busy || document.hidden) {
        return;
      }
      busy = true;
      try {
        await job();
      } finally {
        busy = false;
      }
    };
    const timer = setInterval(tick, ms);
    const look = () => !document.hidden && tick();
    document.addEventListener('visibilitychange', look, { signal: this.signal });
    this.signal.addEventListener('abort', () => clearInterval(timer));
  }

  /** Follows a live stream until the section is left, or `signal` is aborted. */
  follow(path, options) {
    const signal = options.signal ? AbortSignal.any([this.signal, options.signal]) : this.signal;
    follow(path, { ...options, signal });
  }

  /** Keeps filters in the address, so that it can be kept and sent; the section is not opened anew. */
  setQuery(query) {
    const kept = Object.entries(query).filter(([, value]) => value !== '' && value !== null && value !== undefined);
    this.query = Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
    const search = new URLSearchParams(this.query).toString();
    const path = this.path.split('/').map(encodeURIComponent).join('/');
    window.history.replaceState(null, '', `#/${path}${search ? `?${search}` : ''}`);
  }

  /** Whether the address changed to what the section shows anyway. */
  takesQuery(query) {
    return JSON.stringify(query) === JSON.stringify(this.query);
  }
}

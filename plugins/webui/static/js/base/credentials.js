// The token of this tab: asked for when the gateway wants one, kept until the tab is closed, sent by `api.js` only.

import { forThisTab } from './storage.js';

let asking = null;
// The user said no: not asked again until something is wanted of this by hand.
let dismissed = false;
let askUser = async () => null;
const listeners = new Set();

export const credentials = {
  /** The token, if there is one. */
  token: () => forThisTab.get('token'),

  /** Who asks the user: a function that gives the token, or null. Set once by the shell. */
  askBy(ask) {
    askUser = ask;
  },

  /** Takes a token, or forgets it with null. */
  set(token) {
    forThisTab.set('token', token);
    listeners.forEach((tell) => tell());
  },

  /** Calls `tell` whenever the token is another one. */
  watch(tell) {
    listeners.add(tell);
  },

  /** Asks the user for a token, whatever was said before. Gives whether there is one. */
  async demand(wasRefused = false) {
    asking ??= askUser(wasRefused).finally(() => {
      asking = null;
    });
    const token = await asking;
    dismissed = !token;
    if (token) {
      credentials.set(token);
    }
    return Boolean(token);
  },

  /**
   * Gets another token than `refused`. Many requests may be refused at the same time: the user is asked once. Gives
   * false when there is none, and the refusal stands.
   */
  async renew(refused, signal) {
    if (credentials.token() !== refused) {
      return true;
    }
    if (dismissed || signal?.aborted) {
      return false;
    }
    return credentials.demand(Boolean(refused));
  },
};

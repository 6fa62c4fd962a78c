// Small words in colour: states, outcomes, categories. The colour never says anything that the word does not.

import { h } from '../base/dom.js';
import { words } from '../base/format.js';

const KINDS = {
  ok: ['active', 'healthy', 'running', 'ok', 'done', 'approved', 'granted'],
  warn: ['degraded', 'waiting', 'backoff', 'pending', 'stopping', 'initialized', 'source_only'],
  bad: ['error', 'unhealthy', 'failed', 'unavailable', 'declined', 'denied', 'incomplete', 'refused'],
  info: ['scheduled', 'used', 'open'],
};

/** The colour of a word: `ok`, `warn`, `bad`, `info`, or none. */
function kindOf(word) {
  const found = Object.entries(KINDS).find(([, list]) => list.includes(word));
  return found ? found[0] : 'plain';
}

/** A word with a dot before it: where something stands. */
export function state(word, kind = kindOf(word)) {
  return h(`span.mark.${kind}`, h('span.dot'), words(word));
}

/** A word in a frame: what something is. */
export function tag(word, kind = 'plain', title = null) {
  return h(`span.tag.${kind}`, { title }, words(word));
}

/** What became of a call. */
export function outcome(word) {
  if (word === 'open' || word === 'unknown') {
    return state(word === 'open' ? 'under way' : 'unknown', word === 'open' ? 'info' : 'warn');
  }
  const kind =
    word === 'answered'
      ? 'ok'
      : word === 'tool_error'
        ? 'warn'
        : word === 'cancelled' || word === 'started'
          ? 'plain'
          : 'bad';
  return state(word ?? 'unknown', kind);
}

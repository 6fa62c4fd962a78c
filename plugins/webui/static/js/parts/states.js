// What is shown while something loads, where there is nothing, and where it went wrong: always a sentence and a way on.

import { ApiError } from '../base/api.js';
import { credentials } from '../base/credentials.js';
import { h } from '../base/dom.js';
import { icon } from './icons.js';

/** Grey lines in the place of what comes. */
export function skeleton(lines = 5) {
  const widths = ['w90', 'w70', 'w80', 'w60', 'w75'];
  return h(
    'div.skeleton',
    { 'aria-busy': 'true', 'aria-label': 'Loading' },
    Array.from({ length: lines }, (_, at) => h(`div.skeleton-line.${widths[at % widths.length]}`)),
  );
}

/** There is nothing yet: why, and what can be done. */
export function empty(text, ...more) {
  return h('div.state', h('p.state-text', text), more.length ? h('div.state-more', more) : null);
}

/** There is no such thing. */
export function notFound(text, ...more) {
  return h('div.state', icon('info'), h('p.state-text', text), h('div.state-more', more));
}

/** It went wrong: what, and how it is mended. `again` tries once more. */
export function trouble(error, again) {
  const isRefused = error instanceof ApiError && (error.status === 401 || error.status === 403);
  const giveToken = async () => {
    if (await credentials.demand(Boolean(credentials.token()))) {
      document.dispatchEvent(new Event('toolgate:reopen'));
    }
  };
  return h(
    'div.state.bad',
    { role: 'alert' },
    icon(isRefused ? 'lock' : 'alert'),
    h('p.state-text', error.message),
    error.mend ? h('p.state-mend', error.mend) : null,
    h(
      'div.state-more',
      isRefused
        ? h('button', { type: 'button', on: { click: giveToken } }, icon('key'), h('span', 'Give a token'))
        : null,
      again ? h('button', { type: 'button', on: { click: again } }, icon('refresh'), h('span', 'Try again')) : null,
    ),
  );
}

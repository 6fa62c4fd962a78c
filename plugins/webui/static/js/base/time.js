// Points in time: how long ago, kept up to date, with the exact moment in the title.

import { h } from './dom.js';
import { span } from './format.js';

const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

/** A `<time>` that says how long ago `iso` was, or how long it is until then. */
export function when(iso) {
  const at = Date.parse(iso ?? '');
  if (Number.isNaN(at)) {
    return h('span.faint', '–');
  }
  return h('time', { datetime: iso, title: EXACT.format(at), data: { live: 'relative' } }, relative(at));
}

/** A `<time>` with the time of day. */
export function clock(iso) {
  const at = Date.parse(iso ?? '');
  return Number.isNaN(at)
    ? h('span.faint', '–')
    : h('time.tabular', { datetime: iso, title: EXACT.format(at) }, CLOCK.format(at));
}

/** A `<time>` with date and time. */
export function moment(iso) {
  const at = Date.parse(iso ?? '');
  return Number.isNaN(at) ? h('span.faint', '–') : h('time', { datetime: iso }, EXACT.format(at));
}

/** Keeps all relative times on the page right. */
export function keepTimes() {
  setInterval(() => {
    if (document.hidden) {
      return;
    }
    for (const element of document.querySelectorAll('time[data-live]')) {
      const text = relative(Date.parse(element.dateTime));
      if (element.textContent !== text) {
        element.textContent = text;
      }
    }
  }, 1000);
}

function relative(at) {
  const seconds = (Date.now() - at) / 1000;
  if (Math.abs(seconds) < 2) {
    return 'now';
  }
  const size = Math.abs(seconds);
  const rough = size < 60 ? `${Math.round(size)} s` : size < 3600 ? `${Math.floor(size / 60)} min` : span(size);
  return seconds > 0 ? `${rough} ago` : `in ${rough}`;
}

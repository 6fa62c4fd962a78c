// JSON as people read it: indented, coloured, with a button that copies it. Never more than a screen can take.

import { h } from '../base/dom.js';
import { copyButton } from './button.js';

const COLOURED_UP_TO = 60_000;
const SHOWN_UP_TO = 400_000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

/** A block with `value`. */
export function json(value, { copy = true, label = 'JSON' } = {}) {
  return code(JSON.stringify(value, null, 2) ?? 'undefined', { copy, label, coloured: true });
}

/** A block with text in a fixed width. */
export function code(text, { copy = true, label = 'Text', coloured = false } = {}) {
  const shown =
    text.length > SHOWN_UP_TO
      ? `${text.slice(0, SHOWN_UP_TO)}\n… ${text.length - SHOWN_UP_TO} more characters; copy to see all`
      : text;
  const parts = coloured && shown.length <= COLOURED_UP_TO ? colour(shown) : shown;
  return h('div.code', copy ? copyButton(() => text) : null, h('pre', { tabindex: '0', 'aria-label': label }, parts));
}

function colour(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [whole, string, colon, word, number] = match;
    parts.push(text.slice(at, match.index));
    if (string) {
      parts.push(h(colon ? 'span.j-key' : 'span.j-string', string), colon ?? '');
    } else {
      parts.push(h(word ? 'span.j-word' : 'span.j-number', word ?? number));
    }
    at = match.index + whole.length;
  }
  parts.push(text.slice(at));
  return parts;
}

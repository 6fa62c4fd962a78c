// The word that says whether a list is live.

import { h } from '../base/dom.js';

const WORDS = {
  live: ['ok', 'Live'],
  waiting: ['warn', 'Connecting'],
  resting: ['plain', 'Resting'],
  paused: ['plain', 'Paused'],
  refused: ['bad', 'Not live'],
};

/** `{ element, show(state, error) }`. */
export function liveMark() {
  const text = h('span');
  const element = h('span.mark.live', { role: 'status' }, h('span.dot'), text);
  const show = (state, error) => {
    const [kind, word] = WORDS[state];
    element.className = `mark live ${kind}${state === 'live' ? ' beating' : ''}`;
    text.textContent = word;
    element.title = error?.message ?? '';
  };
  show('waiting');
  return { element, show };
}

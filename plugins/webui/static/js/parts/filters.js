// The row of filters above a list: a search, choices, and what they say now.

import { h, replace } from '../base/dom.js';
import { icon } from './icons.js';

const TYPING_MS = 200;

/** A search field; `/` goes there, Esc empties it. `change(text)` hears of what is typed, after a moment. */
export function search({ label, value = '', change }) {
  let timer;
  const input = h('input', {
    type: 'search',
    placeholder: label,
    'aria-label': label,
    value,
    autocomplete: 'off',
    spellcheck: 'false',
    data: { search: '' },
  });
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => change(input.value.trim()), TYPING_MS);
  });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      input.value = '';
      change('');
      input.blur();
    }
  });
  return h('div.search', icon('search'), input, h('kbd', '/'));
}

/** A choice among `options`, pairs of value and label; the first is the one that filters nothing. */
export function choose({ label, options, value = '', change }) {
  const select = h('select', { 'aria-label': label });
  const fill = (list, chosen) => {
    const known = list.some(([option]) => option === chosen);
    const all = known || !chosen ? list : [...list, [chosen, chosen]];
    replace(
      select,
      all.map(([option, text]) => h('option', { value: option, selected: option === chosen }, text)),
    );
  };
  fill(options, value);
  select.addEventListener('change', () => change(select.value));
  select.toolgateFill = (list) => fill(list, select.value);
  return select;
}

/** Buttons of which one is pressed. */
export function segments({ label, options, value, change }) {
  const element = h('div.segments', { role: 'group', 'aria-label': label });
  const draw = (chosen) => {
    for (const button of element.children) {
      button.setAttribute('aria-pressed', String(button.value === chosen));
    }
  };
  element.append(
    ...options.map(([option, text]) =>
      h(
        'button',
        {
          type: 'button',
          value: option,
          on: {
            click: () => {
              draw(option);
              change(option);
            },
          },
        },
        text,
      ),
    ),
  );
  draw(value);
  element.toolgateSet = draw;
  return element;
}

/** The row itself. */
export function filters(...children) {
  return h('div.filters', { role: 'search' }, children);
}

/** Whether all words of `text` stand somewhere in `values`. */
export function matches(text, ...values) {
  const whole = values.filter(Boolean).join(' ').toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => whole.includes(word));
}

// A table of things. On a narrow screen each row becomes a card with the names of its columns.

import { h, keyed, replace } from '../base/dom.js';
import { empty } from './states.js';

/**
 * `columns` are `{ label, cell(item), kind }`, where kind is `num`, `main`, `wide`, `fit` or nothing. `key(item)` tells
 * rows apart. `nothing` is shown where there are none: a node or a sentence.
 */
export function table({ columns, key, nothing, caption }) {
  const body = h('tbody');
  const element = h(
    'div.table-frame',
    h(
      'table',
      caption ? h('caption.visually-hidden', caption) : null,
      h(
        'thead',
        h(
          'tr',
          columns.map((column) => h('th', { scope: 'col', class: column.kind ?? '' }, column.label)),
        ),
      ),
      body,
    ),
  );
  const none = h('div', { hidden: true });
  const whole = h('div', element, none);

  const make = (item) =>
    h(
      'tr',
      { data: { row: '' } },
      columns.map((column) => {
        const cell = h('td', { class: column.kind ?? '', data: { label: column.label } }, column.cell(item));
        cell.classList.toggle('none', cell.textContent === '–');
        return cell;
      }),
    );

  /** Shows these. */
  const show = (items) => {
    keyed(body, items, key, make);
    const isEmpty = items.length === 0;
    element.hidden = isEmpty;
    none.hidden = !isEmpty;
    if (isEmpty) {
      const text = typeof nothing === 'function' ? nothing() : nothing;
      replace(none, typeof text === 'string' ? empty(text) : text);
    }
  };
  return { element: whole, show };
}

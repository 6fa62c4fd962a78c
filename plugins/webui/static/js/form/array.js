// A list of values: fields that can be added and taken away; of few allowed values, boxes to tick.

import { h } from '../base/dom.js';
import { icon } from '../parts/icons.js';
import { shape } from './schema.js';

export function array(context, field) {
  const items = shape(context.schema.items, context.root);
  return context.schema.uniqueItems && items.kind === 'choice' ? ticks(context, items) : rows(context, field);
}

function rows({ schema, root, path, depth, name, id, isRequired }, field) {
  const list = h('div.rows');
  let fields = [];
  const add = (value) => {
    const at = fields.length;
    const one = field({
      schema: schema.items,
      root,
      name: `${name} ${at + 1}`,
      isRequired: true,
      path: `${path}/${at}`,
      depth: depth + 1,
      isBare: true,
    });
    if (value !== undefined) {
      one.write(value);
    }
    const take = h(
      'button.icon-button',
      { type: 'button', 'aria-label': `Remove entry ${at + 1} of ${name}`, on: { click: () => drop(row) } },
      icon('minus'),
    );
    const row = h('div.row', one.element, take);
    one.element.querySelector('input, select, textarea')?.setAttribute('aria-label', `${name}, entry ${at + 1}`);
    fields.push({ one, row });
    list.append(row);
    return one;
  };
  const drop = (row) => {
    fields = fields.filter((entry) => entry.row !== row);
    row.remove();
    more.focus();
  };
  const more = h(
    'button.small',
    { type: 'button', id, on: { click: () => add().element.querySelector('input, select, textarea')?.focus() } },
    icon('plus'),
    h('span', 'Add'),
  );
  return {
    isGroup: true,
    control: more,
    element: h('div', list, more),
    read(problems) {
      const value = fields.map(({ one }) => one.read(problems));
      const { minItems = 0, maxItems = Infinity } = schema;
      if (!value.length && !isRequired) {
        return { value: undefined };
      }
      const problem =
        value.length < minItems
          ? `At least ${minItems}.`
          : value.length > maxItems
            ? `At most ${maxItems}.`
            : undefined;
      return { value, problem };
    },
    write(value) {
      fields.forEach(({ row }) => row.remove());
      fields = [];
      (Array.isArray(value) ? value : []).forEach(add);
    },
  };
}

function ticks({ id, isRequired }, items) {
  const boxes = items.choices.map(({ value, title }, at) => {
    const box = h('input', { type: 'checkbox', id: at ? `${id}-${at}` : id });
    return { box, value, element: h('label.tick', box, title ?? String(value)) };
  });
  return {
    isGroup: true,
    control: boxes[0]?.box,
    element: h(
      'div.ticks',
      boxes.map(({ element }) => element),
    ),
    read() {
      const value = boxes.filter(({ box }) => box.checked).map((one) => one.value);
      return { value: value.length || isRequired ? value : undefined };
    },
    write(value) {
      boxes.forEach((one) => {
        one.box.checked = Array.isArray(value) && value.includes(one.value);
      });
    },
  };
}

// One of some values that the schema lists, or the only one there is.

import { h } from '../base/dom.js';

export function choice({ choices, schema, nullable, id, described, isRequired }) {
  const all = nullable && !choices.some(({ value }) => value === null) ? [...choices, { value: null }] : choices;
  const leavesOut = !isRequired || schema.default === undefined;
  const control = h(
    'select',
    { id, 'aria-describedby': described, 'aria-required': isRequired || null },
    leavesOut ? h('option', { value: '' }, isRequired ? 'choose…' : 'left out') : null,
    all.map(({ value, title }, at) => h('option', { value: String(at) }, title ?? text(value))),
  );
  return {
    control,
    element: control,
    read: () => ({ value: control.value === '' ? undefined : all[Number(control.value)].value }),
    write(wanted) {
      const at = all.findIndex(({ value }) => JSON.stringify(value) === JSON.stringify(wanted));
      control.value = at < 0 ? '' : String(at);
    },
  };
}

export function constant({ choices, id, isRequired, described }) {
  const [{ value }] = choices;
  const control = h('input', { id, type: 'text', readOnly: true, value: text(value), 'aria-describedby': described });
  return { control, element: control, read: () => ({ value: isRequired ? value : undefined }), write() {} };
}

function text(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

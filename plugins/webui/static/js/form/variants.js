// A value that may have one of several forms: which one, and then its field.

import { h, replace } from '../base/dom.js';
import { shape } from './schema.js';

export function variants({ variants: all, root, path, depth, name, isRequired, id, described }, field) {
  const place = h('div');
  const control = h(
    'select',
    { id, 'aria-describedby': described },
    isRequired ? null : h('option', { value: '' }, 'left out'),
    all.map(({ title }, at) => h('option', { value: String(at) }, title)),
  );
  let inner = null;
  const pick = () => {
    inner =
      control.value === ''
        ? null
        : field({
            schema: all[Number(control.value)].schema,
            root,
            name,
            isRequired: true,
            path,
            depth: depth + 1,
            isBare: true,
          });
    replace(place, inner?.element ?? null);
  };
  control.addEventListener('change', pick);
  pick();
  return {
    isGroup: true,
    control,
    element: h('div.variants', control, place),
    read: (problems) => ({ value: inner?.read(problems) }),
    write(value) {
      if (value === undefined) {
        control.value = isRequired ? '0' : '';
        pick();
        return;
      }
      const at = all.findIndex(({ schema }) => couldBe(value, shape(schema, root)));
      control.value = String(Math.max(0, at));
      pick();
      inner?.write(value);
    },
  };
}

function couldBe(value, { kind, schema }) {
  switch (kind) {
    case 'object':
      return (
        value !== null &&
        typeof value === 'object' &&
        !Array.isArray(value) &&
        (schema.required ?? []).every((member) => member in value)
      );
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'json':
      return true;
    default:
      return typeof value === kind;
  }
}

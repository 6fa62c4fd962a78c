// An object with members: a field each. One that may be left out is added when it is wanted.

import { h } from '../base/dom.js';
import { icon } from '../parts/icons.js';

export function object({ schema, root, path, depth, isRequired, id, name }, field) {
  const required = new Set(schema.required ?? []);
  const names = Object.keys(schema.properties);
  names.sort((a, b) => required.has(b) - required.has(a));
  const fields = names.map((member) => [
    member,
    field({
      schema: schema.properties[member],
      root,
      name: member,
      isRequired: required.has(member),
      path: `${path}/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      depth: depth + 1,
    }),
  ]);
  const members = h(
    'div.members',
    fields.map(([, one]) => one.element),
  );
  const isOptional = depth > 0 && !isRequired;
  const open = h(
    'button.small',
    { type: 'button', id, on: { click: () => show(true, true) } },
    icon('plus'),
    h('span', 'Add'),
  );
  const leave = h(
    'button.small.quiet',
    { type: 'button', 'aria-label': `Leave out ${name}`, on: { click: () => show(false, true) } },
    icon('minus'),
    h('span', 'Leave out'),
  );
  let isThere = !isOptional;
  const show = (there, moves) => {
    isThere = there;
    members.hidden = !there;
    leave.hidden = !there || !isOptional;
    open.hidden = there || !isOptional;
    if (moves) {
      (there ? members.querySelector('input, select, textarea, button') : open)?.focus();
    }
  };
  show(isThere, false);
  // Members that the form does not know, so that they are not lost.
  let others = {};
  return {
    isGroup: true,
    control: open,
    element: h('div', members, open, leave),
    read(problems) {
      if (!isThere) {
        return { value: undefined };
      }
      const value = { ...others };
      for (const [member, one] of fields) {
        const read = one.read(problems);
        if (read !== undefined) {
          value[member] = read;
        }
      }
      return { value };
    },
    write(value) {
      const given = value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
      show(given !== undefined || !isOptional, false);
      others = Object.fromEntries(Object.entries(given ?? {}).filter(([member]) => !names.includes(member)));
      for (const [member, one] of fields) {
        one.write(given?.[member]);
      }
    },
  };
}

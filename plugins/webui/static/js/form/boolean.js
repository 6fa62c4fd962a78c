// Yes or no; where it may be left out, that is a third choice.

import { h } from '../base/dom.js';

export function boolean({ schema, id, described, isRequired }) {
  const leavesOut = !isRequired && schema.default === undefined;
  const options = [...(leavesOut ? [['', 'left out']] : []), ['true', 'yes'], ['false', 'no']];
  const control = h(
    'select',
    { id, 'aria-describedby': described },
    options.map(([value, text]) => h('option', { value }, text)),
  );
  if (isRequired && schema.default === undefined) {
    control.value = 'false';
  }
  return {
    control,
    element: control,
    read: () => ({ value: control.value === '' ? undefined : control.value === 'true' }),
    write(value) {
      control.value = value === undefined ? '' : String(value);
    },
  };
}

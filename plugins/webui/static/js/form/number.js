// A number, whole or not. What a browser cannot hold exactly is refused here: as JSON it can be sent.

import { h } from '../base/dom.js';

export function number({ kind, schema, id, described, isRequired }) {
  const isWhole = kind === 'integer';
  const control = h('input', {
    id,
    type: 'text',
    inputmode: isWhole ? 'numeric' : 'decimal',
    autocomplete: 'off',
    'aria-describedby': described,
    'aria-required': isRequired || null,
    class: 'number',
    placeholder: (schema.examples ?? [])[0] ?? null,
  });
  return {
    control,
    element: control,
    read() {
      const text = control.value.trim();
      if (text === '') {
        return { value: undefined };
      }
      const value = Number(text);
      return { value, problem: check(text, value, isWhole, schema) };
    },
    write(value) {
      control.value = value ?? '';
    },
  };
}

function check(text, value, isWhole, schema) {
  if (!Number.isFinite(value) || !/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) {
    return 'This is not a number.';
  }
  if (isWhole && !Number.isInteger(value)) {
    return 'This must be a whole number.';
  }
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return 'This is too large for a form. Switch to JSON to send it.';
  }
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (value < minimum) {
    return `At least ${minimum}.`;
  }
  if (value > maximum) {
    return `At most ${maximum}.`;
  }
  if (value <= exclusiveMinimum) {
    return `More than ${exclusiveMinimum}.`;
  }
  if (value >= exclusiveMaximum) {
    return `Less than ${exclusiveMaximum}.`;
  }
  return undefined;
}

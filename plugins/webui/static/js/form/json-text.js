// A value for which there is no form: written as JSON.

import { h } from '../base/dom.js';

export function jsonText({ id, described, isRequired, isObject, schema }) {
  const control = h('textarea.mono', {
    id,
    rows: '3',
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-describedby': described,
    'aria-required': isRequired || null,
    placeholder: isObject ? '{ }' : null,
  });
  return {
    control,
    element: control,
    read() {
      const text = control.value.trim();
      if (text === '') {
        return { value: isRequired && isObject ? {} : undefined };
      }
      try {
        const value = JSON.parse(text);
        const wrong = isObject && (value === null || typeof value !== 'object' || Array.isArray(value));
        return { value, problem: wrong ? 'This must be an object: { … }' : undefined };
      } catch {
        const quoted = !schema.type && /^[\w .-]+$/.test(text) ? ' A text stands in quotes.' : '';
        return { problem: `This is not JSON.${quoted}` };
      }
    },
    write(value) {
      control.value = value === undefined ? '' : JSON.stringify(value, null, 2);
    },
  };
}

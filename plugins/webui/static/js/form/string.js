// A text: one line, or several where the schema or the name suggests so.

import { h } from '../base/dom.js';

const LONG = /(^|_)(text|body|content|message|prompt|code|sql|script|markdown|html|data|template|payload|notes?)$/i;
const TYPES = { email: 'email', uri: 'url', date: 'date', password: 'password' };

export function string({ schema, id, name, described, isRequired }) {
  const isSecret = schema.writeOnly === true || schema.format === 'password';
  const isLong =
    !isSecret && !schema.format && (schema.maxLength > 120 || schema.contentMediaType || LONG.test(name ?? ''));
  const examples = (schema.examples ?? []).filter((one) => typeof one === 'string');
  const common = {
    id,
    'aria-describedby': described,
    placeholder: examples[0] ?? null,
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-required': isRequired || null,
    maxlength: schema.maxLength ?? null,
  };
  const list =
    !isLong && examples.length > 1
      ? h(
          'datalist',
          { id: `${id}-list` },
          examples.map((one) => h('option', { value: one })),
        )
      : null;
  const control = isLong
    ? h('textarea', { ...common, rows: '2' })
    : h('input', {
        ...common,
        type: isSecret ? 'password' : (TYPES[schema.format] ?? 'text'),
        list: list ? `${id}-list` : null,
      });
  return {
    control,
    element: h('div', control, list),
    read() {
      const { value } = control;
      if (value === '') {
        return { value: undefined };
      }
      return { value, problem: check(value, schema) };
    },
    write(value) {
      control.value = value ?? '';
    },
  };
}

function check(value, schema) {
  if (schema.minLength !== undefined && [...value].length < schema.minLength) {
    return `At least ${schema.minLength} characters.`;
  }
  if (schema.pattern !== undefined && !fits(value, schema.pattern)) {
    return `It must fit the pattern ${schema.pattern}`;
  }
  return undefined;
}

function fits(value, pattern) {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    // A pattern of another dialect: the gateway judges.
    return true;
  }
}

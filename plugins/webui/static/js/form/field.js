// One field of a form, made from the schema of its value. Each kind of value has a file; this one chooses among them and
// puts the name, the explanation and the complaint around the control.

import { h } from '../base/dom.js';
import { shape } from './schema.js';
import { array } from './array.js';
import { boolean } from './boolean.js';
import { choice, constant } from './choice.js';
import { jsonText } from './json-text.js';
import { number } from './number.js';
import { object } from './object.js';
import { string } from './string.js';
import { variants } from './variants.js';

const MAKERS = { string, number, integer: number, boolean, choice, constant, array, object, variants, json: jsonText };

const FORMS_DEEP = 6;

let counter = 0;

/**
 * A field: `{ element, read(problems), write(value) }`. `read` gives the value, undefined where it is left out, and adds
 * `{ path, message, control }` to `problems` for what cannot be sent.
 */
export function field({ schema, root, name, isRequired = false, path = '', depth = 0, isBare = false }) {
  const found = shape(schema, root);
  const kind = depth >= FORMS_DEEP ? 'json' : found.kind;
  const id = `field-${(counter += 1)}`;
  const complaint = h('p.complaint', { id: `${id}-complaint`, hidden: true });
  const text = found.schema.description;
  const described = [text ? `${id}-help` : null, `${id}-complaint`].filter(Boolean).join(' ');
  const context = { ...found, kind, root, id, name, path, depth, isRequired, described };
  const made = MAKERS[kind](context, field);
  const complain = (message) => {
    complaint.textContent = message ?? '';
    complaint.hidden = !message;
    made.control?.setAttribute('aria-invalid', String(Boolean(message)));
  };
  const read = (problems) => {
    complain(null);
    const { value, problem } = made.read(problems);
    if (problem || (isRequired && value === undefined && !made.isGroup)) {
      const message = problem ?? 'This must be filled in.';
      complain(message);
      problems.push({ path, message, control: made.control });
      return undefined;
    }
    return value;
  };
  if (schema?.default !== undefined) {
    made.write(schema.default);
  }
  const label = isBare ? null : title(context, made);
  const help = text ? h('p.help', { id: `${id}-help` }, text) : null;
  const element =
    made.isGroup && !isBare
      ? h('fieldset.field.group', h('legend', label), help, made.element, complaint)
      : h('div.field', label, help, made.element, complaint);
  return { element, read, write: made.write, complain, path };
}

function title({ id, name, schema, isRequired, kind }, made) {
  const words = [
    h('span.field-name', name),
    schema.title && schema.title !== name ? h('span.field-title', schema.title) : null,
    isRequired ? h('span.required', 'required') : null,
    h('span.field-kind', hint(kind, schema)),
  ];
  return made.isGroup ? h('span.label', words) : h('label', { for: id }, words);
}

/** What may be filled in, in a few characters. */
function hint(kind, schema) {
  const name = { json: 'JSON', variants: '', choice: '', constant: '' }[kind] ?? schema.format ?? kind;
  const { minimum: low, maximum: high } = schema;
  if (low !== undefined && high !== undefined) {
    return `${name}, ${low} to ${high}`;
  }
  if (low !== undefined) {
    return `${name}, from ${low}`;
  }
  if (high !== undefined) {
    return `${name}, up to ${high}`;
  }
  return schema.maxLength !== undefined ? `${name}, up to ${schema.maxLength} characters` : name;
}

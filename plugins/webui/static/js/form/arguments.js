// The arguments of a tool: a form made from its schema, or the JSON itself. Both show the same.

import { h, replace } from '../base/dom.js';
import { segments } from '../parts/filters.js';
import { field } from './field.js';
import { shape } from './schema.js';

/** `{ element, read() }`; `read` gives `{ text, value }`, or null when something must be mended first. */
export function argumentsForm(schema, { first } = {}) {
  const root = schema && typeof schema === 'object' ? schema : {};
  const whole = shape(root, root);
  const hasForm = whole.kind === 'object';
  const form = hasForm
    ? field({ schema: whole.schema, root, name: 'arguments', isRequired: true, isBare: true })
    : null;
  const area = h('textarea.mono.tall', {
    rows: '8',
    spellcheck: 'false',
    'aria-label': 'Arguments as JSON',
    value: '{}',
  });
  const complaint = h('p.complaint', { role: 'alert', hidden: true });
  const isBare = whole.isObject && root.additionalProperties === false && !hasForm;
  const formPlace = h('div', form ? form.element : null);
  const jsonPlace = h('div', area);
  let mode = hasForm ? 'form' : 'json';

  const show = (next) => {
    mode = next;
    formPlace.hidden = mode !== 'form';
    jsonPlace.hidden = mode !== 'json';
  };
  const change = (next) => {
    if (next === mode) {
      return;
    }
    if (next === 'json') {
      const value = form.read([]) ?? {};
      area.value = JSON.stringify(value, null, 2);
    } else {
      const parsed = parse(area.value);
      if (parsed) {
        form.write(parsed);
      }
    }
    show(next);
  };
  const choice = hasForm
    ? segments({
        label: 'How to fill in',
        options: [
          ['form', 'Form'],
          ['json', 'JSON'],
        ],
        value: mode,
        change,
      })
    : null;
  show(mode);
  if (first) {
    form?.write(first);
    area.value = JSON.stringify(first, null, 2);
  }

  const complain = (text) => {
    complaint.textContent = text ?? '';
    complaint.hidden = !text;
  };
  const read = () => {
    complain(null);
    if (mode === 'form') {
      const problems = [];
      const value = form.read(problems);
      if (problems.length) {
        problems[0].control?.focus();
        return null;
      }
      return { value: value ?? {}, text: JSON.stringify(value ?? {}) };
    }
    const value = isBare ? {} : parse(area.value);
    if (!value) {
      complain('The arguments must be a JSON object: { … }');
      area.focus();
      return null;
    }
    // The text itself goes out, so that numbers keep all their digits.
    return { value, text: isBare ? '{}' : area.value };
  };
  const body = isBare ? h('p.faint', 'This tool takes no arguments.') : h('div', formPlace, jsonPlace);
  return { element: h('div.arguments', choice, replace(h('div'), body), complaint), read };
}

function parse(text) {
  try {
    const value = JSON.parse(text.trim() || '{}');
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

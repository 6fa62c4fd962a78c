// The settings of one plugin: a field for each key, with the layer that its value comes from. Only what was changed is
// sent; a key that was set here can be given back to the layers below.

import { h } from '../base/dom.js';
import { tag } from '../parts/marks.js';
import { told } from '../parts/toast.js';
import { field } from './field.js';

const LAYERS = {
  manifest: ['manifest', 'plain', 'The default of the plugin'],
  file: ['file', 'plain', 'From the configuration file'],
  env: ['environment', 'info', 'From an environment variable'],
  store: ['changed here', 'warn', 'Set while running, and kept'],
};
const MASK = '***';

/** `save(change)` sends an object of keys; null gives a key back. */
export function settingsForm({ config = {}, layers = {}, schema }, save) {
  const properties = schema?.properties ?? {};
  const names = [...new Set([...Object.keys(properties), ...Object.keys(config)])];
  const rows = names.map((name) =>
    row({
      name,
      schema: properties[name] ?? {},
      root: schema ?? {},
      value: config[name],
      layer: layers[name],
      save,
    }),
  );
  const submit = async (event) => {
    event.preventDefault();
    const problems = [];
    const change = {};
    for (const one of rows) {
      Object.assign(change, one.changed(problems));
    }
    if (problems.length) {
      problems[0].control?.focus();
      return;
    }
    if (!Object.keys(change).length) {
      await told('Nothing was changed', async () => {});
      return;
    }
    await told('Saved', () =>
      save(change).catch((error) => {
        rows.forEach((one) => one.blame(error.message));
        throw error;
      }),
    );
  };
  return h(
    'form',
    { novalidate: true, on: { submit } },
    rows.map((one) => one.element),
    h('div.form-foot', h('button.primary', { type: 'submit' }, 'Save')),
  );
}

function row({ name, schema, root, value, layer, save }) {
  const isMasked = value === MASK;
  // What is not set shows the default as a hint: filled in, it would be sent as if it had been chosen.
  const { default: standard, ...rest } = schema;
  const hint = standard === undefined ? rest : { ...rest, examples: [standard] };
  // What is masked is not known here: the field is empty, and empty means that it stays.
  const one = field({
    schema: isMasked ? { ...hint, writeOnly: true } : hint,
    root,
    name,
    isRequired: false,
    path: `/${name}`,
  });
  if (!isMasked && value !== undefined) {
    one.write(value);
  }
  const before = JSON.stringify(one.read([]));
  const [word, kind, title] = LAYERS[layer] ?? [layer ?? (standard === undefined ? 'not set' : 'default'), 'plain', ''];
  const giveBack =
    layer === 'store'
      ? h(
          'button.small.quiet',
          { type: 'button', on: { click: () => told(`${name} is given back`, () => save({ [name]: null })) } },
          'Give back',
        )
      : null;
  return {
    element: h(
      'div.setting',
      one.element,
      h(
        'div.setting-layer',
        tag(word, kind, title),
        isMasked ? h('span.faint', 'secret, left as it is when empty') : null,
        giveBack,
      ),
    ),
    changed(problems) {
      const now = one.read(problems);
      const same = JSON.stringify(now) === before;
      return same ? {} : { [name]: now === undefined ? null : now };
    },
    blame(message) {
      if (message.includes(`/${name}`)) {
        one.complain(message);
      }
    },
  };
}

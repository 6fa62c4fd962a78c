// One tool: what it takes, a form to try it, what came of that, and why it is listed or not.

import { get, plugins } from '../base/api.js';
import { credentials } from '../base/credentials.js';
import { h, replace } from '../base/dom.js';
import { duration } from '../base/format.js';
import { argumentsForm } from '../form/arguments.js';
import { asCurl, callTool } from '../parts/calling.js';
import { dialog } from '../parts/dialog.js';
import { icon } from '../parts/icons.js';
import { card, cardWith, facts, head } from '../parts/head.js';
import { json } from '../parts/json.js';
import { state, tag } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { result } from '../parts/result.js';
import { empty } from '../parts/states.js';

export default {
  title: 'Tool',
  open(page) {
    const { name } = page.params;
    document.title = `${name} · toolgate`;
    const view = region(page, {
      ask: (signal) => load(name, signal),
      lines: 8,
      draw: ({ tool, why }, content) => draw(page, name, tool, why, content, view),
    });
    replace(page.root, view.element);
  },
};

async function load(name, signal) {
  const [tool, why] = await Promise.all([
    get(`/api/tools/${encodeURIComponent(name)}`, {}, signal).catch((error) => {
      if (error.status === 404) {
        return null;
      }
      throw error;
    }),
    plugins.get('why', { tool: name }, signal).catch(() => null),
  ]);
  return { tool, why };
}

function draw(page, name, tool, why, content, view) {
  const plugin = tool?.plugin ?? why?.plugin?.id;
  const hints = Object.entries(tool?.annotations ?? {})
    .filter(([, value]) => value === true)
    .map(([hint]) => hint.replace(/Hint$/, ''));
  const marks = h(
    'div.tags',
    tool?.category ? tag(tool.category, tool.category === 'remediation' ? 'warn' : 'info') : null,
    tool?.requires_approval ? tag('needs approval', 'warn') : null,
    tool?.enabled === false ? tag('off', 'bad') : null,
    hints.map((hint) =>
      tag(
        { readOnly: 'only reads', idempotent: 'idempotent', destructive: 'destructive', openWorld: 'open world' }[
          hint
        ] ?? hint,
      ),
    ),
  );
  const top = head({
    title: name,
    mono: true,
    back: { href: '#/tools', label: 'Tools' },
    text: tool?.description ?? tool?.title,
    marks,
  });
  const reasons = card(tool ? 'Why it is listed' : 'Why it is not listed', explain(why, plugin, view));
  if (!tool) {
    replace(content, top, reasons);
    return;
  }
  const answer = h('div', empty('What the tool answers is shown here.'));
  const aside = h('span');
  replace(
    content,
    top,
    h(
      'div.columns.try-columns',
      card('Try it', tryForm(page, name, tool, answer, aside)),
      h(
        'div.stack-wide',
        cardWith('Result', aside, h('div', { 'aria-live': 'polite' }, answer)),
        card(
          'Schema',
          h('details.more', h('summary', 'Arguments'), json(tool.input_schema, { label: 'Schema of the arguments' })),
          tool.output_schema
            ? h('details.more', h('summary', 'Result'), json(tool.output_schema, { label: 'Schema of the result' }))
            : null,
        ),
        reasons,
      ),
    ),
  );
}

function tryForm(page, name, tool, answer, aside) {
  const inputs = argumentsForm(tool.input_schema);
  const isDryRun = h('input', { type: 'checkbox', id: 'dry-run' });
  const send = h('button.primary', { type: 'submit' }, icon('send'), h('span', 'Call'));
  const cancel = h('button', { type: 'button', hidden: true }, 'Cancel');
  const asCommand = h(
    'button.quiet',
    {
      type: 'button',
      on: {
        click: () => {
          const read = inputs.read();
          if (read) {
            dialog({
              title: 'The same from a shell',
              wide: true,
              body: asCurl(name, read.text, Boolean(credentials.token())),
              actions: [{ label: 'Close', kind: 'primary' }],
            });
          }
        },
      },
    },
    'As a command',
  );
  let running = null;
  cancel.addEventListener('click', () => running?.abort());
  page.signal.addEventListener('abort', () => running?.abort());

  const call = async () => {
    const read = inputs.read();
    if (!read || running) {
      return;
    }
    running = new AbortController();
    send.disabled = true;
    cancel.hidden = false;
    replace(aside, state('running', 'info'));
    try {
      const { answer: whole, ms } = await callTool(name, read.text, {
        isDryRun: isDryRun.checked,
        signal: running.signal,
      });
      replace(
        aside,
        h(
          'span.tags',
          isDryRun.checked ? tag('dry run', 'info') : null,
          h('span.faint.tabular', duration(ms)),
          state(whole?.isError ? 'error' : 'ok'),
        ),
      );
      replace(answer, result(whole));
    } catch (error) {
      const isCancelled = error.name === 'AbortError';
      replace(aside, state(isCancelled ? 'cancelled' : 'refused', isCancelled ? 'plain' : 'bad'));
      replace(answer, isCancelled ? empty('The call was cancelled.') : refusal(error));
    } finally {
      running = null;
      send.disabled = false;
      cancel.hidden = true;
    }
  };
  const form = h(
    'form',
    {
      novalidate: true,
      on: {
        submit: (event) => {
          event.preventDefault();
          call();
        },
      },
    },
    inputs.element,
    h('div.form-foot', send, cancel, h('label.tick', isDryRun, 'Dry run'), asCommand),
  );
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      call();
    }
  });
  return form;
}

/** A call that was not done: also when a person has to approve it first. */
function refusal(error) {
  const waits = /approval/.test(error.reason ?? '') || /approv/i.test(error.message);
  document.dispatchEvent(new Event('toolgate:approvals'));
  return h(
    'div.stack',
    h(`p.alert.${waits ? 'warn' : 'bad'}`, { role: 'alert' }, error.message, error.mend ? ` ${error.mend}` : ''),
    waits ? h('p', h('a.button', { href: '#/approvals' }, 'Go to the approvals')) : null,
  );
}

function explain(why, plugin, view) {
  if (!why) {
    return h('p.faint', 'Nothing is known about it.');
  }
  return h(
    'div.stack',
    h('p', why.message),
    why.mend ? h('p.alert.info', why.mend) : null,
    why.near
      ? h('p', 'Did you mean ', h('a.mono', { href: `#/tools/${encodeURIComponent(why.near)}` }, why.near), '?')
      : null,
    facts([
      ['Plugin', plugin ? h('a', { href: `#/plugins/${encodeURIComponent(plugin)}` }, plugin) : null],
      ['Its own name', why.entry ? h('code', why.entry.own_name) : null],
      ['Plugin is', why.plugin ? state(why.plugin.state) : null],
      ['Filters', why.entry?.filters?.length ? why.entry.filters.join(', ') : null],
    ]),
    h(
      'div',
      h(
        'button.small.quiet',
        { type: 'button', on: { click: view.restart } },
        icon('refresh'),
        h('span', 'Look again'),
      ),
    ),
  );
}

// Makes a task: which tool, with what, and when.

import { get, post } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { argumentsForm } from '../form/arguments.js';
import { segments } from '../parts/filters.js';
import { card, head } from '../parts/head.js';
import { icon } from '../parts/icons.js';
import { region } from '../parts/region.js';
import { empty } from '../parts/states.js';
import { go } from '../shell/router.js';

const UNITS = [
  ['1000', 'seconds'],
  ['60000', 'minutes'],
  ['3600000', 'hours'],
  ['86400000', 'days'],
];

export default {
  title: 'New task',
  open(page) {
    const view = region(page, {
      ask: (signal) => get('/api/tools', {}, signal),
      draw: (tools, content) => draw(page, tools, content),
    });
    replace(
      page.root,
      head({
        title: 'New task',
        back: { href: '#/tasks', label: 'Tasks' },
        text: 'The gateway runs the tool, also when this page is closed.',
      }),
      view.element,
    );
  },
};

function draw(page, tools, content) {
  if (!tools.length) {
    replace(content, empty('There is no tool that could run.', h('a', { href: '#/plugins' }, 'See the plugins')));
    return;
  }
  const tool = h(
    'select',
    { id: 'task-tool' },
    tools.map(({ name }) => h('option', { value: name, selected: name === page.query.tool }, name)),
  );
  const about = h('p.help');
  const place = h('div');
  const name = h('input', { id: 'task-name', type: 'text', maxlength: '200', placeholder: 'optional' });
  const timing = scheduleFields();
  const retries = h('input.number', { id: 'task-retries', type: 'number', min: '0', max: '100', placeholder: '0' });
  const timeout = h('input.number', {
    id: 'task-timeout',
    type: 'number',
    min: '1',
    placeholder: 'as the tool has it',
  });
  const said = h('p.alert.bad', { role: 'alert', hidden: true });
  const send = h('button.primary', { type: 'submit' }, icon('plus'), h('span', 'Make the task'));
  let inputs = null;
  const pick = () => {
    const found = tools.find((one) => one.name === tool.value);
    about.textContent = found.description ?? '';
    inputs = argumentsForm(found.input_schema);
    replace(place, inputs.element);
  };
  tool.addEventListener('change', pick);
  pick();

  const make = async () => {
    const read = inputs.read();
    const schedule = read && timing.read();
    if (!schedule) {
      return;
    }
    said.hidden = true;
    send.disabled = true;
    const body = { tool: tool.value, arguments: read.value, schedule };
    if (name.value.trim()) {
      body.name = name.value.trim();
    }
    if (retries.value) {
      body.retries = Number(retries.value);
    }
    if (timeout.value) {
      body.timeout_ms = Math.round(Number(timeout.value) * 1000);
    }
    try {
      const task = await post('/api/tasks', body);
      go(`/tasks/${encodeURIComponent(task.id)}`);
    } catch (error) {
      said.textContent = error.mend ? `${error.message} ${error.mend}` : error.message;
      said.hidden = false;
    } finally {
      send.disabled = false;
    }
  };
  const labelled = (id, label, control) => h('div.field', h('label', { for: id }, label), control);
  replace(
    content,
    h(
      'form.narrow.stack-wide',
      {
        novalidate: true,
        on: {
          submit: (event) => {
            event.preventDefault();
            make();
          },
        },
      },
      card('What', labelled('task-tool', 'Tool', tool), about, labelled('task-name', 'Name', name)),
      card('Arguments', place),
      card('When', timing.element),
      card(
        'If it goes wrong',
        h(
          'div.pair',
          labelled('task-retries', 'Tries again, times', retries),
          labelled('task-timeout', 'Seconds it may take', timeout),
        ),
      ),
      said,
      h('div.form-foot', send, h('a.button.quiet', { href: '#/tasks' }, 'Cancel')),
    ),
  );
}

function scheduleFields() {
  let kind = 'now';
  const at = h('input', { id: 'task-at', type: 'datetime-local', step: '1', 'aria-label': 'Time' });
  const number = h('input.number', {
    id: 'task-every',
    type: 'number',
    min: '1',
    value: '5',
    'aria-label': 'Interval',
  });
  const unit = h(
    'select',
    { 'aria-label': 'Unit' },
    UNITS.map(([value, text]) => h('option', { value, selected: value === '60000' }, text)),
  );
  const complaint = h('p.complaint', { hidden: true });
  const rows = {
    now: h('p.help', 'It runs once, as soon as it is made.'),
    at: h('div', at),
    every: h('div.pair.tight', number, unit),
  };
  const show = (next) => {
    kind = next;
    complaint.hidden = true;
    Object.entries(rows).forEach(([name, row]) => {
      row.hidden = name !== kind;
    });
  };
  const choice = segments({
    label: 'When',
    options: [
      ['now', 'Now'],
      ['at', 'At a time'],
      ['every', 'Again and again'],
    ],
    value: kind,
    change: show,
  });
  show(kind);
  const refuse = (text, control) => {
    complaint.textContent = text;
    complaint.hidden = false;
    control.focus();
    return null;
  };
  const read = () => {
    if (kind === 'at') {
      const time = new Date(at.value);
      return Number.isNaN(time.getTime()) ? refuse('Say when.', at) : { kind, time: time.toISOString() };
    }
    if (kind === 'every') {
      const interval = Math.round(Number(number.value) * Number(unit.value));
      return interval >= 1000 ? { kind, interval_ms: interval } : refuse('At least a second.', number);
    }
    return { kind };
  };
  return { element: h('div.stack', choice, Object.values(rows), complaint), read };
}

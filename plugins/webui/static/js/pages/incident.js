// One incident: everything that happened in it, in order, with notes of people between the calls.

import { get, post } from '../base/api.js';
import { h, keyed, replace } from '../base/dom.js';
import { count, duration, words } from '../base/format.js';
import { clock, moment, when } from '../base/time.js';
import { button } from '../parts/button.js';
import { confirm } from '../parts/dialog.js';
import { card, cardWith, facts, head } from '../parts/head.js';
import { icon } from '../parts/icons.js';
import { outcome, state } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { empty } from '../parts/states.js';
import { told } from '../parts/toast.js';

const ICONS = { tool_call: 'wrench', request: 'send', note: 'note', life: 'plug', approval: 'stamp', denied: 'lock' };

export default {
  title: 'Incident',
  open(page) {
    const { id } = page.params;
    const path = `/api/incidents/${encodeURIComponent(id)}`;
    const top = h('div');
    const about = h('div');
    const line = h('ol.timeline');
    const none = h('div', empty('Nothing has happened in it yet.'));
    const view = region(page, {
      ask: (signal) => get(path, {}, signal),
      every: 3000,
      lines: 8,
      draw(incident, content) {
        if (!content.children.length) {
          replace(
            content,
            top,
            h(
              'div.columns.wide-left',
              cardWith(
                'What happened',
                h('a', { href: `#/calls?incident=${encodeURIComponent(id)}` }, 'As a list of calls'),
                none,
                line,
              ),
              h(
                'div.stack-wide',
                card('Incident', about),
                card(
                  'Add a note',
                  noteForm(path, () => view.refresh()),
                ),
              ),
            ),
          );
        }
        if (top.dataset.shown !== incident.status) {
          top.dataset.shown = incident.status;
          replace(
            top,
            header(incident, path, () => view.refresh()),
          );
        }
        replace(about, details(incident));
        none.hidden = incident.events.length > 0;
        keyed(line, incident.events, (event) => `${event.id ?? event.time} ${event.type}`, entry);
      },
    });
    replace(page.root, view.element);
  },
};

function header(incident, path, refresh) {
  const close = button({
    label: 'Close',
    symbol: 'check',
    run: async () => {
      if (await confirm('Close this incident?', 'What happened in it stays where it is.', 'Close it', 'primary')) {
        await told('Closed', () => post(`${path}/close`));
        refresh();
      }
    },
  });
  return head({
    title: incident.title || 'Session',
    back: { href: '#/incidents', label: 'Incidents' },
    marks: state(incident.status, incident.status === 'open' ? 'info' : 'plain'),
    actions: incident.status === 'open' ? [close] : [],
  });
}

function details(incident) {
  return facts([
    ['Begun', moment(incident.created)],
    ['Closed', incident.closed ? moment(incident.closed) : null],
    ['Calls', count(incident.calls)],
    ['Errors', count(incident.errors)],
    ['Caller', incident.principal],
    ['Session', incident.session ? h('code.break', incident.session) : null],
    ['Id', h('code.break', incident.id)],
  ]);
}

function entry(event) {
  return h(
    'li',
    { class: event.outcome && event.outcome !== 'answered' ? 'bad' : event.type },
    h('span.timeline-icon', icon(ICONS[event.type] ?? 'info')),
    h(
      'div.timeline-body',
      h(
        'div.timeline-head',
        title(event),
        h('span.timeline-when', clock(event.time), ' ', h('span.faint', when(event.time))),
      ),
      body(event),
    ),
  );
}

function title(event) {
  switch (event.type) {
    case 'tool_call':
    case 'request':
      return h(
        'span',
        h('a.mono', { href: `#/calls/${encodeURIComponent(event.id)}` }, event.tool),
        outcome(event.outcome),
      );
    case 'note':
      return h('span', 'Note', event.principal ? ` of ${event.principal}` : '');
    case 'life':
      return h('span', event.plugin, ' ', words(event.event));
    case 'approval':
      return h('span', 'Approval ', state(event.status ?? event.outcome ?? 'asked for'));
    case 'denied':
      return h('span', 'Refused: ', event.what ?? event.reason ?? 'access');
    default:
      return h('span', words(event.type));
  }
}

function body(event) {
  const text = event.text ?? event.error ?? event.reason;
  const small = [event.plugin, event.principal, event.duration_ms !== undefined ? duration(event.duration_ms) : null];
  return [
    text ? h('p', { class: event.type === 'note' ? 'lines' : 'lines bad-text' }, text) : null,
    event.type === 'tool_call' || event.type === 'request' ? h('div.sub', small.filter(Boolean).join(' · ')) : null,
  ];
}

function noteForm(path, refresh) {
  const text = h('textarea', { id: 'note', rows: '3', required: true, 'aria-label': 'Note' });
  const form = h(
    'form.stack',
    {
      on: {
        submit: async (event) => {
          event.preventDefault();
          if (
            text.value.trim() &&
            (await told('Noted', () => post(`${path}/notes`, { text: text.value.trim() }).then(() => true)))
          ) {
            text.value = '';
            refresh();
          }
        },
      },
    },
    text,
    h('div', h('button', { type: 'submit' }, icon('note'), h('span', 'Add the note'))),
  );
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      form.requestSubmit();
    }
  });
  return form;
}

// What was called, by whom, with what outcome: filtered, page by page, and live.

import { plugins } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { callTable } from '../parts/callout.js';
import { choose, filters, search } from '../parts/filters.js';
import { head } from '../parts/head.js';
import { liveMark } from '../parts/live.js';
import { paged } from '../parts/paged.js';
import { icon } from '../parts/icons.js';
import { empty } from '../parts/states.js';

const OUTCOMES = [
  '',
  'answered',
  'tool_error',
  'refused_by_plugin',
  'bad_input',
  'denied',
  'not_found',
  'busy',
  'timeout',
  'cancelled',
  'unavailable',
  'broken',
  'open',
  'unknown',
];
const SPANS = [
  ['', 'Any time'],
  ['900', 'Last 15 minutes'],
  ['3600', 'Last hour'],
  ['86400', 'Last day'],
  ['604800', 'Last week'],
];

export default {
  title: 'Calls',
  open(page) {
    const names = ['tool', 'plugin', 'principal', 'outcome', 'incident', 'last'];
    const wanted = Object.fromEntries(names.map((name) => [name, page.query[name] ?? '']));
    const list = callTable({ nothing: () => empty('No call fits.', h('a', { href: '#/tools' }, 'Try a tool')) });
    const query = () => {
      const { last, ...rest } = wanted;
      return { ...rest, since: last ? new Date(Date.now() - Number(last) * 1000).toISOString() : '' };
    };
    const calls = paged(page, { path: '/api/calls', noun: 'calls', list, query });
    const live = liveMark();
    let tail = null;

    const follow = () => {
      tail?.abort();
      tail = new AbortController();
      const { since, ...filter } = query();
      page.follow('/api/calls/stream', {
        query: filter,
        signal: tail.signal,
        onEvent: calls.add,
        onMissed: calls.restart,
        onState: live.show,
      });
    };
    const pause = h('button.small', { type: 'button', 'aria-pressed': 'false' }, icon('pause'), h('span', 'Pause'));
    pause.addEventListener('click', () => {
      const isPaused = pause.getAttribute('aria-pressed') !== 'true';
      pause.setAttribute('aria-pressed', String(isPaused));
      replace(pause, icon(isPaused ? 'play' : 'pause'), h('span', isPaused ? 'Go on' : 'Pause'));
      if (isPaused) {
        tail.abort();
        live.show('paused');
      } else {
        calls.restart();
        follow();
      }
    });
    const change = (name) => (value) => {
      wanted[name] = value;
      page.setQuery(wanted);
      calls.restart();
      if (pause.getAttribute('aria-pressed') !== 'true') {
        follow();
      }
    };
    const byPlugin = choose({
      label: 'Plugin',
      options: [['', 'All plugins']],
      value: wanted.plugin,
      change: change('plugin'),
    });
    plugins.get('report', {}, page.signal).then(
      (report) => byPlugin.toolgateFill([['', 'All plugins'], ...report.plugins.map(({ id }) => [id, id])]),
      () => {},
    );
    const incident = wanted.incident
      ? h('a.tag.info', { href: '#/calls', title: 'Show all' }, `incident ${wanted.incident.slice(0, 12)} ✕`)
      : null;
    replace(
      page.root,
      head({
        title: 'Calls',
        text: 'Every call leaves a record: who, what, how long, and what became of it.',
        marks: live.element,
        actions: [h('a.button.quiet', { href: '#/calls/denied' }, 'Denied accesses'), pause],
      }),
      filters(
        search({ label: 'Tool, by its whole name', value: wanted.tool, change: change('tool') }),
        byPlugin,
        choose({
          label: 'Outcome',
          options: OUTCOMES.map((word) => [word, word ? word.replaceAll('_', ' ') : 'Any outcome']),
          value: wanted.outcome,
          change: change('outcome'),
        }),
        choose({ label: 'Time', options: SPANS, value: wanted.last, change: change('last') }),
        callerField(wanted.principal, change('principal')),
        incident,
      ),
      h('section.card.flush', calls.element),
    );
    follow();
  },
};

function callerField(value, change) {
  return h('input.short', {
    type: 'text',
    placeholder: 'Caller',
    'aria-label': 'Caller',
    value,
    spellcheck: 'false',
    on: { change: (event) => change(event.target.value.trim()) },
  });
}

// The tables of one plugin: its tools, its instances, its background work, what happened to it.

import { post } from '../base/api.js';
import { h } from '../base/dom.js';
import { bytes, count, span, words } from '../base/format.js';
import { clock, when } from '../base/time.js';
import { button } from './button.js';
import { state, tag } from './marks.js';
import { table } from './table.js';

export function toolTable() {
  return table({
    columns: [
      {
        label: 'Tool',
        kind: 'main inline',
        cell: ({ name }) => h('a.mono', { href: `#/tools/${encodeURIComponent(name)}`, data: { focus: 'open' } }, name),
      },
      {
        label: '',
        kind: 'fit end',
        cell: ({ listed, enabled, category }) =>
          listed === false
            ? tag('not listed', 'warn')
            : enabled === false
              ? tag('off', 'warn')
              : category
                ? tag(category, category === 'remediation' ? 'warn' : 'info')
                : null,
      },
    ],
    key: ({ name }) => name,
    nothing: 'It offers no tools.',
    caption: 'Tools',
  });
}

export function instanceTable() {
  return table({
    columns: [
      {
        label: 'Instance',
        kind: 'main',
        cell: ({ instance, session }) => [`#${instance}`, session ? h('span.faint', ` for ${session}`) : null],
      },
      { label: 'Process', kind: 'num', cell: ({ pid }) => (pid ? h('span.mono', pid) : '–') },
      { label: 'Age', kind: 'num', cell: ({ age_seconds: age }) => span(age) },
      { label: 'Memory', kind: 'num', cell: ({ memory_bytes: size }) => bytes(size) },
      { label: 'Calls', kind: 'num', cell: ({ calls }) => count(calls) },
    ],
    key: ({ instance }) => instance,
    nothing: 'Nothing of it runs.',
    caption: 'Instances',
  });
}

export function backgroundTable(refresh) {
  const order = (work, what) =>
    post(`/api/background/${encodeURIComponent(work.plugin)}/${encodeURIComponent(work.name)}/${what}`);
  return table({
    columns: [
      {
        label: 'Name',
        kind: 'main',
        cell: ({ name, last_error: error }) => [name, error ? h('div.sub.bad-text', error) : null],
      },
      { label: 'State', cell: (work) => state(work.state) },
      {
        label: 'Runs',
        kind: 'num',
        cell: ({ runs, failures }) => [count(runs), failures ? h('span.bad-text', ` (${failures} failed)`) : null],
      },
      { label: 'Next', cell: ({ next_run: next }) => when(next) },
      {
        label: '',
        kind: 'fit end',
        cell: (work) =>
          h(
            'div.buttons',
            work.kind === 'periodic'
              ? button({
                  label: 'Run',
                  kind: 'small',
                  focus: 'run',
                  run: () => order(work, 'run'),
                  done: `${work.name} runs`,
                  after: refresh,
                })
              : null,
            work.state === 'stopped'
              ? button({
                  label: 'Start',
                  kind: 'small',
                  focus: 'power',
                  run: () => order(work, 'start'),
                  done: `Started ${work.name}`,
                  after: refresh,
                })
              : button({
                  label: 'Stop',
                  kind: 'small',
                  focus: 'power',
                  run: () => order(work, 'stop'),
                  done: `Stopped ${work.name}`,
                  after: refresh,
                }),
          ),
      },
    ],
    key: ({ name }) => name,
    nothing: 'It does nothing in the background.',
    caption: 'Background work',
  });
}

export function lifeTable() {
  return table({
    columns: [
      { label: 'Time', kind: 'fit', cell: ({ time }) => clock(time) },
      {
        label: 'Event',
        kind: 'main',
        cell: ({ event, error }) => [words(event), error ? h('div.sub.bad-text.lines', error) : null],
      },
      { label: 'State', cell: (event) => (event.state ? state(event.state) : '–') },
    ],
    key: ({ time, event }) => `${time} ${event}`,
    nothing: 'Nothing is recorded of it.',
    caption: 'What happened to it',
  });
}

// Tasks: tools that run for somebody, at once, at a time, or again and again.

import { h, replace } from '../base/dom.js';
import { count, duration } from '../base/format.js';
import { when } from '../base/time.js';
import { filters, segments } from '../parts/filters.js';
import { head } from '../parts/head.js';
import { icon } from '../parts/icons.js';
import { liveMark } from '../parts/live.js';
import { state } from '../parts/marks.js';
import { paged } from '../parts/paged.js';
import { empty } from '../parts/states.js';
import { table } from '../parts/table.js';
import { schedule, taskButtons, taskKind } from '../parts/task-words.js';

const STATES = [
  ['', 'All'],
  ['scheduled', 'Scheduled'],
  ['running', 'Running'],
  ['done', 'Done'],
  ['failed', 'Failed'],
  ['cancelled', 'Cancelled'],
];

export default {
  title: 'Tasks',
  open(page) {
    const wanted = { status: page.query.status ?? '' };
    const live = liveMark();
    const list = taskTable();
    const tasks = paged(page, { path: '/api/tasks', noun: 'tasks', list, query: () => wanted });
    page.follow('/api/tasks/stream', {
      onEvent: (task) => {
        if (!wanted.status || task.status === wanted.status || tasks.items().some(({ id }) => id === task.id)) {
          tasks.add(task);
        }
      },
      onState: live.show,
    });
    const change = (value) => {
      wanted.status = value;
      page.setQuery(wanted);
      tasks.restart();
    };
    replace(
      page.root,
      head({
        title: 'Tasks',
        text: 'Tools that run by themselves: once, later, or at an interval.',
        marks: live.element,
        actions: [h('a.button.primary', { href: '#/tasks/new' }, icon('plus'), h('span', 'New task'))],
      }),
      filters(segments({ label: 'Status', options: STATES, value: wanted.status, change })),
      h('section.card.flush', tasks.element),
    );
  },
};

function taskTable() {
  return table({
    columns: [
      {
        label: 'Task',
        kind: 'main wide',
        cell: ({ id, name, tool }) => [
          h('a.strong', { href: `#/tasks/${encodeURIComponent(id)}`, data: { focus: 'open' } }, name || tool),
          h('div.sub.mono', tool),
        ],
      },
      { label: 'Status', cell: ({ status }) => state(status, taskKind(status)) },
      { label: 'When', kind: 'short', cell: (task) => schedule(task.schedule) },
      { label: 'Next', kind: 'short', cell: ({ next_run: next }) => when(next) },
      {
        label: 'Last',
        kind: 'short',
        cell: ({ last_run: last }) =>
          last ? [when(last.finished ?? last.started), h('span.faint', ` ${duration(last.duration_ms)}`)] : '–',
      },
      {
        label: 'Runs',
        kind: 'num',
        cell: ({ runs, failures }) => [
          count(runs),
          failures ? h('span.bad-text', ` (${count(failures)} failed)`) : null,
        ],
      },
      { label: '', kind: 'fit end', cell: (task) => taskButtons(task, { small: true }) },
    ],
    key: ({ id }) => id,
    nothing: () => empty('There is no task.', h('a.button', { href: '#/tasks/new' }, 'Make one')),
    caption: 'Tasks',
  });
}

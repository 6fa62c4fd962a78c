// One task, live: where it stands, what its runs came to.

import { get } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { count, duration } from '../base/format.js';
import { clock, moment, when } from '../base/time.js';
import { card, facts, head } from '../parts/head.js';
import { json } from '../parts/json.js';
import { liveMark } from '../parts/live.js';
import { state } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { result } from '../parts/result.js';
import { empty } from '../parts/states.js';
import { table } from '../parts/table.js';
import { schedule, taskButtons, taskKind } from '../parts/task-words.js';
import { go } from '../shell/router.js';

const RUNS = { ok: 'ok', error: 'bad', cancelled: 'plain' };

export default {
  title: 'Task',
  open(page) {
    const { id } = page.params;
    const live = liveMark();
    const top = h('div');
    const about = h('div');
    const last = h('div', { 'aria-live': 'polite' });
    const history = runTable();
    const view = region(page, {
      ask: (signal) => get(`/api/tasks/${encodeURIComponent(id)}`, {}, signal),
      every: 5000,
      draw(task, content) {
        if (!content.children.length) {
          replace(
            content,
            top,
            h(
              'div.columns',
              h(
                'div.stack-wide',
                card('Task', about),
                card('Arguments', json(task.arguments ?? {}, { label: 'Arguments' })),
              ),
              h('div.stack-wide', card('Latest result', last), card('Runs', history.element)),
            ),
          );
        }
        show(task, { top, about, last, history, live, refresh: view.refresh });
      },
    });
    replace(page.root, view.element);
    page.follow('/api/tasks/stream', { onEvent: (task) => task.id === id && view.refresh(), onState: live.show });
  },
};

function show(task, { top, about, last, history, live, refresh }) {
  const signature = `${task.status} ${task.name}`;
  if (top.dataset.shown !== signature) {
    top.dataset.shown = signature;
    replace(
      top,
      head({
        title: task.name || task.tool,
        back: { href: '#/tasks', label: 'Tasks' },
        marks: [state(task.status, taskKind(task.status)), live.element],
        actions: taskButtons(task, { after: refresh, gone: () => go('/tasks') }),
      }),
    );
  }
  replace(
    about,
    facts([
      ['Tool', h('a.mono', { href: `#/tools/${encodeURIComponent(task.tool)}` }, task.tool)],
      ['When', schedule(task.schedule)],
      ['Next run', task.next_run ? [moment(task.next_run), ' (', when(task.next_run), ')'] : null],
      ['Runs', count(task.runs)],
      ['Failures', count(task.failures)],
      ['Made', [moment(task.created), task.created_by ? ` by ${task.created_by}` : '']],
      ['Id', h('code.break', task.id)],
    ]),
  );
  const run = task.last_run;
  const text = JSON.stringify(run);
  if (last.dataset.shown !== text) {
    last.dataset.shown = text;
    replace(last, run ? outcomeOf(run) : empty('It has not run yet.'));
  }
  history.show(task.history ?? (run ? [run] : []));
}

function outcomeOf(run) {
  if (!run.finished) {
    return empty('It runs.');
  }
  if (run.error) {
    return h(
      'div.stack',
      h(
        'p.alert.bad.lines',
        typeof run.error === 'string' ? run.error : (run.error.message ?? JSON.stringify(run.error)),
      ),
      run.result ? result(run.result) : null,
    );
  }
  return run.result !== undefined && run.result !== null ? result(run.result) : empty('Its result is not kept.');
}

function runTable() {
  return table({
    columns: [
      {
        label: 'Run',
        kind: 'main',
        cell: ({ number, call }) =>
          call
            ? h('a', { href: `#/calls/${encodeURIComponent(call)}`, data: { focus: 'open' } }, `#${number}`)
            : `#${number}`,
      },
      {
        label: 'Outcome',
        cell: ({ outcome, finished }) => (finished ? state(outcome, RUNS[outcome]) : state('running', 'info')),
      },
      { label: 'Begun', cell: ({ started }) => clock(started) },
      { label: 'Took', kind: 'num', cell: ({ duration_ms: ms }) => duration(ms) },
    ],
    key: ({ number }) => number,
    nothing: 'It has not run yet.',
    caption: 'Runs',
  });
}

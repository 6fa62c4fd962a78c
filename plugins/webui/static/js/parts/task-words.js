// Tasks in words, and what can be done with them.

import { post, remove } from '../base/api.js';
import { h } from '../base/dom.js';
import { span } from '../base/format.js';
import { moment } from '../base/time.js';
import { button } from './button.js';
import { confirm } from './dialog.js';

const KINDS = { scheduled: 'info', running: 'info', waiting: 'warn', done: 'ok', failed: 'bad', cancelled: 'plain' };
const ENDED = new Set(['done', 'failed', 'cancelled']);

/** The colour of a task's status. */
export const taskKind = (status) => KINDS[status] ?? 'plain';

/** When it runs. */
export function schedule(of) {
  switch (of?.kind) {
    case 'at':
      return h('span', 'at ', moment(of.time));
    case 'every':
      return `every ${span(of.interval_ms / 1000)}`;
    default:
      return 'once';
  }
}

/** The buttons that make sense for it. */
export function taskButtons(task, { after, gone, small = false }) {
  const path = `/api/tasks/${encodeURIComponent(task.id)}`;
  const kind = small ? 'small' : '';
  const isOver = ENDED.has(task.status);
  const act = (label, symbol, what, done) =>
    button({ label, symbol, kind, focus: what, run: () => post(`${path}/${what}`), done, after });
  return [
    !isOver && task.status !== 'running' && !small ? act('Run now', 'play', 'run', 'It runs') : null,
    isOver ? act('Run again', 'refresh', 'retry', 'It runs again') : act('Cancel', 'stop', 'cancel', 'Cancelled'),
    isOver && !small
      ? button({
          label: 'Delete',
          symbol: 'trash',
          kind: 'quiet',
          run: async () => {
            if (
              await confirm('Delete this task?', 'Its history goes with it. The calls stay in the ledger.', 'Delete')
            ) {
              await remove(path);
              gone?.();
            }
          },
        })
      : null,
  ].filter(Boolean);
}

// Lists of calls as several sections show them: the columns, and where a row leads.

import { h } from '../base/dom.js';
import { duration } from '../base/format.js';
import { clock, when } from '../base/time.js';
import { outcome, tag } from './marks.js';
import { table } from './table.js';

/** A table of calls, the newest first. `isShort` leaves out who called. */
export function callTable({ isShort = false, nothing }) {
  const columns = [
    { label: 'Time', kind: 'fit', cell: (call) => (isShort ? when(call.time) : clock(call.time)) },
    {
      label: 'Tool',
      kind: 'main',
      cell: (call) => [
        h(
          'a.mono',
          { href: `#/calls/${encodeURIComponent(call.id)}`, data: { focus: 'open' } },
          call.tool ?? call.method,
        ),
        call.dry_run ? tag('dry run', 'info') : null,
      ],
    },
    {
      label: 'Outcome',
      cell: (call) => [
        outcome(call.outcome),
        call.reason && call.reason !== call.outcome ? h('span.faint', ` ${call.reason}`) : null,
      ],
    },
    { label: 'Took', kind: 'num', cell: (call) => duration(call.duration_ms) },
    { label: 'Caller', cell: (call) => call.principal ?? '–' },
    {
      label: 'Plugin',
      cell: (call) =>
        call.plugin ? h('a', { href: `#/plugins/${encodeURIComponent(call.plugin)}` }, call.plugin) : '–',
    },
  ];
  return table({ columns: isShort ? columns.slice(0, 4) : columns, key: (call) => call.id, nothing, caption: 'Calls' });
}

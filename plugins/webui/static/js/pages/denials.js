// Accesses that were denied: who wanted what, and which scope was missing.

import { get } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { count, words } from '../base/format.js';
import { moment, when } from '../base/time.js';
import { head } from '../parts/head.js';
import { region } from '../parts/region.js';
import { table } from '../parts/table.js';

export default {
  title: 'Denied accesses',
  open(page) {
    const list = table({
      columns: [
        { label: 'Time', kind: 'short', cell: ({ time }) => [moment(time), h('div.sub', when(time))] },
        { label: 'What', kind: 'main', cell: ({ what, path }) => [words(what), path ? h('div.sub.mono', path) : null] },
        { label: 'Missing scope', cell: ({ scope }) => (scope ? h('code', scope) : '–') },
        { label: 'Caller', cell: ({ principal }) => principal ?? 'unknown' },
        { label: 'From', cell: ({ remote }) => (remote ? h('span.mono', remote) : '–') },
        { label: 'Times', kind: 'num', cell: ({ count: times }) => count(times ?? 1) },
      ],
      key: ({ time, what, path, principal, remote }) => [time, what, path, principal, remote].join(' '),
      nothing: 'Nobody was denied anything.',
      caption: 'Denied accesses',
    });
    const view = region(page, {
      ask: (signal) => get('/api/denials', { limit: 200 }, signal),
      every: 5000,
      lines: 6,
      draw({ denials }, content) {
        if (!list.element.isConnected) {
          replace(content, h('section.card.flush', list.element));
        }
        list.show(denials);
      },
    });
    replace(
      page.root,
      head({
        title: 'Denied accesses',
        back: { href: '#/calls', label: 'Calls' },
        text: 'What was refused at the door: no token, a wrong one, or one that lacks a scope.',
      }),
      view.element,
    );
  },
};

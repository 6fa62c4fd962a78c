// Incidents: what was done in one session, or under one name, from its first call to its end.

import { post } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { count } from '../base/format.js';
import { when } from '../base/time.js';
import { dialog } from '../parts/dialog.js';
import { filters, segments } from '../parts/filters.js';
import { head } from '../parts/head.js';
import { icon } from '../parts/icons.js';
import { state } from '../parts/marks.js';
import { paged } from '../parts/paged.js';
import { table } from '../parts/table.js';
import { go } from '../shell/router.js';

const STATES = [
  ['', 'All'],
  ['open', 'Open'],
  ['closed', 'Closed'],
];

export default {
  title: 'Incidents',
  open(page) {
    const wanted = { status: page.query.status ?? '' };
    const list = table({
      columns: [
        {
          label: 'Incident',
          kind: 'main wide',
          cell: ({ id, title, principal }) => [
            h(
              'a.strong',
              { href: `#/incidents/${encodeURIComponent(id)}`, data: { focus: 'open' } },
              title || 'Session',
            ),
            h('div.sub', h('span.mono', id), principal ? ` · ${principal}` : ''),
          ],
        },
        { label: 'Status', cell: ({ status }) => state(status, status === 'open' ? 'info' : 'plain') },
        { label: 'Calls', kind: 'num', cell: ({ calls }) => count(calls) },
        {
          label: 'Errors',
          kind: 'num',
          cell: ({ errors }) => h('span', { class: errors ? 'bad-text' : 'faint' }, count(errors)),
        },
        { label: 'Begun', cell: ({ created }) => when(created) },
      ],
      key: ({ id }) => id,
      nothing: 'There is no incident. One begins with the first call of a session, or when it is opened here.',
      caption: 'Incidents',
    });
    const incidents = paged(page, { path: '/api/incidents', noun: 'incidents', list, query: () => wanted });
    const change = (value) => {
      wanted.status = value;
      page.setQuery(wanted);
      incidents.restart();
    };
    const begin = h(
      'button.primary',
      { type: 'button', on: { click: openOne } },
      icon('plus'),
      h('span', 'Open an incident'),
    );
    replace(
      page.root,
      head({
        title: 'Incidents',
        text: 'The calls of one session, or of one piece of work, in the order they happened.',
        actions: [begin],
      }),
      filters(segments({ label: 'Status', options: STATES, value: wanted.status, change })),
      h('section.card.flush', incidents.element),
    );
  },
};

function openOne() {
  const title = h('input', { id: 'incident-title', type: 'text', required: true, maxlength: '200', autofocus: true });
  dialog({
    title: 'Open an incident',
    body: h(
      'div.stack',
      h('div.field', h('label', { for: 'incident-title' }, 'What is it about?'), title),
      h('p.help', 'Calls belong to it when their request names it in the header ', h('code', 'Toolgate-Incident'), '.'),
    ),
    actions: [
      { label: 'Cancel', value: 'no' },
      {
        label: 'Open',
        kind: 'primary',
        value: 'yes',
        run: async () => {
          const { id } = await post('/api/incidents', { title: title.value.trim() });
          go(`/incidents/${encodeURIComponent(id)}`);
        },
      },
    ],
  });
}

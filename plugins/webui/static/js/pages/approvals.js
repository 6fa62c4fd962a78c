// Calls that wait for a person's yes or no: what would happen, with which arguments, until when.

import { get, post } from '../base/api.js';
import { h, keyed, replace } from '../base/dom.js';
import { moment, when } from '../base/time.js';
import { button } from '../parts/button.js';
import { card, facts, head } from '../parts/head.js';
import { icon } from '../parts/icons.js';
import { json } from '../parts/json.js';
import { state, tag } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { empty } from '../parts/states.js';
import { table } from '../parts/table.js';

const KINDS = { pending: 'warn', approved: 'ok', used: 'ok', declined: 'bad', expired: 'plain' };

export default {
  title: 'Approvals',
  open(page) {
    const waiting = h('div.stack-wide');
    const none = h(
      'section.card',
      empty(
        'Nothing waits for a decision. A call of a tool that needs approval, from a client that cannot ask its user, appears here.',
      ),
    );
    const decided = decidedTable();
    const past = card('Decided', decided.element);
    const view = region(page, {
      ask: (signal) => get('/api/approvals', { limit: 100 }, signal),
      every: 2000,
      draw({ approvals }, content) {
        if (!content.children.length) {
          replace(content, h('div.stack-wide', none, waiting, past));
        }
        const pending = approvals.filter(({ status }) => status === 'pending');
        none.hidden = pending.length > 0;
        keyed(
          waiting,
          pending,
          ({ id }) => id,
          (approval) => question(approval, () => view.refresh()),
        );
        const others = approvals.filter(({ status }) => status !== 'pending');
        past.hidden = !others.length;
        decided.show(others);
      },
    });
    replace(
      page.root,
      head({ title: 'Approvals', text: 'Calls that change something and wait for a person.' }),
      view.element,
    );
  },
};

function question(approval, refresh) {
  const reason = h('input', {
    id: `reason-${approval.id}`,
    type: 'text',
    maxlength: '500',
    placeholder: 'optional, goes into the ledger',
  });
  const decide = async (what) => {
    const body = reason.value.trim() ? { reason: reason.value.trim() } : {};
    await post(`/api/approvals/${encodeURIComponent(approval.id)}/${what}`, body);
    document.dispatchEvent(new Event('toolgate:approvals'));
  };
  return h(
    'article.card.question',
    { 'aria-label': `Call of ${approval.tool}` },
    h(
      'div.question-head',
      h('h2.mono', h('a', { href: `#/tools/${encodeURIComponent(approval.tool)}` }, approval.tool)),
      h(
        'div.tags',
        approval.risk ? tag(`risk: ${approval.risk}`, approval.risk === 'high' ? 'bad' : 'warn') : null,
        h('span.faint', 'ends ', when(approval.expires)),
      ),
    ),
    approval.effect ? h('p.effect', icon('alert'), h('span', approval.effect)) : null,
    json(approval.arguments ?? {}, { label: 'Arguments' }),
    facts([
      ['Caller', approval.principal],
      ['Plugin', h('a', { href: `#/plugins/${encodeURIComponent(approval.plugin)}` }, approval.plugin)],
      ['Asked', when(approval.created)],
      [
        'Incident',
        approval.incident
          ? h('a', { href: `#/incidents/${encodeURIComponent(approval.incident)}` }, h('code.break', approval.incident))
          : null,
      ],
    ]),
    h(
      'div.decision',
      h('div.field', h('label', { for: `reason-${approval.id}` }, 'Reason'), reason),
      h(
        'div.buttons',
        button({
          label: 'Decline',
          symbol: 'close',
          kind: 'danger-quiet',
          run: () => decide('decline'),
          done: 'Declined',
          after: refresh,
        }),
        button({
          label: 'Approve',
          symbol: 'check',
          kind: 'primary',
          run: () => decide('approve'),
          done: 'Approved',
          after: refresh,
        }),
      ),
    ),
  );
}

function decidedTable() {
  return table({
    columns: [
      {
        label: 'Tool',
        kind: 'main',
        cell: ({ tool, arguments: given }) =>
          h('details.more', h('summary.mono', tool), json(given ?? {}, { label: 'Arguments' })),
      },
      { label: 'Decision', cell: ({ status }) => state(status === 'used' ? 'approved, used' : status, KINDS[status]) },
      { label: 'By', cell: ({ decided_by: by }) => by ?? '–' },
      { label: 'Reason', cell: ({ reason }) => reason ?? '–' },
      { label: 'Caller', cell: ({ principal }) => principal ?? '–' },
      {
        label: 'When',
        cell: ({ decided_at: at, expires }) =>
          h('span', { title: 'when it was decided or ended' }, moment(at ?? expires)),
      },
    ],
    key: ({ id }) => id,
    nothing: '',
    caption: 'Decided approvals',
  });
}

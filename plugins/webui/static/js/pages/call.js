// One call, with all that is kept of it.

import { get, post } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { duration } from '../base/format.js';
import { moment, when } from '../base/time.js';
import { button } from '../parts/button.js';
import { card, facts, head } from '../parts/head.js';
import { json } from '../parts/json.js';
import { outcome, tag } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { result } from '../parts/result.js';
import { empty, trouble } from '../parts/states.js';

export default {
  title: 'Call',
  open(page) {
    const { id } = page.params;
    const view = region(page, {
      ask: (signal) => get(`/api/calls/${encodeURIComponent(id)}`, {}, signal),
      // One that is under way comes to its end, and what is kept of it is written a moment later.
      every: 3000,
      draw(call, content) {
        const text = JSON.stringify(call);
        if (content.dataset.shown !== text) {
          content.dataset.shown = text;
          draw(call, content);
        }
      },
    });
    replace(page.root, view.element);
  },
};

function draw(call, content) {
  const again = h('div');
  const replay = button({
    label: 'Replay',
    symbol: 'refresh',
    title: 'Send the same arguments again',
    async run() {
      try {
        replace(
          again,
          card('Result of the replay', result(await post(`/api/calls/${encodeURIComponent(call.id)}/replay`))),
        );
      } catch (error) {
        replace(again, card('Replay', trouble(error)));
      }
      again.scrollIntoView({ block: 'nearest' });
    },
  });
  const link = (href, text) => h('a', { href }, text);
  replace(
    content,
    head({
      title: call.tool ?? call.method,
      mono: true,
      back: { href: '#/calls', label: 'Calls' },
      marks: h('div.tags', outcome(call.outcome), call.dry_run ? tag('dry run', 'info') : null),
      actions: [
        call.arguments !== undefined && call.arguments !== null ? replay : null,
        call.tool && call.method === 'tools/call'
          ? h('a.button', { href: `#/tools/${encodeURIComponent(call.tool)}` }, 'The tool')
          : null,
      ].filter(Boolean),
    }),
    again,
    h(
      'div.columns',
      card(
        'Record',
        facts([
          ['Time', [moment(call.time), ' (', when(call.time), ')']],
          ['Took', duration(call.duration_ms)],
          [
            'Outcome',
            [outcome(call.outcome), call.reason && call.reason !== call.outcome ? h('div.sub', call.reason) : null],
          ],
          ['Caller', call.principal],
          ['Plugin', call.plugin ? link(`#/plugins/${encodeURIComponent(call.plugin)}`, call.plugin) : null],
          ['Runtime', call.runtime],
          ['Method', call.method ? h('code', call.method) : null],
          ['Era', call.era],
          ['Session', call.session ? h('code.break', call.session) : null],
          [
            'Incident',
            call.incident
              ? link(`#/incidents/${encodeURIComponent(call.incident)}`, h('code.break', call.incident))
              : null,
          ],
          [
            'Approval',
            call.approval
              ? link(`#/approvals?id=${encodeURIComponent(call.approval)}`, h('code.break', call.approval))
              : null,
          ],
          ['Digest of the arguments', call.arguments_sha256 ? h('code.break', call.arguments_sha256) : null],
          ['Id', h('code.break', call.id)],
        ]),
      ),
      h(
        'div.stack-wide',
        card('Arguments', kept(call.arguments)),
        card('Result', call.result === undefined || call.result === null ? kept(null) : result(call.result)),
      ),
    ),
  );
}

function kept(value) {
  return value === undefined || value === null
    ? empty('Not kept. The ledger keeps bodies only where its configuration says so.')
    : json(value, { label: 'Arguments' });
}

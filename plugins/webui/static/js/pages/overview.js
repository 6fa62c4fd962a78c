// How the gateway does, live: how much it is asked, how often that fails, how long it takes, what stands where.

import { get } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { amount, bytes, count, duration, percent, plural, span } from '../base/format.js';
import { bar } from '../charts/bar.js';
import { lineChart } from '../charts/line.js';
import { spark } from '../charts/spark.js';
import { card, cardWith, facts, head } from '../parts/head.js';
import { callTable } from '../parts/callout.js';
import { liveMark } from '../parts/live.js';
import { state } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { empty, skeleton, trouble } from '../parts/states.js';
import { table } from '../parts/table.js';

const ATTENTION = new Set(['error', 'unavailable']);

export default {
  title: 'Overview',
  open(page) {
    const live = liveMark();
    const body = h('div', skeleton(8));
    replace(page.root, head({ title: 'Overview', marks: live.element }), body);
    let view = null;
    const show = (overview) => {
      if (!view) {
        view = build(page);
        replace(body, view.element);
      }
      view.update(overview);
    };
    get('/api/overview', {}, page.signal).then(show, (error) => {
      if (!page.signal.aborted && !view) {
        replace(
          body,
          trouble(error, () => this.open(page)),
        );
      }
    });
    page.follow('/api/overview/stream', { onEvent: show, onState: live.show });
  },
};

function build(page) {
  const tiles = {
    rate: tile('Calls per second', { tone: 'one' }),
    errors: tile('Errors', { tone: 'bad' }),
    time: tile('Response time, p99', { tone: 'two' }),
    running: tile('Running now', {}),
    sessions: tile('Sessions', {}),
    plugins: tile('Plugins', { href: '#/plugins' }),
  };
  const calls = lineChart({
    label: 'Calls per second',
    series: [
      { name: 'calls', tone: 'one', filled: true },
      { name: 'errors', tone: 'bad', filled: true },
    ],
    format: amount,
  });
  const times = lineChart({
    label: 'Response time',
    series: [
      { name: 'p50', tone: 'two' },
      { name: 'p99', tone: 'three' },
    ],
    format: duration,
  });
  const slowest = slowTable();
  const about = h('div');
  const element = h(
    'div.stack-wide',
    h(
      'div.tiles',
      Object.values(tiles).map((one) => one.element),
    ),
    h('div.columns', h('section.card', calls.element), h('section.card', times.element)),
    h(
      'div.columns',
      card('Slowest tools', slowest.element),
      cardWith('Plugins', h('a', { href: '#/plugins' }, 'All'), pluginStates(page)),
    ),
    h(
      'div.columns',
      cardWith('Latest calls', h('a', { href: '#/calls' }, 'All'), latestCalls(page)),
      card('Gateway', about, stores(page)),
    ),
  );

  const update = (now) => {
    const { series } = now;
    const ms = 1000 / (series.step_ms || 1000);
    const perSecond = (values) => values.map((value) => value * ms);
    tiles.rate.update(amount(now.calls_per_second), `${count(now.calls_total)} in all`, series.calls);
    tiles.errors.update(percent(now.error_rate), `${count(now.errors_total)} in all`, series.errors);
    const lastTime = series.p99_ms.findLast((value) => Number.isFinite(value) && value > 0);
    tiles.time.update(
      duration(lastTime),
      `median ${duration(series.p50_ms.findLast((value) => Number.isFinite(value) && value > 0))}`,
      series.p99_ms,
    );
    tiles.running.update(count(now.in_flight), 'calls in flight');
    tiles.sessions.update(count(now.sessions), plural(now.tools, 'tool'));
    const { active = 0, idle = 0, starting = 0, failed = 0 } = now.plugins ?? {};
    tiles.plugins.update(
      `${active} / ${active + idle + starting + failed}`,
      failed ? `${failed} failed` : 'active',
      null,
      failed ? 'bad' : null,
    );
    calls.update({ stepMs: series.step_ms, values: [perSecond(series.calls), perSecond(series.errors)] });
    times.update({
      stepMs: series.step_ms,
      values: [gaps(series.p50_ms, series.calls), gaps(series.p99_ms, series.calls)],
    });
    slowest.show(now.slowest ?? []);
    replace(about, gateway(now));
  };
  return { element, update };
}

/** A second without a call has no response time. */
function gaps(times, calls) {
  return times.map((value, at) => (calls[at] > 0 ? value : null));
}

function tile(label, { tone, href }) {
  const value = h('div.tile-value', '–');
  const text = h('div.tile-text');
  const line = tone ? spark(tone) : null;
  const inner = [h('div.tile-label', label), value, text, line?.element];
  const element = href ? h('a.tile', { href }, inner) : h('div.tile', inner);
  return {
    element,
    update(number, words, values, kind) {
      value.textContent = number;
      text.textContent = words;
      text.className = `tile-text ${kind ?? ''}`;
      if (line && values) {
        line.update(values.slice(-60));
      }
    },
  };
}

function slowTable() {
  const shown = table({
    columns: [
      {
        label: 'Tool',
        kind: 'main',
        cell: ({ tool }) => h('a.mono', { href: `#/tools/${encodeURIComponent(tool)}`, data: { focus: 'open' } }, tool),
      },
      {
        label: 'p99',
        kind: 'num',
        cell: ({ p99_ms: ms, share }) => h('div.barred', duration(ms), bar(share, 'three')),
      },
      { label: 'Mean', kind: 'num', cell: ({ avg_ms: ms }) => duration(ms) },
      { label: 'Calls', kind: 'num', cell: ({ calls }) => count(calls) },
      {
        label: 'Errors',
        kind: 'num',
        cell: ({ errors }) => h('span', { class: errors ? 'bad-text' : 'faint' }, count(errors)),
      },
    ],
    key: ({ tool }) => tool,
    nothing: 'No tool has been called yet.',
    caption: 'Slowest tools',
  });
  return {
    element: shown.element,
    show(tools) {
      const largest = Math.max(...tools.map(({ p99_ms: ms }) => ms), 0) || 1;
      shown.show(tools.slice(0, 8).map((tool) => ({ ...tool, share: tool.p99_ms / largest })));
    },
  };
}

function pluginStates(page) {
  return region(page, {
    ask: (signal) => get('/api/v1/plugin/report', {}, signal),
    every: 5000,
    draw({ data }, content) {
      const sorted = [...data.plugins].sort(
        (a, b) =>
          ATTENTION.has(b.status) - ATTENTION.has(a.status) ||
          b.calls_in_flight - a.calls_in_flight ||
          a.id.localeCompare(b.id),
      );
      if (!sorted.length) {
        replace(content, empty('No plugin is registered.', h('a', { href: '#/plugins' }, 'See what was found')));
        return;
      }
      replace(
        content,
        h(
          'ul.plain-list',
          sorted
            .slice(0, 10)
            .map((plugin) =>
              h(
                'li.line',
                h('a', { href: `#/plugins/${encodeURIComponent(plugin.id)}` }, plugin.id),
                h(
                  'span.line-end',
                  plugin.error_count ? h('span.faint', plural(plugin.error_count, 'failure')) : null,
                  state(plugin.status),
                ),
              ),
            ),
        ),
        sorted.length > 10 ? h('p.faint', `and ${sorted.length - 10} more`) : null,
      );
    },
  }).element;
}

function latestCalls(page) {
  const list = callTable({ isShort: true, nothing: 'Nothing was called yet.' });
  return region(page, {
    ask: (signal) => get('/api/calls', { limit: 6 }, signal),
    every: 3000,
    draw({ calls }, content) {
      list.show(calls);
      if (!list.element.isConnected) {
        content.append(list.element);
      }
    },
  }).element;
}

function gateway(now) {
  const { process: used = {} } = now;
  return facts([
    ['Version', now.version],
    ['Up for', span(now.uptime_seconds)],
    ['Memory', bytes(used.rss_bytes)],
    ['Processor time', span(used.cpu_seconds)],
    ['Threads', count(used.threads)],
    ['Open files', count(used.open_files)],
  ]);
}

function stores(page) {
  const both = async (signal) => {
    const [ledger, events] = await Promise.allSettled([
      get('/api/ledger', {}, signal),
      get('/api/events/status', {}, signal),
    ]);
    return { ledger: ledger.value, events: events.value };
  };
  return region(page, {
    ask: both,
    every: 10_000,
    lines: 2,
    draw({ ledger, events }, content) {
      replace(
        content,
        facts([
          [
            'Ledger',
            ledger
              ? [
                  state(
                    ledger.backend === 'off' ? 'off' : ledger.healthy ? ledger.backend : 'failed',
                    ledger.backend === 'off' ? 'plain' : ledger.healthy ? 'ok' : 'bad',
                  ),
                  ledger.dropped ? h('span.bad-text', ` ${plural(ledger.dropped, 'record')} lost`) : null,
                ]
              : null,
          ],
          [
            'Events',
            events
              ? [
                  state(events.backend, events.healthy ? 'ok' : 'bad'),
                  events.dead ? h('span.warn-text', ` ${count(events.dead)} dead`) : null,
                ]
              : null,
          ],
        ]),
      );
    },
  }).element;
}

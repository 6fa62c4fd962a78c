// One plugin: how it is, what it may do and why not more, what runs of it, what it said.

import { get, plugins as api } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { count, duration, span, words } from '../base/format.js';
import { button } from '../parts/button.js';
import { confirm } from '../parts/dialog.js';
import { card, facts, head } from '../parts/head.js';
import { logView } from '../parts/log.js';
import { state, tag } from '../parts/marks.js';
import { power } from '../parts/power.js';
import { region } from '../parts/region.js';
import { empty, notFound } from '../parts/states.js';
import { backgroundTable, instanceTable, lifeTable, toolTable } from '../parts/plugin-tables.js';
import { go } from '../shell/router.js';

export default {
  title: 'Plugin',
  open(page) {
    const { id } = page.params;
    const top = h('div');
    const problem = h('div');
    const body = h('div.columns.plugin-columns');
    const tables = {
      tools: toolTable(),
      instances: instanceTable(),
      background: backgroundTable(() => view.refresh()),
      life: lifeTable(),
    };
    const parts = { facts: h('div'), grants: h('div'), routes: h('div') };
    const view = region(page, {
      ask: (signal) => load(id, signal),
      every: 3000,
      lines: 8,
      draw(data, content) {
        if (!content.children.length) {
          replace(
            body,
            h(
              'div.stack-wide',
              card('About', parts.facts),
              card('Grants', parts.grants),
              card('Tools', tables.tools.element),
              card('Routes', parts.routes),
            ),
            h(
              'div.stack-wide',
              card('Instances', tables.instances.element),
              card('Background work', tables.background.element),
              card('Log', logView(page, id)),
              card('Life', tables.life.element),
            ),
          );
          replace(content, top, problem, body);
        }
        show(id, data, { top, problem, parts, tables, refresh: view.refresh });
      },
    });
    replace(page.root, view.element);
  },
};

async function load(id, signal) {
  const optional = (work, fallback) =>
    work.catch((error) => {
      if (signal.aborted) {
        throw error;
      }
      return fallback;
    });
  const [info, report, ps, status, tools, life] = await Promise.all([
    optional(api.get('get', { id }, signal), null),
    api.get('report', {}, signal),
    api.get('ps', {}, signal),
    optional(get('/ext/status', {}, signal), { extensions: {} }),
    get('/api/tools', { all: true }, signal),
    optional(get('/api/life', { plugin: id, limit: 12 }, signal), { events: [] }),
  ]);
  return {
    info,
    status: status.extensions?.[id],
    report: report.plugins.find((plugin) => plugin.id === id),
    instances: ps.instances.filter(({ plugin }) => plugin === id),
    tools: tools.filter(({ plugin }) => plugin === id),
    life: life.events,
  };
}

function show(id, { info, status, report, instances, tools, life }, { top, problem, parts, tables, refresh }) {
  if (!info) {
    replace(top, notFound(`There is no plugin ${id}.`, h('a', { href: '#/plugins' }, 'All plugins')));
    return;
  }
  const signature = JSON.stringify([info.state, info.registered]);
  if (top.dataset.shown !== signature) {
    top.dataset.shown = signature;
    replace(
      top,
      head({
        title: id,
        mono: true,
        back: { href: '#/plugins', label: 'Plugins' },
        text: status?.info?.description ?? (info.name !== id ? info.name : null),
        marks: state(info.state),
        actions: actions(info, refresh),
      }),
    );
  }
  const error = info.error ?? report?.error;
  replace(problem, error ? h('pre.alert.bad.lines', { tabindex: '0' }, error) : null);
  replace(parts.facts, facts(about(info, report, status)));
  replace(parts.grants, grants(info, status));
  replace(parts.routes, routes(id, status));
  tables.tools.show(tools);
  tables.instances.show(instances.map((one) => ({ ...one, age_seconds: Math.floor(one.age_seconds) })));
  tables.background.show((status?.background ?? []).map((work) => ({ ...work, plugin: id })));
  tables.life.show(life);
}

function actions(info, refresh) {
  const { id } = info;
  const act = (label, symbol, what, done, body = {}) =>
    button({ label, symbol, run: () => api.post(what, { id, ...body }), done, after: refresh });
  if (!info.registered) {
    return [act('Register', 'plus', 'register', `Registered ${id}`)];
  }
  const takeOut = button({
    label: 'Unregister',
    symbol: 'trash',
    kind: 'quiet',
    run: async () => {
      if (
        await confirm(
          `Take ${id} out?`,
          'Its tools are no longer listed, and its calls come to their end. It can be registered again.',
          'Unregister',
        )
      ) {
        await api.post('unregister', { id });
        go('/plugins');
      }
    },
  });
  return [
    power(info, refresh, ''),
    info.state === 'source_only' || info.state === 'error'
      ? act('Build', 'hammer', 'build', `Built ${id}`, { rebuild: true })
      : null,
    h('a.button', { href: `#/settings/${encodeURIComponent(id)}` }, 'Settings'),
    h('a.button', { href: `#/calls?plugin=${encodeURIComponent(id)}` }, 'Calls'),
    takeOut,
  ].filter(Boolean);
}

function about(info, report, status) {
  const health = report?.health;
  const details = health?.details ?? {};
  return [
    [
      'Health',
      health
        ? [
            state(health.status),
            details.error ? h('div.sub.bad-text', details.error) : null,
            details.circuit ? h('div.sub', `circuit ${words(details.circuit)}`) : null,
          ]
        : null,
    ],
    ['Up for', report?.uptime_seconds ? span(report.uptime_seconds) : null],
    ['Calls running', report ? count(report.calls_in_flight) : null],
    ['Calls so far', status?.metrics ? `${count(status.metrics.calls)}, ${count(status.metrics.faults)} failed` : null],
    ['Mean time', status?.metrics?.calls ? duration(status.metrics.avg_ms) : null],
    ['Failures', report ? `${count(report.error_count)}, ${count(report.restarts)} restarts` : null],
    ['Started in', report?.init_time_ms ? duration((report.load_time_ms ?? 0) + report.init_time_ms) : null],
    ['Version', info.version],
    ['Kind', info.type],
    ['Runtime', info.runtime],
    ['Starts', info.auto_start ? 'with the gateway' : 'at its first use'],
    ['Comes from', info.source ? h('code', info.source) : null],
  ];
}

function grants(info, status) {
  const granted = status?.grants ?? info.grants ?? [];
  const denied = status?.denied ?? {};
  const names = [...new Set([...(status?.requested ?? []), ...granted, ...Object.keys(denied)])].sort();
  if (!names.length) {
    return empty('It asks for nothing, and may do nothing.');
  }
  return h(
    'ul.plain-list',
    names.map((name) =>
      h(
        'li.line',
        h('span.mono', name),
        granted.includes(name)
          ? state('granted', 'ok')
          : h('span.line-end', h('span.faint', denied[name] ?? 'not granted'), state('denied', 'bad')),
      ),
    ),
  );
}

function routes(id, status) {
  const own = status?.routes ?? [];
  if (!own.length && !status?.static) {
    return empty('It answers no requests of its own.');
  }
  const base = `../../ext/${encodeURIComponent(id)}`;
  return h(
    'ul.plain-list',
    own.map(({ method, path, tool }) =>
      h(
        'li.line',
        h('span', tag(method), ' ', h('code', `/ext/${id}${path.startsWith('/') ? '' : '/'}${path}`)),
        tool ? h('span.faint', `tool ${tool}`) : null,
      ),
    ),
    status?.static ? h('li.line', h('a', { href: `${base}/` }, `/ext/${id}/`), h('span.faint', 'files')) : null,
  );
}

// All plugins: where they stand, what they cost, and the switch of each.

import { plugins as api } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { bytes, count, plural, span } from '../base/format.js';
import { button } from '../parts/button.js';
import { filters, matches, search, segments } from '../parts/filters.js';
import { card, head } from '../parts/head.js';
import { state, tag } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { table } from '../parts/table.js';
import { power } from '../parts/power.js';

const STATES = [
  ['', 'All'],
  ['running', 'Running'],
  ['idle', 'Not running'],
  ['failed', 'Failed'],
];

export default {
  title: 'Plugins',
  open(page) {
    const wanted = { q: page.query.q ?? '', state: page.query.state ?? '' };
    let all = { registered: [], unregistered: [] };
    const list = pluginTable(page, () => view.refresh());
    const found = foundTable(() => view.refresh());
    const foundCard = card('Found, and not registered', found.element);
    const show = () => {
      page.setQuery(wanted);
      const fits = (plugin) =>
        matches(wanted.q, plugin.id, plugin.name, plugin.runtime, plugin.type) &&
        (!wanted.state || group(plugin) === wanted.state);
      list.show(all.registered.filter(fits));
      const others = all.unregistered.filter(fits);
      found.show(others);
      foundCard.hidden = !others.length;
    };
    const change = (name) => (value) => {
      wanted[name] = value;
      show();
    };
    const view = region(page, {
      ask: load,
      every: 3000,
      lines: 8,
      draw(data, content) {
        all = data;
        if (!content.children.length) {
          replace(content, h('section.card.flush', list.element), foundCard);
        }
        show();
      },
    });
    const reload = button({
      label: 'Reload',
      symbol: 'refresh',
      title: 'Read the configuration and the plugin directories again',
      run: () => api.post('reload', {}),
      done: (outcome) => said(outcome),
      after: view.refresh,
    });
    replace(
      page.root,
      head({ title: 'Plugins', text: 'What stands behind the gateway.', actions: [reload] }),
      filters(
        search({ label: 'Search plugins', value: wanted.q, change: change('q') }),
        segments({ label: 'State', options: STATES, value: wanted.state, change: change('state') }),
      ),
      view.element,
    );
  },
};

async function load(signal) {
  const [listing, report, ps] = await Promise.all([
    api.get('list', {}, signal),
    api.get('report', {}, signal),
    api.get('ps', {}, signal),
  ]);
  const known = new Map(report.plugins.map((plugin) => [plugin.id, plugin]));
  const registered = listing.registered.map((plugin) => {
    const instances = ps.instances.filter((instance) => instance.plugin === plugin.id);
    const memory = instances.reduce((sum, { memory_bytes: size }) => sum + (size ?? 0), 0);
    const { uptime_seconds: uptime = 0, ...rest } = known.get(plugin.id) ?? {};
    // In whole minutes after the first, so that a row is drawn again only when it reads otherwise.
    const shown = uptime > 60 ? Math.floor(uptime / 60) * 60 : Math.floor(uptime);
    return {
      ...plugin,
      instances: instances.length,
      memory: Math.round(memory / 1e5) * 1e5,
      uptime: shown,
      failures: rest.error_count ?? 0,
      restarts: rest.restarts ?? 0,
      health: rest.health?.status ?? 'unknown',
      running: rest.calls_in_flight ?? 0,
    };
  });
  return { registered, unregistered: listing.unregistered };
}

function group({ state: now, is_exited: isExited }) {
  if (now === 'error' || now === 'unavailable' || now === 'incomplete') {
    return 'failed';
  }
  return isExited ? 'idle' : 'running';
}

function pluginTable(page, refresh) {
  return table({
    columns: [
      { label: 'Plugin', kind: 'main', cell: name },
      {
        label: 'State',
        cell: (plugin) => [
          state(plugin.state),
          plugin.health !== 'unknown' && plugin.health !== 'healthy' ? [' ', tag(plugin.health, 'warn')] : null,
        ],
      },
      { label: 'Tools', kind: 'num', cell: ({ tools }) => count(tools) },
      {
        label: 'Instances',
        kind: 'num',
        cell: ({ instances, running }) => [count(instances), running ? h('span.faint', ` (${running} busy)`) : null],
      },
      { label: 'Memory', kind: 'num', cell: ({ memory }) => (memory ? bytes(memory) : '–') },
      {
        label: 'Failures',
        kind: 'num',
        cell: ({ failures }) => h('span', { class: failures ? 'bad-text' : 'faint' }, count(failures)),
      },
      { label: 'Up for', kind: 'num', cell: ({ uptime }) => (uptime ? span(uptime) : '–') },
      { label: '', kind: 'fit end', cell: (plugin) => power(plugin, refresh) },
    ],
    key: ({ id }) => id,
    nothing: 'No plugin fits.',
    caption: 'Registered plugins',
  });
}

function name(plugin) {
  return [
    h('a.strong', { href: `#/plugins/${encodeURIComponent(plugin.id)}`, data: { focus: 'open' } }, plugin.id),
    h(
      'div.sub',
      [plugin.name !== plugin.id ? plugin.name : null, plugin.version, plugin.runtime].filter(Boolean).join(' · '),
    ),
    plugin.error ? h('div.sub.bad-text.clip', { title: plugin.error }, plugin.error.split('\n')[0]) : null,
  ];
}

function foundTable(refresh) {
  return table({
    columns: [
      {
        label: 'Plugin',
        kind: 'main',
        cell: (plugin) => [
          h('a.strong', { href: `#/plugins/${encodeURIComponent(plugin.id)}`, data: { focus: 'open' } }, plugin.id),
          h('div.sub', [plugin.version, plugin.runtime, plugin.source].filter(Boolean).join(' · ')),
          plugin.error ? h('div.sub.bad-text.lines', plugin.error) : null,
        ],
      },
      { label: 'State', cell: (plugin) => state(plugin.state) },
      {
        label: '',
        kind: 'fit end',
        cell: (plugin) =>
          plugin.state === 'available' || plugin.state === 'source_only'
            ? button({
                label: 'Register',
                kind: 'small',
                run: () => api.post('register', { id: plugin.id }),
                done: `Registered ${plugin.id}`,
                after: refresh,
              })
            : null,
      },
    ],
    key: ({ id }) => id,
    nothing: '',
    caption: 'Plugins that are not registered',
  });
}

function said(outcome) {
  const lists = ['added', 'changed', 'removed', 'failed'].filter(
    (word) => Array.isArray(outcome?.[word]) && outcome[word].length,
  );
  return lists.length
    ? lists.map((word) => plural(outcome[word].length, `plugin ${word}`, `plugins ${word}`)).join(', ')
    : 'Read again: nothing has changed';
}

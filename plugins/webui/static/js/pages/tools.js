// All tools, also those that are not listed, each with its switch.

import { get, put } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { plural } from '../base/format.js';
import { toggle } from '../parts/button.js';
import { choose, filters, matches, search, segments } from '../parts/filters.js';
import { head } from '../parts/head.js';
import { tag } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { table } from '../parts/table.js';
import { empty } from '../parts/states.js';

const KINDS = [
  ['', 'All'],
  ['diagnostic', 'Diagnostic'],
  ['remediation', 'Remediation'],
  ['hidden', 'Not listed'],
];

export default {
  title: 'Tools',
  open(page) {
    const wanted = { q: page.query.q ?? '', plugin: page.query.plugin ?? '', kind: page.query.kind ?? '' };
    let all = [];
    const total = h('span.faint', { role: 'status' });
    const list = toolTable(
      () => all.length === 0,
      () => view.refresh(),
    );
    const byPlugin = choose({
      label: 'Plugin',
      options: [['', 'All plugins']],
      value: wanted.plugin,
      change: (value) => set('plugin', value),
    });
    const show = () => {
      page.setQuery(wanted);
      const fits = all.filter(
        (tool) =>
          matches(wanted.q, tool.name, tool.title, tool.description, tool.plugin) &&
          (!wanted.plugin || tool.plugin === wanted.plugin) &&
          (!wanted.kind || (wanted.kind === 'hidden' ? !isOffered(tool) : tool.category === wanted.kind)),
      );
      list.show(fits);
      total.textContent =
        fits.length === all.length ? plural(all.length, 'tool') : `${fits.length} of ${plural(all.length, 'tool')}`;
    };
    const set = (name, value) => {
      wanted[name] = value;
      show();
    };
    const view = region(page, {
      ask: load,
      every: 5000,
      lines: 8,
      draw(tools, content) {
        all = tools;
        byPlugin.toolgateFill([
          ['', 'All plugins'],
          ...[...new Set(all.map(({ plugin }) => plugin))].sort().map((id) => [id, id]),
        ]);
        if (!content.children.length) {
          replace(content, h('section.card.flush', list.element));
        }
        show();
      },
    });
    replace(
      page.root,
      head({ title: 'Tools', text: 'What clients can call through this gateway.' }),
      filters(
        search({ label: 'Search tools', value: wanted.q, change: (value) => set('q', value) }),
        byPlugin,
        segments({ label: 'Kind', options: KINDS, value: wanted.kind, change: (value) => set('kind', value) }),
        total,
      ),
      view.element,
    );
  },
};

/** Both lists together: one knows what is not listed and why, the other what was switched off. */
async function load(signal) {
  const [tools, switches] = await Promise.all([
    get('/api/tools', { all: true }, signal),
    get('/api/plugins', {}, signal).catch(() => []),
  ]);
  const states = new Map(switches.map((tool) => [tool.name, tool]));
  const known = new Set(tools.map(({ name }) => name));
  const off = switches.filter(({ name }) => !known.has(name)).map((tool) => ({ ...tool, listed: false }));
  return [...tools, ...off].map((tool) => {
    const { input_schema: _input, output_schema: _output, parameters: _parameters, ...rest } = tool;
    const more = states.get(tool.name);
    return {
      ...rest,
      description: tool.description ?? more?.description,
      enabled: more?.enabled ?? tool.enabled ?? true,
      requires_approval: tool.requires_approval ?? more?.requires_approval,
      canSwitch: Boolean(more),
    };
  });
}

function tags(tool) {
  const all = [
    tool.category ? tag(tool.category, tool.category === 'remediation' ? 'warn' : 'info') : null,
    tool.requires_approval ? tag('approval', 'plain', 'A person has to approve each call') : null,
    tool.listed === false && tool.enabled !== false ? tag('not listed', 'warn') : null,
    tool.enabled === false ? tag('off', 'bad') : null,
  ].filter(Boolean);
  return all.length ? h('div.tags', all) : null;
}

function isOffered(tool) {
  return tool.listed !== false && tool.enabled !== false;
}

function toolTable(isNone, refresh) {
  return table({
    columns: [
      {
        label: 'Tool',
        kind: 'main wide',
        cell: ({ name, title, description, reason, listed }) => [
          h('a.mono.strong', { href: `#/tools/${encodeURIComponent(name)}`, data: { focus: 'open' } }, name),
          h('div.sub.clip-2', listed === false && reason ? reason : (description ?? title ?? '')),
        ],
      },
      { label: 'Plugin', cell: ({ plugin }) => h('a', { href: `#/plugins/${encodeURIComponent(plugin)}` }, plugin) },
      { label: 'Kind', cell: tags },
      {
        label: 'On',
        kind: 'fit end',
        cell: ({ name, enabled, canSwitch }) =>
          canSwitch
            ? toggle({
                label: name,
                on: enabled,
                focus: 'switch',
                set: (on) => put(`/api/plugins/${encodeURIComponent(name)}/toggle`, { enabled: on }).then(refresh),
              })
            : null,
      },
    ],
    key: ({ name, plugin }) => `${plugin} ${name}`,
    nothing: () =>
      isNone()
        ? empty('No plugin offers a tool.', h('a', { href: '#/plugins' }, 'See the plugins'))
        : empty('No tool fits what you search for.'),
    caption: 'Tools',
  });
}

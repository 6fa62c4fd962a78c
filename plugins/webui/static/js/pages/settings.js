// Settings of the plugins: what holds, which layer says so, and what is changed while all runs.

import { get, put } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { plural } from '../base/format.js';
import { card, cardWith, head } from '../parts/head.js';
import { json } from '../parts/json.js';
import { tag } from '../parts/marks.js';
import { region } from '../parts/region.js';
import { settingsForm } from '../form/settings.js';
import { empty } from '../parts/states.js';

export default {
  title: 'Settings',
  open(page) {
    const chosen = page.params.id;
    const view = region(page, {
      ask: (signal) => get('/api/config', {}, signal),
      lines: 8,
      draw: (config, content) => draw(config, chosen, content, view),
    });
    replace(
      page.root,
      head({
        title: 'Settings',
        text: 'A plugin takes a change while it runs. What the file or the environment says holds until it is changed here.',
      }),
      view.element,
    );
  },
};

function draw({ plugins = {}, gateway = {} }, chosen, content, view) {
  const ids = Object.keys(plugins).sort();
  const isGateway = chosen === undefined;
  const link = (href, text, count, isHere) =>
    h('a', { href, 'aria-current': isHere ? 'page' : null }, h('span', text), count ? h('span.faint', count) : null);
  const list = h(
    'nav.side-list',
    { 'aria-label': 'Whose settings' },
    link('#/settings', 'Gateway', null, isGateway),
    ids.map((id) => link(`#/settings/${encodeURIComponent(id)}`, id, changed(plugins[id]), id === chosen)),
  );
  replace(
    content,
    h('div.columns.list-left', list, isGateway ? gatewayCard(gateway) : pluginCard(chosen, plugins[chosen], view)),
  );
}

function changed({ layers = {} }) {
  const own = Object.values(layers).filter((layer) => layer === 'store').length;
  return own ? plural(own, 'change') : null;
}

function gatewayCard(gateway) {
  return card(
    'Gateway',
    h(
      'p.help',
      'These are the settings of the file, with secrets masked. They are changed in the file; ',
      h('a', { href: '#/plugins' }, 'reload'),
      ' takes in what can change without a restart.',
    ),
    json(gateway, { label: 'Settings of the gateway' }),
  );
}

function pluginCard(id, settings, view) {
  if (!settings) {
    return card(id, empty('There is no plugin of that name.', h('a', { href: '#/settings' }, 'All settings')));
  }
  const keys = new Set([...Object.keys(settings.schema?.properties ?? {}), ...Object.keys(settings.config ?? {})]);
  const aside = settings.needs_restart
    ? tag('needs a restart', 'warn', 'The plugin is started anew when its settings change')
    : null;
  const body = keys.size
    ? settingsForm(settings, async (change) => {
        await put(`/api/config/${encodeURIComponent(id)}`, change);
        await view.refresh();
      })
    : empty('It has no settings.');
  return cardWith(
    id,
    aside,
    body,
    settings.schema
      ? h('details.more', h('summary', 'Schema'), json(settings.schema, { label: 'Schema of the settings' }))
      : null,
  );
}

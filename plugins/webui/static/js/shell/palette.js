// Goes anywhere by name: Ctrl+K, a few letters, Enter. It knows the sections, the tools and the plugins.

import { get, plugins } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { icon } from '../parts/icons.js';
import { matches } from '../parts/filters.js';
import { go } from './router.js';
import { SECTIONS } from './sections.js';

const MOST = 40;

export const palette = {
  start() {
    document.addEventListener('keydown', (event) => {
      const isCalled =
        event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
      if (isCalled && !document.querySelector('dialog[open]')) {
        event.preventDefault();
        open();
      }
    });
  },
  open,
};

function open() {
  let places = SECTIONS.map(({ path, label, icon: symbol }) => ({
    name: label,
    kind: 'Section',
    symbol,
    hash: `/${path}`,
  }));
  let shown = [];
  let at = 0;
  const list = h('ul.palette-list', { role: 'listbox', id: 'palette-list', 'aria-label': 'Places' });
  const input = h('input', {
    type: 'text',
    role: 'combobox',
    'aria-expanded': 'true',
    'aria-controls': 'palette-list',
    'aria-label': 'Go to',
    'aria-autocomplete': 'list',
    placeholder: 'Go to a section, tool or plugin',
    autocomplete: 'off',
    spellcheck: 'false',
    autofocus: true,
  });
  const element = h('dialog.palette', { 'aria-label': 'Go to' }, h('div.palette-head', icon('search'), input), list);

  const choose = (place) => {
    element.close();
    if (place) {
      go(place.hash);
    }
  };
  const draw = () => {
    replace(
      list,
      shown.length
        ? shown.map((place, index) =>
            h(
              'li',
              {
                role: 'option',
                id: `palette-${index}`,
                'aria-selected': String(index === at),
                on: { click: () => choose(place), pointermove: () => mark(index) },
              },
              icon(place.symbol),
              h('span.grow', { class: place.kind === 'Section' ? '' : 'mono' }, place.name),
              h('span.faint', place.kind),
            ),
          )
        : h('li.palette-none', 'Nothing is called that.'),
    );
    input.setAttribute('aria-activedescendant', shown.length ? `palette-${at}` : '');
  };
  const mark = (index) => {
    if (index !== at) {
      at = index;
      draw();
      list.children[at]?.scrollIntoView({ block: 'nearest' });
    }
  };
  const search = () => {
    shown = places.filter(({ name, kind }) => matches(input.value, name, kind)).slice(0, MOST);
    at = 0;
    draw();
  };
  input.addEventListener('input', search);
  input.addEventListener('keydown', (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && shown.length) {
      event.preventDefault();
      mark((at + by + shown.length) % shown.length);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      choose(shown[at]);
    }
  });
  element.addEventListener('click', (event) => event.target === element && element.close());
  element.addEventListener('close', () => element.remove());
  document.body.append(element);
  element.showModal();
  search();
  more().then((found) => {
    places = [...places, ...found];
    search();
  });
}

/** Tools and plugins; what cannot be had is left out. */
async function more() {
  const [tools, report] = await Promise.all([
    get('/api/tools').catch(() => []),
    plugins.get('report').catch(() => ({ plugins: [] })),
  ]);
  return [
    ...tools.map(({ name }) => ({ name, kind: 'Tool', symbol: 'wrench', hash: `/tools/${encodeURIComponent(name)}` })),
    ...report.plugins.map(({ id }) => ({
      name: id,
      kind: 'Plugin',
      symbol: 'plug',
      hash: `/plugins/${encodeURIComponent(id)}`,
    })),
  ];
}

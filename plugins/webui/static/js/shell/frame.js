// The frame around every section: navigation, what the gateway is called, the colour scheme, the token.

import { get } from '../base/api.js';
import { credentials } from '../base/credentials.js';
import { h, replace } from '../base/dom.js';
import { icon } from '../parts/icons.js';
import { keys } from './keys.js';
import { palette } from './palette.js';
import { SECTIONS } from './sections.js';
import { theme } from './theme.js';

const COUNT_EVERY_MS = 10_000;

/** Builds it. `main` is where sections are drawn; `navigated` is to be told of each. */
export function frame() {
  const main = h('main', { id: 'main', tabindex: '-1' });
  const links = new Map();
  const nav = h(
    'nav.nav',
    { 'aria-label': 'Sections', id: 'nav' },
    SECTIONS.map((section) => link(section, links)),
  );
  const menu = h(
    'button.icon-button.menu-button',
    {
      type: 'button',
      'aria-label': 'Menu',
      'aria-expanded': 'false',
      'aria-controls': 'side',
      on: { click: () => toggle(!side.classList.contains('open')) },
    },
    icon('menu'),
  );
  const foot = h('div.side-foot');
  const side = h('aside.side', { id: 'side' }, brand(), nav, foot);
  const veil = h('div.veil', { on: { click: () => toggle(false) } });
  const bar = h('header.bar', menu, h('a.bar-brand', { href: '#/' }, mark(), 'toolgate'));

  const toggle = (open) => {
    side.classList.toggle('open', open);
    veil.classList.toggle('open', open);
    menu.setAttribute('aria-expanded', String(open));
    if (open) {
      nav.querySelector('a').focus();
    }
  };
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && side.classList.contains('open')) {
      toggle(false);
      menu.focus();
    }
  });

  const skip = h('button.skip', { type: 'button', on: { click: () => main.focus() } }, 'Skip to the content');
  document.body.append(skip, bar, side, veil, main);
  footer(foot);
  credentials.watch(() => footer(foot));
  countApprovals(links.get('approvals'));

  let first = true;
  const navigated = (path, page) => {
    for (const [name, anchor] of links) {
      if (name === path) {
        anchor.setAttribute('aria-current', 'page');
      } else {
        anchor.removeAttribute('aria-current');
      }
    }
    toggle(false);
    keys.entered(page);
    if (!first) {
      main.focus({ preventScroll: true });
    }
    first = false;
  };
  return { main, navigated };
}

function link(section, links) {
  const badge = h('span.badge.nav-badge', { hidden: true });
  const anchor = h(
    'a',
    { href: `#/${section.path}`, title: `${section.label}: press g, then ${section.key}` },
    icon(section.icon),
    h('span', section.label),
    badge,
  );
  links.set(section.path, anchor);
  return section.group ? [h('div.nav-group', section.group), anchor] : anchor;
}

function brand() {
  const version = h('span.brand-version');
  get('/health').then(
    (health) => {
      if (health?.version) {
        version.textContent = health.version;
      }
    },
    () => {},
  );
  return h('a.brand', { href: '#/' }, mark(), h('span', 'toolgate'), version);
}

function mark() {
  return h('img', { src: 'favicon.svg', alt: '', width: '22', height: '22' });
}

function footer(foot) {
  const scheme = h('button.side-action', { type: 'button' });
  const looks = () => replace(scheme, icon(theme.icon()), h('span', theme.label()));
  scheme.addEventListener('click', () => {
    theme.next();
    looks();
  });
  looks();
  const anywhere = h(
    'button.side-action',
    { type: 'button', on: { click: () => palette.open() } },
    icon('search'),
    h('span', 'Go to'),
    h('kbd', 'Ctrl K'),
  );
  const help = h(
    'button.side-action',
    { type: 'button', on: { click: () => keys.show() } },
    icon('keyboard'),
    h('span', 'Keys'),
    h('kbd', '?'),
  );
  const forget = credentials.token()
    ? h(
        'button.side-action',
        {
          type: 'button',
          on: {
            click: () => {
              credentials.set(null);
              window.location.reload();
            },
          },
        },
        icon('key'),
        h('span', 'Forget the token'),
      )
    : null;
  replace(foot, anywhere, help, scheme, forget);
}

function countApprovals(anchor) {
  const badge = anchor.querySelector('.nav-badge');
  const look = async () => {
    if (document.hidden) {
      return;
    }
    try {
      const { approvals } = await get('/api/approvals', { status: 'pending', limit: 100 });
      badge.hidden = approvals.length === 0;
      badge.textContent = approvals.length;
      badge.setAttribute('aria-label', `${approvals.length} waiting`);
    } catch {
      badge.hidden = true;
    }
  };
  look();
  setInterval(look, COUNT_EVERY_MS);
  document.addEventListener('toolgate:approvals', look);
}

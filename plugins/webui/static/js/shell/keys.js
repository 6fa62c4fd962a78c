// Keys: `g` and a letter go to a section, `/` to the search, `j` and `k` through rows, `?` shows all of them.

import { h } from '../base/dom.js';
import { dialog } from '../parts/dialog.js';
import { go } from './router.js';
import { SECTIONS } from './sections.js';

const SECOND_KEY_MS = 1500;

let leader = 0;
let page = null;

export const keys = {
  start() {
    document.addEventListener('keydown', pressed);
  },
  /** Another section is shown. */
  entered(entered) {
    page = entered;
  },
  show,
};

function pressed(event) {
  const busy = event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented;
  if (busy || isTyping(event.target) || document.querySelector('dialog[open]')) {
    return;
  }
  if (Date.now() - leader < SECOND_KEY_MS) {
    leader = 0;
    const section = SECTIONS.find(({ key }) => key === event.key);
    if (section) {
      event.preventDefault();
      go(`/${section.path}`);
      return;
    }
  }
  if (event.key === 'g') {
    leader = Date.now();
  } else if (event.key === '/') {
    const search = page?.root.querySelector('[data-search]');
    if (search) {
      event.preventDefault();
      search.focus();
      search.select?.();
    }
  } else if (event.key === 'j' || event.key === 'k') {
    step(event.key === 'j' ? 1 : -1);
  } else if (event.key === '?') {
    show();
  }
}

function step(by) {
  const rows = [...(page?.root.querySelectorAll('[data-row]') ?? [])];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  row?.querySelector('a, button')?.focus();
}

function isTyping(target) {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

function show() {
  const row = (names, what) =>
    h(
      'div.key-row',
      h(
        'span.key-names',
        names.map((name) => h('kbd', name)),
      ),
      h('span', what),
    );
  dialog({
    title: 'Keys',
    body: h(
      'div.key-list',
      row(['/'], 'Search on this page'),
      row(['Ctrl', 'K'], 'Go anywhere by name'),
      row(['j'], 'Next row'),
      row(['k'], 'Previous row'),
      row(['Ctrl', 'Enter'], 'Send the form'),
      row(['Esc'], 'Close what is open'),
      row(['?'], 'These keys'),
      SECTIONS.map((section) => row(['g', section.key], section.label)),
    ),
    actions: [{ label: 'Close', kind: 'primary' }],
  });
}

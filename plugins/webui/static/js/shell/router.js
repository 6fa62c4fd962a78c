// Which section the address names. The address is the part after `#`, so the gateway need not know the sections.

import { h, replace } from '../base/dom.js';
import { Page } from './page.js';
import { notFound } from '../parts/states.js';

let current = null;

export const router = {
  /** Shows sections of `routes` in `main` from now on. `navigated(section, page)` hears of each. */
  start(routes, main, navigated) {
    const compiled = routes.map(([pattern, section]) => [pattern.split('/').filter(Boolean), section]);
    const show = (isAnew) => {
      const { parts, query } = here();
      const same = current && current.path === parts.join('/');
      if (!isAnew && same && current.takesQuery(query)) {
        return;
      }
      current?.leave();
      const found = find(compiled, parts);
      const root = h('div.page');
      current = new Page(root, parts.join('/'), found?.params ?? {}, query);
      replace(main, root);
      document.title = `${found?.section.title ?? 'Not found'} · toolgate`;
      navigated(parts[0] ?? '', current);
      if (found) {
        found.section.open(current);
      } else {
        replace(root, notFound('There is no such page.', h('a', { href: '#/' }, 'Go to the overview')));
      }
      window.scrollTo(0, 0);
    };
    window.addEventListener('hashchange', () => show(false));
    // With another token everything may look different, and what was refused may be live.
    document.addEventListener('toolgate:reopen', () => show(true));
    show(true);
  },
};

/** Goes to a place in this page. */
export function go(hash) {
  window.location.hash = hash;
}

function here() {
  const [path, search = ''] = window.location.hash.replace(/^#/, '').split('?');
  const parts = path.split('/').filter(Boolean).map(decoded);
  return { parts, query: Object.fromEntries(new URLSearchParams(search)) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function find(compiled, parts) {
  const fits = ([pattern]) =>
    pattern.length === parts.length && pattern.every((word, at) => word.startsWith(':') || word === parts[at]);
  // A word beats a placeholder: `/tasks/new` is no task.
  const plain = compiled.filter(fits).sort(([a], [b]) => placeholders(a) - placeholders(b))[0];
  if (!plain) {
    return null;
  }
  const [pattern, section] = plain;
  const params = {};
  pattern.forEach((word, at) => {
    if (word.startsWith(':')) {
      params[word.slice(1)] = parts[at];
    }
  });
  return { section, params };
}

function placeholders(pattern) {
  return pattern.filter((word) => word.startsWith(':')).length;
}

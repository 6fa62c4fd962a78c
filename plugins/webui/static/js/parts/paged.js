// A list that the gateway gives out page by page, the newest first, with what comes live on top.

import { get } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { soon } from '../base/soon.js';
import { skeleton, trouble } from './states.js';

const MOST_SHOWN = 1000;

/**
 * `path` answers `{ [noun]: [...], next }`; `list` is a table; `query()` the filters. `add(item)` puts one on top, or in
 * the place of the one with the same id; `restart()` begins anew.
 */
export function paged(page, { path, noun, list, query, limit = 100 }) {
  const more = h('button', { type: 'button', hidden: true, on: { click: () => load() } }, 'Older ones');
  const state = h('div');
  const element = h('div', list.element, state, h('div.more-row', more));
  let items = [];
  let next = null;
  let turn = 0;

  const show = () => list.show(items);
  const showSoon = soon(show);
  const load = async () => {
    const mine = turn;
    more.disabled = true;
    try {
      const answer = await get(path, { ...query(), limit, before: next }, page.signal);
      if (mine !== turn || page.signal.aborted) {
        return;
      }
      const known = new Set(items.map(({ id }) => id));
      items = [...items, ...answer[noun].filter(({ id }) => !known.has(id))];
      next = answer.next;
      more.hidden = !next;
      replace(state);
      list.element.hidden = false;
      show();
    } catch (error) {
      if (mine === turn && !page.signal.aborted) {
        replace(state, trouble(error, restart));
      }
    } finally {
      more.disabled = false;
    }
  };
  const restart = () => {
    turn += 1;
    items = [];
    next = null;
    more.hidden = true;
    list.element.hidden = true;
    replace(state, skeleton(6));
    return load();
  };
  const add = (item) => {
    const at = items.findIndex(({ id }) => id === item.id);
    if (at >= 0) {
      items[at] = item;
    } else {
      items.unshift(item);
      items.length = Math.min(items.length, MOST_SHOWN);
    }
    list.element.hidden = false;
    showSoon();
  };
  restart();
  return { element, add, restart, items: () => items };
}

// A part of a page that shows something the gateway knows: loads it, keeps it fresh, and says when it cannot.

import { h, replace } from '../base/dom.js';
import { skeleton, trouble } from './states.js';

/**
 * `ask(signal)` fetches, `draw(data, content)` puts it into `content`, which stays the same element. `every` milliseconds
 * it is fetched again. A failure after the first success leaves what is there, with a line about how old it is.
 */
export function region(page, { ask, draw, every, lines = 5, tag = 'div' }) {
  const content = h(`${tag}.region-content`);
  const stale = h('p.alert.warn', { role: 'status', hidden: true });
  const element = h('div.region', stale, content);
  let drawn = false;
  let turn = 0;
  replace(content, skeleton(lines));

  const refresh = async () => {
    const mine = (turn += 1);
    try {
      const data = await ask(page.signal);
      if (page.signal.aborted || mine !== turn) {
        return;
      }
      if (!drawn) {
        replace(content);
      }
      draw(data, content);
      drawn = true;
      stale.hidden = true;
    } catch (error) {
      if (page.signal.aborted || error.name === 'AbortError' || mine !== turn) {
        return;
      }
      if (drawn) {
        stale.textContent = `What is shown may be old. ${error.message}`;
        stale.hidden = false;
      } else {
        replace(
          content,
          trouble(error, () => {
            replace(content, skeleton(lines));
            refresh();
          }),
        );
      }
    }
  };
  refresh();
  if (every) {
    page.every(every, refresh);
  }
  /** Forgets what is shown, and loads anew. */
  const restart = () => {
    drawn = false;
    replace(content, skeleton(lines));
    return refresh();
  };
  return { element, content, refresh, restart };
}

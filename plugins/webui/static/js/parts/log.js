// The last lines that a plugin's process wrote to its standard error, followed while they are looked at.

import { plugins } from '../base/api.js';
import { h, replace } from '../base/dom.js';
import { clock } from '../base/time.js';
import { region } from './region.js';
import { empty } from './states.js';

const NEAR_PX = 24;

/** The log of the plugin `id`, read again every two seconds. */
export function logView(page, id) {
  const lines = h('div.log', { tabindex: '0', role: 'log', 'aria-label': 'Log lines' });
  return region(page, {
    ask: async (signal) => (await plugins.get('logs', { id, limit: 200 }, signal)).lines,
    every: 2000,
    lines: 4,
    draw(all, content) {
      const text = JSON.stringify(all);
      if (lines.dataset.shown === text && lines.isConnected) {
        return;
      }
      lines.dataset.shown = text;
      if (!all.length) {
        replace(content, empty('It has written nothing to standard error.'));
        return;
      }
      const isAtEnd = !lines.isConnected || lines.scrollTop + lines.clientHeight > lines.scrollHeight - NEAR_PX;
      replace(
        lines,
        all.map(({ time, text: words }) => h('div.log-line', time ? clock(time) : null, h('span', words))),
      );
      if (!lines.isConnected) {
        replace(content, lines);
      }
      if (isAtEnd) {
        lines.scrollTop = lines.scrollHeight;
      }
    },
  }).element;
}

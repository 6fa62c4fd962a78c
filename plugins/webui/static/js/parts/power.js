// The buttons that start and stop a plugin.

import { plugins } from '../base/api.js';
import { button } from './button.js';

const STOPPED = new Set(['stopped', 'loaded', 'error', 'unavailable', 'available']);

/** The one that fits where the plugin stands. */
export function power({ id, state }, after, kind = 'small') {
  return STOPPED.has(state)
    ? button({
        label: 'Start',
        symbol: 'play',
        kind,
        focus: 'power',
        run: () => plugins.post('start', { id }),
        done: `Started ${id}`,
        after,
      })
    : button({
        label: 'Stop',
        symbol: 'stop',
        kind,
        focus: 'power',
        run: () => plugins.post('stop', { id }),
        done: `Stopped ${id}`,
        after,
      });
}

// A bar beside a number: how much it is of the largest.

import { svg } from '../base/dom.js';

/** `share` is from 0 to 1. */
export function bar(share, tone = 'one') {
  const width = Math.max(1, Math.min(100, (Number.isFinite(share) ? share : 0) * 100));
  return svg(
    'svg.bar-svg',
    { viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('rect.bar-ground', { width: 100, height: 6, rx: 3 }),
    svg(`rect.bar-fill.tone-${tone}`, { width, height: 6, rx: 3 }),
  );
}

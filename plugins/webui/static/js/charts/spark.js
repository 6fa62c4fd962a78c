// A line as large as a word: how something went lately. The number beside it says the latest.

import { replace, svg } from '../base/dom.js';
import { area, line } from './scale.js';

const WIDTH = 96;
const HEIGHT = 28;

/** `update(values)` draws them. */
export function spark(tone = 'one') {
  const element = svg('svg.spark', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  });
  const update = (values) => {
    const known = values.filter(Number.isFinite);
    const highest = Math.max(...known, 0);
    if (!highest) {
      replace(element);
      return;
    }
    const points = values.map((value, at) =>
      Number.isFinite(value)
        ? [(WIDTH * at) / Math.max(1, values.length - 1), HEIGHT - 2 - ((HEIGHT - 5) * value) / highest]
        : null,
    );
    replace(
      element,
      svg(`path.area.tone-${tone}`, { d: area(points, HEIGHT) }),
      svg(`path.line.tone-${tone}`, { d: line(points) }),
    );
  };
  return { element, update };
}

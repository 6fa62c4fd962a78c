// A chart of values over the last minutes: lines or areas, a readout under the pointer or the arrow keys, and the same
// as a table.

import { h, replace, svg } from '../base/dom.js';
import { span } from '../base/format.js';
import { area, line, lone, ticks } from './scale.js';

const HEIGHT = 168;
const PAD = { top: 10, right: 6, bottom: 22 };
// About how wide a character of the axis is.
const CHARACTER = 6.4;
const TABLE_ROWS = 20;

/**
 * `series` are `{ name, tone, filled }`, with tones `one`, `two`, `three`. `format(value)` writes a value. `update` takes
 * `{ stepMs, values }`: an array for each series, of the same length, the last value being the latest.
 */
export function lineChart({ label, series, format }) {
  const drawing = svg('svg.chart-svg', { role: 'img', 'aria-label': label, height: HEIGHT });
  const readout = h('div.readout', { hidden: true });
  const plot = h(
    'div.plot',
    { tabindex: '0', role: 'group', 'aria-label': `${label}: left and right read values`, 'aria-live': 'off' },
    drawing,
    readout,
  );
  const body = h('tbody');
  const columns = h(
    'tr',
    h('th', { scope: 'col' }, 'When'),
    series.map(({ name }) => h('th.num', { scope: 'col' }, name)),
  );
  const details = h(
    'details.chart-table',
    h('summary', 'As a table'),
    h('table', h('caption.visually-hidden', label), h('thead', columns), body),
  );
  const legend = h(
    'div.legend',
    series.map(({ name, tone }) => h('span', h(`span.key.tone-${tone}`), name)),
  );
  const element = h('figure.chart', h('figcaption', h('span.chart-title', label), legend), plot, details);
  let data = { stepMs: 1000, values: series.map(() => []) };
  let cursor = null;
  let width = 0;
  // Left of the plot: as much as the longest label takes.
  let left = 44;

  const draw = () => {
    if (!width) {
      return;
    }
    const length = Math.max(2, data.values[0].length);
    const highest = Math.max(0, ...data.values.flat().filter(Number.isFinite));
    const steps = ticks(highest);
    left = 12 + CHARACTER * Math.max(4, ...steps.map((value) => format(value).length));
    const x = (at) => left + ((width - left - PAD.right) * at) / (length - 1);
    const y = (value) => HEIGHT - PAD.bottom - ((HEIGHT - PAD.top - PAD.bottom) * value) / steps.at(-1);
    drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    drawing.setAttribute('width', width);
    const grid = steps.map((value) => [
      svg('line.grid', { x1: left, x2: width - PAD.right, y1: y(value), y2: y(value) }),
      svg('text.axis', { x: left - 8, y: y(value) + 4, 'text-anchor': 'end' }, format(value)),
    ]);
    const times = [0, 0.5, 1].map((share) => {
      const ago = Math.round((length * (1 - share) * data.stepMs) / 1000);
      const anchor = share === 0 ? 'start' : share === 1 ? 'end' : 'middle';
      return svg(
        'text.axis',
        { x: x((length - 1) * share), y: HEIGHT - 5, 'text-anchor': anchor },
        ago ? `${span(ago)} ago` : 'now',
      );
    });
    const shapes = series.map(({ tone, filled }, at) => {
      const points = data.values[at].map((value, i) => (Number.isFinite(value) ? [x(i), y(value)] : null));
      return [
        filled ? svg(`path.area.tone-${tone}`, { d: area(points, y(0)) }) : null,
        svg(`path.line.tone-${tone}`, { d: line(points) }),
        lone(points).map(([cx, cy]) => svg(`circle.lone.tone-${tone}`, { cx, cy, r: 2.25 })),
      ];
    });
    replace(drawing, grid, times, shapes, marker(x, y));
    read(x);
    if (details.open) {
      list();
    }
  };

  const marker = (x, y) => {
    if (cursor === null) {
      return null;
    }
    const dots = series.map(({ tone }, at) => {
      const value = data.values[at][cursor];
      return Number.isFinite(value) ? svg(`circle.tone-${tone}`, { cx: x(cursor), cy: y(value), r: 3.5 }) : null;
    });
    return [svg('line.cursor', { x1: x(cursor), x2: x(cursor), y1: PAD.top, y2: HEIGHT - PAD.bottom }), dots];
  };

  const read = (x) => {
    readout.hidden = cursor === null;
    if (cursor === null) {
      return;
    }
    const ago = ((data.values[0].length - 1 - cursor) * data.stepMs) / 1000;
    replace(
      readout,
      h('div.readout-when', ago ? `${span(ago)} ago` : 'now'),
      series.map(({ name, tone }, at) =>
        h('div', h(`span.key.tone-${tone}`), `${name} `, h('strong', format(data.values[at][cursor] ?? NaN))),
      ),
    );
    readout.classList.toggle('at-left', x(cursor) > width / 2);
    readout.style.setProperty('--at', `${x(cursor)}px`);
  };

  const list = () => {
    const length = data.values[0].length;
    const step = Math.max(1, Math.ceil(length / TABLE_ROWS));
    const rows = [];
    for (let at = length - 1; at >= 0; at -= step) {
      rows.push(
        h(
          'tr',
          h('td', `${span(((length - 1 - at) * data.stepMs) / 1000)} ago`),
          data.values.map((values) => h('td.num', format(values[at] ?? NaN))),
        ),
      );
    }
    replace(body, rows);
  };

  const move = (to) => {
    const last = data.values[0].length - 1;
    cursor = last < 0 ? null : Math.min(last, Math.max(0, to));
    draw();
  };
  const leave = () => {
    cursor = null;
    draw();
  };
  plot.addEventListener('pointermove', (event) => {
    const share = (event.clientX - plot.getBoundingClientRect().left - left) / (width - left - PAD.right);
    move(Math.round(share * (data.values[0].length - 1)));
  });
  plot.addEventListener('pointerleave', leave);
  plot.addEventListener('blur', leave);
  plot.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (by) {
      event.preventDefault();
      move((cursor ?? data.values[0].length - 1) + by);
    }
  });
  details.addEventListener('toggle', list);
  new ResizeObserver(([entry]) => {
    width = Math.floor(entry.contentRect.width);
    draw();
  }).observe(plot);

  return {
    element,
    update(next) {
      data = next;
      draw();
    },
  };
}

// The icons: a few strokes each, on a grid of 24, drawn in the colour of the text.

import { svg } from '../base/dom.js';

const PATHS = {
  pulse: 'M3 12h4l3-8 4 16 3-8h4',
  wrench: 'M14.5 6.5a4 4 0 0 0-5.2 5.2L4 17l3 3 5.300-5.300a4 4 0 0 0 5.200-5.200L15 12l-3-3 2.500-2.500Z',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 7v5l3.500 2',
  stamp: 'M9 12l2 2 4-4.500M12 3l7.500 3v5.500c0 4.500-3 8-7.500 9.500-4.500-1.500-7.500-5-7.500-9.500V6L12 3Z',
  broadcast:
    'M12 12h.01M8.500 15.500a5 5 0 0 1 0-7M15.500 8.500a5 5 0 0 1 0 7M5.700 18.300a9 9 0 0 1 0-12.600M18.300 5.700a9 9 0 0 1 0 12.600',
  plug: 'M9 3v5M15 3v5M6.500 8h11v3.500a5.500 5.500 0 0 1-11 0V8ZM12 17v4',
  list: 'M8 6h13M8 12h13M8 18h13M3.500 6h.01M3.500 12h.01M3.500 18h.01',
  flag: 'M5 21V4M5 4.500c5-3 8 2.500 14 0v10c-6 2.500-9-3-14 0',
  sliders: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4',
  menu: 'M4 6h16M4 12h16M4 18h16',
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  alert: 'M12 8v5M12 16.500h.01M12 3.500l9.500 16.500h-19L12 3.500Z',
  info: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 11v5M12 8h.01',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  keyboard: 'M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M7 14h10',
  key: 'M14.500 9.500a4 4 0 1 0-3.900 4l1.400-1.400M11 13l-1 1v2H8v2H6v2H3v-3l6-6',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600L19 19M5 19l1.400-1.400M17.600 6.400L19 5',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500Z',
  contrast: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 3v18M12 7l6-1M12 12h9M12 17l6 1',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM16 16l5 5',
  play: 'M7 4.500v15l12-7.500-12-7.500Z',
  stop: 'M6 6h12v12H6z',
  pause: 'M8 5v14M16 5v14',
  refresh: 'M20 11a8 8 0 0 0-14.500-4L3 9.500M3 4v5.500h5.500M4 13a8 8 0 0 0 14.500 4l2.500-2.500M21 20v-5.500h-5.500',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  trash: 'M4 7h16M9 7V4h6v3M6.500 7l1 13h9l1-13',
  chevron: 'M9 5l7 7-7 7',
  back: 'M15 5l-7 7 7 7',
  note: 'M5 4h14v11l-5 5H5zM14 20v-5h5',
  download: 'M12 4v11M7 11l5 5 5-5M4 20h16',
  send: 'M4 12l16-8-6 16-3-6.500L4 12Z',
  lock: 'M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3',
  hammer: 'M13 7l-9 9 3 3 9-9M11 5l4-2 6 6-2.500 2.500L11 5Z',
};

/** The icon of that name, hidden from screen readers: the words beside it say the same. */
export function icon(name) {
  return svg(
    'svg.icon',
    { viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' },
    svg('path', { d: PATHS[name] ?? PATHS.info }),
  );
}

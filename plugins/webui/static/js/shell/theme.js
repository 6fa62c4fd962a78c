// Light, dark, or as the system has it. The choice is kept in this browser.

import { kept } from '../base/storage.js';

const SCHEMES = ['auto', 'light', 'dark'];
const LABELS = { auto: 'Colours: system', light: 'Colours: light', dark: 'Colours: dark' };
const ICONS = { auto: 'contrast', light: 'sun', dark: 'moon' };

let scheme = 'auto';

export const theme = {
  start() {
    const before = kept.get('scheme');
    scheme = SCHEMES.includes(before) ? before : 'auto';
    apply();
  },
  next() {
    scheme = SCHEMES[(SCHEMES.indexOf(scheme) + 1) % SCHEMES.length];
    kept.set('scheme', scheme === 'auto' ? null : scheme);
    apply();
  },
  label: () => LABELS[scheme],
  icon: () => ICONS[scheme],
};

function apply() {
  if (scheme === 'auto') {
    delete document.documentElement.dataset.scheme;
  } else {
    document.documentElement.dataset.scheme = scheme;
  }
}

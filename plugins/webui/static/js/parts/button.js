// Buttons that do work: disabled while it runs, with a toast about what came of it.

import { h } from '../base/dom.js';
import { icon } from './icons.js';
import { told } from './toast.js';

/** `run` does the work; `done` is what is said when it went well, or a function that says it; `after` comes then. */
export function button({ label, symbol, kind = '', title, run, done, after, focus }) {
  const element = h(
    'button',
    { type: 'button', class: kind, title: title ?? null, data: focus ? { focus } : {} },
    symbol ? icon(symbol) : null,
    h('span', label),
  );
  element.addEventListener('click', async () => {
    if (element.getAttribute('aria-busy') === 'true') {
      return;
    }
    element.setAttribute('aria-busy', 'true');
    try {
      if (done === undefined) {
        await run();
      } else {
        await told(done, run);
      }
    } finally {
      element.removeAttribute('aria-busy');
    }
    after?.();
  });
  return element;
}

/** A button that puts `text()` on the clipboard. */
export function copyButton(text, label = 'Copy') {
  const words = h('span', label);
  const element = h('button.small.quiet', { type: 'button' }, icon('copy'), words);
  element.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text());
      words.textContent = 'Copied';
    } catch {
      words.textContent = 'Not allowed here';
    }
    setTimeout(() => {
      words.textContent = label;
    }, 1500);
  });
  return element;
}

/** A switch: `set(on)` does the work; the switch goes back where that fails. */
export function toggle({ label, on, set, disabled = false, focus }) {
  const input = h('input', {
    type: 'checkbox',
    role: 'switch',
    checked: on,
    disabled,
    'aria-label': label,
    data: focus ? { focus } : {},
  });
  input.addEventListener('change', async () => {
    input.disabled = true;
    const answer = await told(input.checked ? `${label}: on` : `${label}: off`, () =>
      set(input.checked).then(() => true),
    );
    input.disabled = disabled;
    if (!answer) {
      input.checked = !input.checked;
    }
  });
  return h('label.switch', input, h('span.switch-track'));
}

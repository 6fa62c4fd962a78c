// Short messages at the edge of the page, read out by screen readers: what was done, what was refused.

import { h } from '../base/dom.js';
import { icon } from './icons.js';

const SHOWN_FOR_MS = 5_000;
const MOST = 4;

let region = null;

/** Says that something was done. */
export const done = (text) => show('ok', text);

/** Says why something was not done. */
const failed = (error) => show('bad', error.mend ? `${error.message} ${error.mend}` : error.message);

/** Does `work` and tells what came of it: `text` when it went well. */
export async function told(text, work) {
  try {
    const result = await work();
    done(typeof text === 'function' ? text(result) : text);
    return result;
  } catch (error) {
    failed(error);
    return undefined;
  }
}

function show(kind, text) {
  if (!region) {
    region = h('div.toasts', { role: 'status', 'aria-live': 'polite', popover: 'manual' });
    document.body.append(region);
  }
  const close = () => {
    toast.remove();
    if (!region.children.length) {
      region.hidePopover?.();
    }
  };
  const toast = h(
    `div.toast.${kind}`,
    icon(kind === 'ok' ? 'check' : 'alert'),
    h('span', text),
    h('button.icon-button', { type: 'button', 'aria-label': 'Dismiss', on: { click: close } }, icon('close')),
  );
  region.append(toast);
  while (region.children.length > MOST) {
    region.firstChild.remove();
  }
  // Anew on top of dialogs that were opened since.
  region.hidePopover?.();
  region.showPopover?.();
  setTimeout(close, kind === 'ok' ? SHOWN_FOR_MS : SHOWN_FOR_MS * 2);
}

// A question or a small form above the page. The browser keeps the focus in it and closes it with Esc.

import { h } from '../base/dom.js';
import { icon } from './icons.js';

/**
 * Opens it. `actions` are buttons `{ label, kind, value, run }`; `run` may refuse by throwing, and its words are shown.
 * Gives the value of the button that closed it, or null.
 */
export function dialog({ title, body, actions, wide = false }) {
  return new Promise((resolve) => {
    const said = h('p.alert.bad', { role: 'alert', hidden: true });
    const buttons = actions.map((action) =>
      h(
        'button',
        {
          type: action.kind === 'primary' || action.kind === 'danger' ? 'submit' : 'button',
          class: action.kind ?? '',
          value: action.value ?? '',
          formnovalidate: action.value === 'no',
        },
        action.label,
      ),
    );
    const form = h(
      'form',
      { method: 'dialog' },
      h(
        'div.dialog-head',
        h('h2', title),
        h(
          'button.icon-button',
          { type: 'button', 'aria-label': 'Close', on: { click: () => element.close() } },
          icon('close'),
        ),
      ),
      h('div.dialog-body', body, said),
      h('div.dialog-foot', buttons),
    );
    const element = h('dialog', { class: wide ? 'wide' : '', 'aria-label': title }, form);
    let result = null;

    const act = async (action) => {
      if (action.run) {
        buttons.forEach((button) => {
          button.disabled = true;
        });
        said.hidden = true;
        try {
          await action.run();
        } catch (error) {
          said.textContent = error.message;
          said.hidden = false;
          return;
        } finally {
          buttons.forEach((button) => {
            button.disabled = false;
          });
        }
      }
      result = action.value ?? null;
      element.close();
    };
    buttons.forEach((button, at) => {
      if (button.type === 'button') {
        button.addEventListener('click', () => act(actions[at]));
      }
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const at = Math.max(0, buttons.indexOf(event.submitter));
      const main = buttons.findIndex((button) => button.type === 'submit');
      act(actions[event.submitter && buttons.includes(event.submitter) ? at : main]);
    });
    element.addEventListener('click', (event) => event.target === element && element.close());
    element.addEventListener('close', () => {
      element.remove();
      resolve(result);
    });
    document.body.append(element);
    element.showModal();
  });
}

/** Asks whether to go on. */
export async function confirm(title, text, label, kind = 'danger') {
  const answer = await dialog({
    title,
    body: h('p', text),
    actions: [
      { label: 'Cancel', value: 'no' },
      { label, kind, value: 'yes' },
    ],
  });
  return answer === 'yes';
}

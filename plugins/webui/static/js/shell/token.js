// Asks for a token where the gateway wants one.

import { credentials } from '../base/credentials.js';
import { h } from '../base/dom.js';
import { dialog } from '../parts/dialog.js';

export const tokenDialog = {
  start() {
    credentials.askBy(ask);
  },
};

async function ask(wasRefused) {
  const field = h('input', {
    type: 'password',
    id: 'token',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
    autofocus: true,
    'aria-describedby': 'token-help',
  });
  const answer = await dialog({
    title: 'This gateway wants a token',
    body: h(
      'div.stack',
      wasRefused ? h('p.alert.bad', 'The token you gave is not known, or no longer.') : null,
      h('div.field', h('label', { for: 'token' }, 'Token'), field),
      h(
        'p.help',
        { id: 'token-help' },
        'It stays in this tab and is forgotten with it. ',
        h('code', 'toolgate token new --scope read'),
        ' makes one for looking, with the scope ',
        h('code', 'admin'),
        ' one for changing.',
      ),
    ),
    actions: [
      { label: 'Not now', value: 'no' },
      { label: 'Use it', kind: 'primary', value: 'yes' },
    ],
  });
  return answer === 'yes' && field.value.trim() ? field.value.trim() : null;
}

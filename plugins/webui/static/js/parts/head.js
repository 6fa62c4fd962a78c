// The head of a section: its name, a line about it, what can be done here.

import { h } from '../base/dom.js';
import { icon } from './icons.js';

/** `back` is `{ href, label }` of the list that this belongs to. */
export function head({ title, text, back, actions = [], marks = [], mono = false }) {
  return h(
    'header.page-head',
    back ? h('a.back', { href: back.href }, icon('back'), back.label) : null,
    h('div.page-title', h('h1', { class: mono ? 'mono' : '' }, title), marks),
    text ? h('p.page-text', text) : null,
    actions.length ? h('div.actions', actions) : null,
  );
}

/** A titled part of a section. */
export function card(title, ...children) {
  return h('section.card', title ? h('h2', title) : null, children);
}

/** A titled part with something at the right of its title. */
export function cardWith(title, aside, ...children) {
  return h('section.card', h('div.card-head', h('h2', title), h('div.card-aside', aside)), children);
}

/** Names and what they stand for: pairs whose second is null are left out. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return h(
    'dl.facts',
    shown.map(([name, value]) => h('div', h('dt', name), h('dd', value))),
  );
}

// The one way elements are made: from names, attributes and text. Nothing here, or anywhere in this page, reads markup
// from a string, so whatever a plugin says is shown as text.

const SVG = 'http://www.w3.org/2000/svg';

// What must be set as a property, because the attribute only says what it was in the beginning.
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'selected', 'open', 'hidden', 'indeterminate', 'readOnly']);

/**
 * Makes an element: `h('p.note', { id: 'x', on: { click } }, 'text', child, [more])`.
 * Children that are null, undefined or false are left out; all others that are no nodes become text.
 */
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split('.');
  return fill(document.createElement(name), classes, rest);
}

/** The same for SVG. */
export function svg(tag, ...rest) {
  const [name, ...classes] = tag.split('.');
  return fill(document.createElementNS(SVG, name), classes, rest);
}

/** Puts `children` in the place of what `parent` has. */
export function replace(parent, ...children) {
  parent.replaceChildren(...nodes(children));
  return parent;
}

/**
 * Brings the children of `parent` in line with `items`, and touches only those that have changed, so that what has the
 * focus, is open or is selected stays so. `make(item)` makes one element.
 */
export function keyed(parent, items, keyOf, make) {
  const old = new Map();
  for (const child of parent.children) {
    old.set(child.toolgateKey, child);
  }
  const wanted = items.map((item) => {
    const key = String(keyOf(item));
    const text = JSON.stringify(item);
    const before = old.get(key);
    if (before && before.toolgateText === text) {
      return before;
    }
    const element = make(item);
    element.toolgateKey = key;
    element.toolgateText = text;
    return element;
  });
  const focus = focusWithin(parent);
  const kept = new Set(wanted);
  for (const child of [...parent.children]) {
    if (!kept.has(child)) {
      child.remove();
    }
  }
  // What stands in its place is not touched: moving an element takes the focus and the pointer off it.
  let next = parent.firstChild;
  for (const element of wanted) {
    if (element === next) {
      next = next.nextSibling;
    } else {
      parent.insertBefore(element, next);
    }
  }
  restoreFocus(parent, focus);
}

function focusWithin(parent) {
  const active = document.activeElement;
  if (!active || !parent.contains(active)) {
    return null;
  }
  const row = [...parent.children].find((child) => child.contains(active));
  return { key: row?.toolgateKey, name: active.dataset.focus, element: active };
}

function restoreFocus(parent, focus) {
  if (!focus) {
    return;
  }
  if (parent.contains(focus.element)) {
    if (document.activeElement !== focus.element) {
      focus.element.focus({ preventScroll: true });
    }
    return;
  }
  const row = [...parent.children].find((child) => child.toolgateKey === focus.key);
  const same = row && focus.name && row.querySelector(`[data-focus="${CSS.escape(focus.name)}"]`);
  same?.focus({ preventScroll: true });
}

function fill(element, classes, rest) {
  const first = rest[0];
  const isProps = first !== null && typeof first === 'object' && !(first instanceof Node) && !Array.isArray(first);
  if (classes.length) {
    element.setAttribute('class', classes.join(' '));
  }
  if (isProps) {
    setAll(element, first);
  }
  element.append(...nodes(isProps ? rest.slice(1) : rest));
  return element;
}

function setAll(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) {
      continue;
    }
    if (name === 'on') {
      for (const [event, handler] of Object.entries(value)) {
        element.addEventListener(event, handler);
      }
    } else if (name === 'class') {
      element.classList.add(...String(value).split(' ').filter(Boolean));
    } else if (name === 'data') {
      Object.assign(element.dataset, value);
    } else if (name === 'vars') {
      for (const [key, text] of Object.entries(value)) {
        element.style.setProperty(key, text);
      }
    } else if (PROPERTIES.has(name)) {
      element[name] = value;
    } else if (value !== false) {
      element.setAttribute(name, value === true ? '' : safe(name, String(value)));
    }
  }
}

/** A link goes to a place in this page, in this gateway, or to a file made here; never to a script. */
function safe(name, value) {
  const harmless = name !== 'href' || /^(#|\.{0,2}\/|blob:|https?:)/.test(value);
  return harmless ? value : '#/';
}

function nodes(children) {
  const flat = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  return flat.map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

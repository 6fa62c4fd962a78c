// The result of a tool: its contents as what they are, its structured content, and the whole as JSON.

import { h } from '../base/dom.js';
import { code, json } from './json.js';
import { icon } from './icons.js';
import { picture } from './picture.js';
import { tag } from './marks.js';

/** `result` is what the tool answered, as MCP has it. */
export function result(value) {
  if (value === null || typeof value !== 'object' || !('content' in value || 'structuredContent' in value)) {
    return json(value, { label: 'Result' });
  }
  const contents = Array.isArray(value.content) ? value.content : [];
  const structured = value.structuredContent;
  const hasSameText =
    structured !== undefined &&
    contents.length === 1 &&
    contents[0].type === 'text' &&
    same(contents[0].text, structured);
  return h(
    'div.stack',
    hasSameText ? null : contents.map((content) => block(content)),
    structured !== undefined
      ? h('div', h('h4.block-name', 'Structured'), json(structured, { label: 'Structured content' }))
      : null,
    !contents.length && structured === undefined ? h('p.faint', 'The tool answered with nothing.') : null,
    h('details.more', h('summary', 'As it was sent'), json(value, { label: 'Whole result' })),
  );
}

function block(content) {
  switch (content?.type) {
    case 'text':
      return text(content.text);
    case 'image':
      return picture(content.data, content.mimeType);
    case 'audio':
      return file(content.data, content.mimeType, 'audio');
    case 'resource':
      return embedded(content.resource ?? {});
    case 'resource_link':
      return h(
        'div.file',
        icon('note'),
        h('span.grow', h('strong', content.title ?? content.name ?? 'Resource'), h('span.faint', ` ${content.uri}`)),
        content.mimeType ? tag(content.mimeType) : null,
      );
    default:
      return json(content);
  }
}

function text(value) {
  const words = String(value ?? '');
  const parsed = /^\s*[[{]/.test(words) ? parse(words) : undefined;
  return parsed === undefined ? code(words) : json(parsed, { label: 'Text, as JSON' });
}

function embedded(resource) {
  const head = h(
    'div.block-name',
    resource.uri ?? 'Resource',
    resource.mimeType ? [' ', tag(resource.mimeType)] : null,
  );
  return h('div', head, 'text' in resource ? text(resource.text) : file(resource.blob, resource.mimeType, 'resource'));
}

/** Bytes that this page does not show: to be kept as a file. */
function file(base64, type, name) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(base64 ?? ''), (character) => character.charCodeAt(0));
  } catch {
    return h('p.alert.bad', 'The contents are not base64.');
  }
  const save = () => {
    const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
    h('a', { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return h(
    'div.file',
    icon('download'),
    h('span.grow', `${type ?? 'bytes'}, ${bytes.length} bytes`),
    h('button.small', { type: 'button', on: { click: save } }, 'Save'),
  );
}

function parse(words) {
  try {
    return JSON.parse(words);
  } catch {
    return undefined;
  }
}

function same(words, structured) {
  const parsed = parse(words);
  return parsed !== undefined && JSON.stringify(parsed) === JSON.stringify(structured);
}

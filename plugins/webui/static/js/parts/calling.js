// Calls of tools over plain HTTP, with the time they took.

import { ask } from '../base/api.js';
import { code } from './json.js';

/** Calls `name`; `text` is the JSON of the arguments, which goes out as it is. */
export async function callTool(name, text, { isDryRun = false, signal } = {}) {
  const began = performance.now();
  const query = isDryRun ? { dry_run: true } : {};
  const answer = await ask('POST', `/api/tools/${encodeURIComponent(name)}`, { text, query, signal });
  return { answer, ms: performance.now() - began };
}

/** The same call for a shell. A token is not written into it. */
export function asCurl(name, text, hasToken) {
  const url = new URL(`../../api/tools/${encodeURIComponent(name)}`, document.baseURI);
  const quoted = (words) => `'${words.replaceAll("'", "'\\''")}'`;
  const lines = [`curl -s ${quoted(String(url))}`, `-H 'Content-Type: application/json'`];
  if (hasToken) {
    lines.push('-H "Authorization: Bearer $TOKEN"');
  }
  lines.push(`-d ${quoted(text)}`);
  return code(lines.join(' \\\n  '), { label: 'The call as a command' });
}

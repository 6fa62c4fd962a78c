// Requests to the gateway. The token goes in a header, never in a cookie or an address; a change is always JSON.

import { credentials } from './credentials.js';

/** Where the gateway is: this page lies two levels below its root, also behind a proxy with a path of its own. */
const ROOT = new URL('../../', document.baseURI);

/** A request that was not answered as wanted. `message` is a sentence; `mend` says what can be done, where that is known. */
export class ApiError extends Error {
  constructor(status, reason, message, mend) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
    this.mend = mend;
  }
}

/** The address of `path` in the gateway; members of `query` that say nothing are left out. */
export function address(path, query = {}) {
  const url = new URL(path.replace(/^\//, ''), ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') {
      url.searchParams.set(name, value);
    }
  }
  return url;
}

export const get = (path, query, signal) => ask('GET', path, { query, signal });
export const post = (path, body = {}, options = {}) => ask('POST', path, { body, ...options });
export const put = (path, body = {}) => ask('PUT', path, { body });
export const remove = (path) => ask('DELETE', path, {});

/** `/api/v1/plugin/…`, whose answers stand in `data`. */
export const plugins = {
  get: async (what, query, signal) => (await get(`/api/v1/plugin/${what}`, query, signal)).data,
  post: async (what, body) => (await post(`/api/v1/plugin/${what}`, body)).data,
};

/** Asks, and asks again with a token where one is needed and given. `text` is a body that is JSON already. */
export async function ask(method, path, { query, body, text, headers, signal } = {}) {
  const url = address(path, query);
  const changes = method !== 'GET';
  const init = { method, signal, cache: 'no-store', credentials: 'omit', redirect: 'error' };
  const sent = { Accept: 'application/json', ...headers };
  if (changes && method !== 'DELETE') {
    sent['Content-Type'] = 'application/json';
    init.body = text ?? JSON.stringify(body ?? {});
  }
  const response = await credentialed(url, init, sent);
  const answer = await read(response);
  if (!response.ok) {
    throw refusal(response, answer);
  }
  return answer;
}

/** Sends a request with the token; of a 401 the user is asked for one. */
export async function credentialed(url, init, headers) {
  for (;;) {
    const token = credentials.token();
    const authorized = token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
    let response;
    try {
      response = await fetch(url, { ...init, headers: authorized });
    } catch (error) {
      if (error.name === 'AbortError') {
        throw error;
      }
      throw new ApiError(
        0,
        'unreachable',
        'The gateway cannot be reached.',
        'Is it still running? This page tries again by itself.',
      );
    }
    if (response.status !== 401 || !(await credentials.renew(token, init.signal))) {
      return response;
    }
  }
}

/** Makes an error of a response that refuses. */
export function refusal(response, answer) {
  const { status } = response;
  const said = answer?.error?.message ?? answer?.message ?? answer?.detail;
  const message = typeof said === 'string' && said ? said : `The gateway answered ${status}.`;
  const scope = /scope="([^"]*)"/.exec(response.headers.get('WWW-Authenticate') ?? '')?.[1];
  const mend = {
    401: 'Give a token that the gateway knows: `toolgate token new` makes one.',
    403: scope
      ? `The token lacks the scope ${scope}. Use another token, or have the scope added to this one.`
      : undefined,
    404: undefined,
    429: 'Too much at once: wait a moment.',
    503: 'Try again in a moment.',
  }[status];
  return new ApiError(status, answer?.error?.reason ?? String(status), message, mend);
}

async function read(response) {
  const text = await response.text();
  if (!text) {
    return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    return response.ok ? text : { message: text.slice(0, 500) };
  }
}

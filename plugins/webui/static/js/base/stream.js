// A live stream: `EventSource` cannot send a token, so this reads the same format with `fetch`. It comes back by itself
// when the connection breaks, with the id of the last event, and rests while nobody looks at the tab.

import { ApiError, address, credentialed, refusal } from './api.js';
import { parser } from './sse.js';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const HIDDEN_FOR_MS = 5_000;

/**
 * Follows `path` until `signal` is aborted. `onEvent(data, id)` gets what came, read as JSON; `onState` one of `live`,
 * `waiting`, `resting`, `refused` and, for the last, the error. `onMissed` hears that some came too fast to be told.
 */
export async function follow(path, { query, signal, onEvent, onMissed = () => {}, onState = () => {} }) {
  let lastId;
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    if (document.hidden) {
      onState('resting');
      await seen(signal);
      continue;
    }
    try {
      await once(
        path,
        query,
        lastId,
        signal,
        (event) => {
          lastId = event.id ?? lastId;
          wait = FIRST_WAIT_MS;
          const data = JSON.parse(event.data);
          if (event.event === 'missed') {
            onMissed(data);
          } else {
            onEvent(data, event.id);
          }
        },
        onState,
      );
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      const forGood = error instanceof ApiError && [400, 401, 403, 404, 405, 422].includes(error.status);
      if (forGood) {
        onState('refused', error);
        return;
      }
    }
    if (signal.aborted || document.hidden) {
      continue;
    }
    onState('waiting');
    await pause(wait * (0.75 + Math.random() / 2), signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

async function once(path, query, lastId, signal, tell, onState) {
  const stop = new AbortController();
  const end = () => stop.abort();
  let timer;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(end, HIDDEN_FOR_MS);
    }
  };
  signal.addEventListener('abort', end);
  document.addEventListener('visibilitychange', look);
  try {
    const headers = { Accept: 'text/event-stream', ...(lastId ? { 'Last-Event-ID': lastId } : {}) };
    const init = { signal: stop.signal, cache: 'no-store', credentials: 'omit' };
    const response = await credentialed(address(path, query), init, headers);
    if (!response.ok) {
      throw refusal(response, await response.json().catch(() => null));
    }
    onState('live');
    const push = parser(tell);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) {
        return;
      }
      push(value);
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
    signal.removeEventListener('abort', end);
    document.removeEventListener('visibilitychange', look);
  }
}

function seen(signal) {
  return new Promise((resolve) => {
    const look = () => {
      if (!document.hidden || signal.aborted) {
        document.removeEventListener('visibilitychange', look);
        signal.removeEventListener('abort', look);
        resolve();
      }
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look);
  });
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

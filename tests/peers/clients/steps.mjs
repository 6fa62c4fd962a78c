//! What the TypeScript clients share: the command line, the steps, and one canonical JSON line per result.
//!
//! CLIENT (--url URL | --stdio '["COMMAND", "ARGUMENT", …]') [--can FEATURES] [--name NAME] STEPS
//!
//! FEATURES is a JSON array of what the client declares and answers: roots, sampling, sampling.tools, elicitation,
//! elicitation.url, tasks; none by default. NAME goes into its answers. STEPS is a JSON array of objects; `do` says
//! which of STEPS below is taken. `cancel` gives up at the first progress notification. `heard` waits for a notification.
//! One line is printed per step, with the questions it brought along; object keys are sorted, so that results of
//! different ways can be compared as text.

import { parseArgs } from 'node:util';

import { ANSWERS } from './answers.mjs';
import { Heard } from './heard.mjs';

const TIMEOUT_MS = 30_000;
// Standard output is for the results; an SDK says there what it thinks of the server.
console.debug = console.log = console.info = console.error;

/** Reads the command line: {url} or {command}, `can`, `name` and the steps. */
export function commandLine() {
  const options = { url: {}, stdio: {}, can: { default: '[]' }, name: { default: 'peer' } };
  for (const option of Object.values(options)) {
    option.type = 'string';
  }
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (positionals.length !== 1 || (values.url === undefined) === (values.stdio === undefined)) {
    process.stderr.write(`usage: ${process.argv[1]} (--url URL | --stdio '["COMMAND", …]') [--can …] STEPS\n`);
    process.exit(2);
  }
  const server = values.url ? { url: new URL(values.url) } : { command: JSON.parse(values.stdio) };
  return { ...server, can: JSON.parse(values.can), name: values.name, steps: JSON.parse(positionals[0]) };
}

/** Notes what `client` is told, and answers what it is asked through `register(method, handler)` if it can. */
export function listen(client, can, name, register) {
  const heard = new Heard();
  client.fallbackNotificationHandler = async ({ method, params }) => heard.told(method, params);
  for (const [method, answer] of Object.entries(ANSWERS)) {
    if (can.includes(method.split('/')[0])) {
      register(method, (params) => {
        heard.asked(method, params);
        return answer(name, params);
      });
    }
  }
  return heard;
}

/**
 * Takes the steps one by one. `peer` is a connected client of any SDK: {client, heard, connected, call(params,
 * options), level(level), watch(uris), unwatch(uris)} and, where the SDK has it, task(params).
 */
export async function takeSteps(peer, steps) {
  for (const step of steps) {
    const result = await take(peer, step);
    const asked = peer.heard.takeAsked(step.roots);
    print(asked.length ? { ...result, asked } : result);
  }
}

async function take(peer, step) {
  try {
    return await STEPS[step.do](peer, step);
  } catch (error) {
    return { error: { code: error.code ?? null, message: error.message, data: error.data ?? null } };
  }
}

const STEPS = {
  connected: ({ connected }) => ({ connected }),
  list: async ({ client }) => ({ tools: await pages((page) => client.listTools(page), 'tools') }),
  prompts: async ({ client }) => ({ prompts: await pages((page) => client.listPrompts(page), 'prompts') }),
  resources: async ({ client }) => ({ resources: await pages((page) => client.listResources(page), 'resources') }),
  templates: async ({ client }) => ({
    templates: await pages((page) => client.listResourceTemplates(page), 'resourceTemplates'),
  }),
  prompt: async ({ client }, { name, arguments: args }) => ({
    result: await client.getPrompt({ name, ...(args && { arguments: args }) }, { timeout: TIMEOUT_MS }),
  }),
  read: async ({ client }, { uri }) => ({ result: await client.readResource({ uri }, { timeout: TIMEOUT_MS }) }),
  complete: async ({ client }, { ref, argument, context }) => ({
    result: await client.complete({ ref, argument, ...(context && { context: { arguments: context } }) }),
  }),
  level: async (peer, { level }) => done(await peer.level(level)),
  watch: async (peer, { uris }) => done(await peer.watch(uris ?? [])),
  unwatch: async (peer, { uris }) => done(await peer.unwatch(uris ?? [])),
  heard: async ({ heard }, { method, part }) => ({ heard: await heard.take(method, part) }),
  told: ({ heard }, { method }) => ({ told: heard.all(method) }),
  'roots-changed': async ({ client }) => done(await client.sendRootsListChanged()),
  call: async (peer, step) => ({ result: await peer.call(params(step), { timeout: TIMEOUT_MS }) }),
  task: async (peer, step) => ({ result: await peer.task(params(step)) }),
  progress: watched,
  cancel: watched,
};

async function watched(peer, step) {
  const stop = new AbortController();
  const progress = [];
  const onprogress = (notification) => {
    progress.push(notification);
    if (step.do === 'cancel') {
      stop.abort('enough');
    }
  };
  try {
    const options = { onprogress, signal: stop.signal, timeout: TIMEOUT_MS, resetTimeoutOnProgress: true };
    return { progress, result: await peer.call(params(step), options) };
  } catch (error) {
    if (!stop.signal.aborted) {
      throw error;
    }
    return { aborted: true, progress };
  }
}

function params(step) {
  return { name: step.name, arguments: step.arguments ?? {} };
}

function done() {
  return { done: true };
}

async function pages(fetch, key) {
  const items = [];
  let cursor;
  do {
    const page = await fetch(cursor === undefined ? {} : { cursor });
    items.push(...page[key]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return items;
}

function print(line) {
  process.stdout.write(`${JSON.stringify(sorted(line))}\n`);
}

function sorted(value) {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (value === null || typeof value !== 'object') {
    return value;
  }
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

//! What the TypeScript clients share: the command line, the steps, and one canonical JSON line per result.
//!
//! CLIENT (--url URL | --stdio '["COMMAND", "ARGUMENT", …]') STEPS
//!
//! STEPS is a JSON array: {"do": "list"} or {"do": "call" | "progress" | "cancel", "name": …, "arguments": …}.
//! `cancel` gives up at the first progress notification. The first line printed says what was connected to, then
//! comes one line per step; object keys are sorted, so that results of different ways can be compared as text.

/** Reads the command line: {url} or {command}, and the steps. */
export function commandLine() {
  const [face, target, steps] = process.argv.slice(2);
  if (steps === undefined || !['--url', '--stdio'].includes(face)) {
    process.stderr.write(`usage: ${process.argv[1]} (--url URL | --stdio '["COMMAND", …]') STEPS\n`);
    process.exit(2);
  }
  const server = face === '--url' ? { url: new URL(target) } : { command: JSON.parse(target) };
  return { ...server, steps: JSON.parse(steps) };
}

/**
 * Takes the steps one by one. `client` is a connected client of any SDK, `call(params, options)` its way to call a
 * tool, `connected` what is said of the connection.
 */
export async function takeSteps(client, call, connected, steps) {
  print({ connected });
  for (const step of steps) {
    print(await take(client, call, step));
  }
}

async function take(client, call, step) {
  try {
    if (step.do === 'list') {
      return { tools: await allTools(client) };
    }
    return await callTool(call, step);
  } catch (error) {
    return { error: { code: error.code ?? null, message: error.message, data: error.data ?? null } };
  }
}

async function allTools(client) {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor === undefined ? {} : { cursor });
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tools;
}

async function callTool(call, step) {
  const params = { name: step.name, arguments: step.arguments ?? {} };
  if (step.do === 'call') {
    return { result: await call(params, {}) };
  }
  const stop = new AbortController();
  const progress = [];
  const onprogress = (notification) => {
    progress.push(notification);
    if (step.do === 'cancel') {
      stop.abort('enough');
    }
  };
  try {
    const result = await call(params, { onprogress, signal: stop.signal, resetTimeoutOnProgress: true });
    return { progress, result };
  } catch (error) {
    if (!stop.signal.aborted) {
      throw error;
    }
    return { aborted: true, progress };
  }
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

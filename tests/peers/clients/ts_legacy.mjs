//! The TypeScript SDK 1.x as a client: `initialize` and sessions. Command line and output: steps.mjs.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';

import { capabilities } from './answers.mjs';
import { commandLine, listen, takeSteps } from './steps.mjs';

const SCHEMAS = {
  'elicitation/create': ElicitRequestSchema,
  'sampling/createMessage': CreateMessageRequestSchema,
  'roots/list': ListRootsRequestSchema,
};
const TASK_MS = 60_000;

const { url, command, can, name, steps } = commandLine();
const transport = url
  ? new StreamableHTTPClientTransport(url)
  : new StdioClientTransport({ command: command[0], args: command.slice(1), stderr: 'inherit' });

const taskStore = can.includes('tasks') ? new InMemoryTaskStore() : undefined;
const client = new Client(
  { name: `${name}-ts-legacy`, version: '1.0.0' },
  { capabilities: capabilities(can), taskStore },
);
const heard = listen(client, can, name, (method, answer) => {
  client.setRequestHandler(SCHEMAS[method], async ({ params }, extra) => {
    const result = answer(params);
    if (!params?.task || !extra.taskStore) {
      return result;
    }
    const task = await extra.taskStore.createTask({ ttl: params.task.ttl, pollInterval: 50 });
    await extra.taskStore.storeTaskResult(task.taskId, 'completed', result);
    return { task };
  });
});
await client.connect(transport);

const peer = {
  client,
  heard,
  connected: {
    era: 'legacy',
    protocolVersion: transport.protocolVersion ?? null,
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    instructions: client.getInstructions() ?? null,
  },
  call: (params, options) => client.callTool(params, undefined, options),
  level: (level) => client.setLoggingLevel(level),
  watch: (uris) => Promise.all(uris.map((uri) => client.subscribeResource({ uri }))),
  unwatch: (uris) => Promise.all(uris.map((uri) => client.unsubscribeResource({ uri }))),
  async task(params) {
    const options = { timeout: TASK_MS, task: {} };
    let last;
    for await (const message of client.experimental.tasks.callToolStream(params, undefined, options)) {
      last = message;
    }
    if (last.type === 'error') {
      throw last.error;
    }
    return last.result;
  },
};
await takeSteps(peer, steps);
await client.close();
// Its timers would keep the process.
taskStore?.cleanup();

//! The TypeScript client 2.x, which finds out the era of the server itself. Command line and output: steps.mjs.

import { Client, LOG_LEVEL_META_KEY, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

import { capabilities } from './answers.mjs';
import { commandLine, listen, takeSteps } from './steps.mjs';

const { url, command, can, name, steps } = commandLine();
const transport = url
  ? new StreamableHTTPClientTransport(url)
  : new StdioClientTransport({ command: command[0], args: command.slice(1), stderr: 'inherit' });

const client = new Client(
  { name: `${name}-ts-auto`, version: '1.0.0' },
  // This SDK has no tasks of its own.
  { capabilities: capabilities(can.filter((one) => one !== 'tasks')), versionNegotiation: { mode: 'auto' } },
);
const heard = listen(client, can, name, (method, answer) => {
  client.setRequestHandler(method, (request) => answer(request.params));
});
await client.connect(transport);

const modern = client.getProtocolEra() === 'modern';
let meta = {};
let subscription;
const peer = {
  client,
  heard,
  connected: {
    era: client.getProtocolEra(),
    protocolVersion: client.getNegotiatedProtocolVersion(),
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    instructions: client.getInstructions() ?? null,
  },
  call: (params, options) => client.callTool({ ...params, ...meta }, options),
  async level(level) {
    if (modern) {
      meta = { _meta: { [LOG_LEVEL_META_KEY]: level } };
    } else {
      await client.setLoggingLevel(level);
    }
  },
  async watch(uris) {
    if (modern) {
      await subscription?.close();
      const lists = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
      subscription = await client.listen({ ...lists, resourceSubscriptions: uris });
    } else {
      await Promise.all(uris.map((uri) => client.subscribeResource({ uri })));
    }
  },
  async unwatch(uris) {
    if (modern) {
      await subscription?.close();
      subscription = undefined;
    } else {
      await Promise.all(uris.map((uri) => client.unsubscribeResource({ uri })));
    }
  },
};
await takeSteps(peer, steps);
await client.close();

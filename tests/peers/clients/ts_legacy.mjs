//! The TypeScript SDK 1.x as a client: `initialize` and sessions. Command line and output: steps.mjs.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { commandLine, takeSteps } from './steps.mjs';

const { url, command, steps } = commandLine();
const transport = url
  ? new StreamableHTTPClientTransport(url)
  : new StdioClientTransport({ command: command[0], args: command.slice(1), stderr: 'inherit' });

const client = new Client({ name: 'peer-ts-legacy', version: '1.0.0' }, { capabilities: {} });
await client.connect(transport);
const call = (params, options) => client.callTool(params, undefined, options);
const connected = { era: 'legacy', server: client.getServerVersion() };
await takeSteps(client, call, connected, steps);
await client.close();

//! The TypeScript client 2.x, which finds out the era of the server itself. Command line and output: steps.mjs.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

import { commandLine, takeSteps } from './steps.mjs';

const { url, command, steps } = commandLine();
const transport = url
  ? new StreamableHTTPClientTransport(url)
  : new StdioClientTransport({ command: command[0], args: command.slice(1), stderr: 'inherit' });

const client = new Client(
  { name: 'peer-ts-auto', version: '1.0.0' },
  { capabilities: {}, versionNegotiation: { mode: 'auto' } },
);
await client.connect(transport);
const call = (params, options) => client.callTool(params, options);
const connected = {
  era: client.getProtocolEra(),
  protocolVersion: client.getNegotiatedProtocolVersion(),
  server: client.getServerVersion(),
};
await takeSteps(client, call, connected, steps);
await client.close();

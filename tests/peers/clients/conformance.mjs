//! What drives the conformance suite's scenarios for clients: conformance.mjs URL, with the suite's environment.
//!
//! It uses all that the server offers: lists everything, calls every tool, gets every prompt, reads every resource, and
//! answers what it is asked. The scenario judges what reaches its server.

import * as auto from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const url = new URL(process.argv.at(-1));
const modern = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION === '2026-07-28';
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const info = { name: 'peer-conformance', version: '1.0.0' };
const capabilities = { elicitation: { form: { applyDefaults: true } } };
const TIMEOUT = { timeout: 20_000 };
// Another request while a question is open.
const UNRELATED = 'test_mrtr_unrelated';

const client = modern
  ? new auto.Client(info, { capabilities, versionNegotiation: { mode: 'auto' } })
  : new Client(info, { capabilities });
const asked = async ({ params }) => {
  if (listed.includes(UNRELATED)) {
    await call(UNRELATED, {});
  }
  const fields = Object.entries(params.requestedSchema.properties);
  // What has a default is left to it.
  const content = Object.fromEntries(fields.filter(([, schema]) => !('default' in schema)).map(([key]) => [key, true]));
  return { action: 'accept', content };
};
client.setRequestHandler(modern ? 'elicitation/create' : ElicitRequestSchema, asked);
const listed = [];

// Some of the suite's servers list what they do not have, or answer what this SDK refuses: the scenario is the judge.
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    console.error(error);
  }
}

function call(name, args) {
  const params = { name, arguments: args };
  return modern ? client.callTool(params, TIMEOUT) : client.callTool(params, undefined, TIMEOUT);
}

function argument(key, schema, tools) {
  if (key === 'schema') {
    // The server wants to see what arrived of the schema of its other tool.
    return tools.find((tool) => tool.inputSchema.$defs)?.inputSchema ?? {};
  }
  return { integer: 5, number: 5, boolean: true, string: 'text', array: [], object: {} }[schema.type];
}

function argumentsFor(tool, tools) {
  const fields = Object.entries(tool.inputSchema.properties ?? {});
  return Object.fromEntries(fields.map(([key, schema]) => [key, argument(key, schema, tools)]));
}

async function use() {
  const { tools } = await client.listTools();
  listed.push(...tools.map((tool) => tool.name));
  const planned = context.toolCalls ?? tools.map((tool) => ({ name: tool.name, arguments: argumentsFor(tool, tools) }));
  for (const { name, arguments: args } of planned) {
    await attempt(() => call(name, args));
  }
  const offered = client.getServerCapabilities() ?? {};
  if (offered.resources) {
    for (const { uri } of (await client.listResources()).resources) {
      await attempt(() => client.readResource({ uri }, TIMEOUT));
    }
  }
  if (offered.prompts) {
    for (const { name } of (await client.listPrompts()).prompts) {
      await attempt(() => client.getPrompt({ name }, TIMEOUT));
    }
  }
}

const transport = modern ? new auto.StreamableHTTPClientTransport(url) : new StreamableHTTPClientTransport(url);
await client.connect(transport, TIMEOUT);
await use();
await client.close();

//! A server of the legacy era on the TypeScript SDK 1.x, over stdio. modern.py has the same tools in the modern one.
//!
//! legacy.mjs [--ear PORT]: things that no client sees are told to 127.0.0.1:PORT, one datagram each.
//!
//! Its tools ask in the middle of a call, and every question holds what the answer before was, so that an answer that
//! was lost or came from someone else shows in the result.

import dgram from 'node:dgram';
import net from 'node:net';
import { parseArgs } from 'node:util';

import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import {
  CreateMessageResultSchema,
  CreateMessageResultWithToolsSchema,
  ElicitResultSchema,
  ListRootsResultSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';

const WAIT_MS = 60_000;
const COLOURS = ['red', 'green', 'blue'];
const { values } = parseArgs({ options: { ear: { type: 'string' } } });

const server = new McpServer(
  { name: 'peers-legacy', version: '1.0.0' },
  {
    capabilities: { logging: {}, resources: { subscribe: true, listChanged: true }, tools: { listChanged: true } },
    instructions: 'Ask `interview` about anyone.',
  },
);

const subject = { subject: z.string() };
const said = (value) => ({ content: [{ type: 'text', text: JSON.stringify(value) }] });
const field = (key) => ({ type: 'object', properties: { [key]: { type: 'string', title: key } }, required: [key] });

async function elicit(extra, message, requestedSchema) {
  const params = { mode: 'form', message, requestedSchema };
  const { action, content } = await extra.sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema);
  return content ?? { action };
}

async function sample(extra, params, schema = CreateMessageResultSchema) {
  return extra.sendRequest({ method: 'sampling/createMessage', params }, schema);
}

const user = (text) => ({ role: 'user', content: { type: 'text', text } });

async function tell(extra, { subject }, level, progress, total = 3) {
  const data = `${subject} at ${level}`;
  await server.sendLoggingMessage({ level, logger: 'peers', data });
  const progressToken = extra._meta?.progressToken;
  if (progressToken !== undefined) {
    const params = { progressToken, progress, total, message: `${subject} ${progress}` };
    await extra.sendNotification({ method: 'notifications/progress', params });
  }
}

server.registerTool('echo', { inputSchema: { text: z.string() } }, async ({ text }) => said({ text }));

server.registerTool('interview', { inputSchema: { ...subject, meet: z.number().optional() } }, async (args, extra) => {
  await met(args.meet, args.subject);
  await tell(extra, args, 'warning', 1);
  const { name } = await elicit(extra, `${args.subject}: who are you?`, field('name'));
  const details = await elicit(extra, `${args.subject}: and then, ${name}?`, {
    type: 'object',
    properties: { age: { type: 'integer', minimum: 0, maximum: 120 }, colour: { type: 'string', enum: COLOURS } },
    required: ['age', 'colour'],
  });
  await tell(extra, args, 'error', 2);
  const text = `${args.subject}: describe ${name}, ${details.age}, ${details.colour}`;
  const sampled = await sample(extra, { messages: [user(text)], systemPrompt: `for ${args.subject}`, maxTokens: 50 });
  return said({ subject: args.subject, name, ...details, model: sampled.model, text: sampled.content.text });
});

server.registerTool('look_around', { inputSchema: {} }, async (_args, extra) => {
  const { roots } = await extra.sendRequest({ method: 'roots/list' }, ListRootsResultSchema);
  return said({ roots: roots.map(({ uri, name }) => ({ uri, name })) });
});

server.registerTool('think', { inputSchema: subject }, async (args, extra) => {
  const tool = { name: 'weigh', description: 'Weighs.', inputSchema: { type: 'object', $defs: { n: { type: 'null' } } } };
  const first = user(`${args.subject}: how heavy?`);
  const params = { messages: [first], maxTokens: 9, tools: [tool], toolChoice: { mode: 'auto' } };
  const use = [(await sample(extra, params, CreateMessageResultWithToolsSchema)).content].flat()[0];
  const weighed = [{ type: 'text', text: `${use.input.asked} weighs 7` }];
  const result = { role: 'user', content: [{ type: 'tool_result', toolUseId: use.id, content: weighed }] };
  const messages = [first, { role: 'assistant', content: [use] }, result];
  const last = [(await sample(extra, { ...params, messages }, CreateMessageResultWithToolsSchema)).content].flat()[0];
  return said({ used: { name: use.name, input: use.input }, text: last.text });
});

server.registerTool('visit', { inputSchema: subject }, async ({ subject }, extra) => {
  const where = { url: `https://peers.example/${subject}`, elicitationId: `visit-${subject}` };
  const params = { mode: 'url', message: `${subject}: look at this`, ...where };
  const { action } = await extra.sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema);
  return said({ subject, action });
});

server.registerTool('capabilities', { inputSchema: {} }, async () => {
  return said(server.server.getClientCapabilities() ?? {});
});

server.registerTool('news', { inputSchema: subject }, async (args, extra) => {
  for (const [at, level] of ['debug', 'info', 'warning', 'error'].entries()) {
    await tell(extra, args, level, at + 1, 4);
  }
  return said({ subject: args.subject });
});

server.registerTool('change', { inputSchema: { tool: z.string() } }, async ({ tool }) => {
  server.registerTool(tool, { inputSchema: {} }, async () => said({ added: true }));
  return said({ changed: true });
});

server.registerTool('wait', { inputSchema: subject }, async (args, extra) => {
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, WAIT_MS);
    extra.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      heard(`cancelled ${args.subject}`);
      resolve();
    });
    tell(extra, args, 'info', 1);
  });
  return said({ subject: args.subject });
});

server.registerTool('crash', { inputSchema: {} }, () => process.exit(3));

const subscribed = new Set();
server.server.setRequestHandler(SubscribeRequestSchema, async ({ params }) => {
  subscribed.add(params.uri);
  return {};
});
server.server.setRequestHandler(UnsubscribeRequestSchema, async ({ params }) => {
  subscribed.delete(params.uri);
  return {};
});

server.registerTool('touch', { inputSchema: { uri: z.string() } }, async ({ uri }) => {
  if (subscribed.has(uri)) {
    await server.server.sendResourceUpdated({ uri });
  }
  return said({ uri });
});

const note = new ResourceTemplate('peers://notes/{name}', { list: undefined });
server.registerResource('note', note, { mimeType: 'text/plain' }, async (uri) => ({
  contents: [{ uri: uri.href, mimeType: 'text/plain', text: `note at ${uri.href}` }],
}));

const asked = new ResourceTemplate('peers://asked/{name}', { list: undefined });
server.registerResource('asked', asked, { mimeType: 'text/plain' }, async (uri, { name }, extra) => {
  const answer = await elicit(extra, `${name}: may it be read?`, field('leave'));
  return { contents: [{ uri: uri.href, mimeType: 'text/plain', text: JSON.stringify(answer) }] };
});

server.registerPrompt('introduce', { argsSchema: { subject: z.string() } }, async ({ subject }, extra) => {
  const answer = await elicit(extra, `${subject}: to whom?`, field('person'));
  return { messages: [user(`introduce ${subject} to ${answer.person}`)] };
});

function heard(word) {
  if (values.ear) {
    const socket = dgram.createSocket('udp4');
    socket.send(word, Number(values.ear), '127.0.0.1', () => socket.close());
  }
}

/** Says at the meeting point that `word` is there, and waits until it lets go. */
async function met(port, word) {
  if (port !== undefined) {
    await new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.write(`${word}\n`));
      socket.on('data', () => {}).on('close', resolve).on('error', reject);
    });
  }
}

await server.connect(new StdioServerTransport());

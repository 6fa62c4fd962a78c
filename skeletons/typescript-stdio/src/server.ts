// An MCP server on standard input and output. Standard output belongs to the protocol: print to standard error.

import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

serveStdio(() => {
  const server = new McpServer({ name: 'greeter', version: '0.1.0' });

  server.registerTool(
    'greet',
    {
      description: 'Greets someone by name.',
      inputSchema: z.object({ name: z.string().describe('Who is greeted.') }),
      annotations: { readOnlyHint: true },
    },
    async ({ name }) => ({ content: [{ type: 'text', text: `Hello, ${name}!` }] }),
  );

  return server;
});

// An MCP server with one tool for each thing that a tool can do, written with the published library. Served over HTTP by http-server.ts, and
// over stdio by stdio-server.ts.

import { Server } from '@modelcontextprotocol/server';
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';

const NO_SCHEMA: { type: 'object' } = { type: 'object' };
const PIXEL = 'aGVsbG8=';

export interface ToolServerOptions {
  /** Told what happens within, one word each: `started`, `cancelled`. */
  readonly say: (word: string) => void;
  /** More tools, or others. */
  readonly extra?: Readonly<Record<string, Tool>>;
  /** Of one page of `tools/list`. */
  readonly pageSize?: number;
  /** Names that `add_tool` has added; shared by the servers of one endpoint. */
  readonly added?: string[];
}

export interface Tool {
  readonly description?: string;
  readonly inputSchema?: { type: 'object'; [key: string]: unknown };
  readonly outputSchema?: { type: 'object'; [key: string]: unknown };
  readonly annotations?: Record<string, unknown>;
  readonly run: (args: Record<string, unknown>, context: ServerContext) => CallToolResult | Promise<CallToolResult>;
}

const text = (value: string): CallToolResult => ({ content: [{ type: 'text', text: value }] });

function toolsOf({ say, added = [] }: ToolServerOptions, server: Server): Record<string, Tool> {
  return {
    echo: {
      description: 'What it is given',
      inputSchema: { type: 'object', properties: { a: { type: 'number' } } },
      outputSchema: { type: 'object' },
      annotations: { readOnlyHint: true },
      run: (args) => ({ content: [{ type: 'text', text: JSON.stringify(args) }], structuredContent: args }),
    },
    text: { run: () => text('hello') },
    json_text: { run: () => text('{"a":1}') },
    nothing: { run: () => ({ content: [] }) },
    parts: {
      run: () => ({
        content: [
          { type: 'text', text: 'one' },
          { type: 'image', data: PIXEL, mimeType: 'image/png' },
          { type: 'audio', data: PIXEL, mimeType: 'audio/wav' },
          { type: 'resource', resource: { uri: 'file:a', mimeType: 'text/plain', text: 'inside' } },
          { type: 'resource', resource: { uri: 'file:b', blob: PIXEL } },
          { type: 'resource_link', uri: 'file:c', name: 'c' },
        ],
      }),
    },
    fail: { run: () => ({ content: [{ type: 'text', text: 'no such thing' }], isError: true }) },
    fail_with_image: {
      run: () => ({ content: [{ type: 'image', data: PIXEL, mimeType: 'image/png' }], isError: true }),
    },
    big: { run: ({ bytes }) => text('x'.repeat(Number(bytes))) },
    wait: {
      run: (_args, { mcpReq: { signal } }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            say('cancelled');
            resolve(text('late'));
          });
          say('started');
        }),
    },
    progress: {
      run: async (_args, { mcpReq }) => {
        const progressToken = mcpReq._meta?.progressToken;
        if (progressToken === undefined) return text('nobody asks');
        const params = { progressToken, progress: 1, total: 2, message: 'half' };
        await mcpReq.notify({ method: 'notifications/progress', params });
        return text('done');
      },
    },
    add_tool: {
      run: async ({ name }) => {
        added.push(String(name));
        await server.sendToolListChanged();
        return text('added');
      },
    },
  };
}

export function createToolServer(options: ToolServerOptions): Server {
  const { extra = {}, pageSize = 1_000, added = [] } = options;
  const server = new Server(
    { name: 'tools-for-tests', title: 'Tools for tests', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true } }, instructions: 'These are not for the runtime.' },
  );
  const all = (): Record<string, Tool> => ({
    ...toolsOf(options, server),
    ...extra,
    ...Object.fromEntries(added.map((name) => [name, { run: () => text('new') }])),
  });
  server.setRequestHandler('tools/list', ({ params }) => {
    const start = Number(params?.cursor ?? 0);
    const page = Object.entries(all()).slice(start, start + pageSize);
    const tools = page.map(([name, { description, inputSchema = NO_SCHEMA, outputSchema, annotations }]) => ({
      name,
      inputSchema,
      ...(description !== undefined && { description }),
      ...(outputSchema && { outputSchema }),
      ...(annotations && { annotations }),
    }));
    const next = start + pageSize;
    return { tools, ...(next < Object.keys(all()).length && { nextCursor: String(next) }) };
  });
  server.setRequestHandler('tools/call', ({ params: { name, arguments: args = {} } }, context) => {
    const tool = all()[name];
    if (tool === undefined) throw new Error(`no tool ${name}`);
    return tool.run(args, context);
  });
  return server;
}

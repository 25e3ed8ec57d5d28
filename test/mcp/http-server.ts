// The tools for tests over streamable HTTP, on loopback: with sessions, as the older protocol has them, or without, in the newer one.

import { createServer } from 'node:http';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TestContext } from 'node:test';
import { createMcpHandler, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import { createToolServer } from './tool-server.ts';
import type { ToolServerOptions } from './tool-server.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface TestServer {
  readonly url: string;
  /** What requests there were: methods, and for POST the one of the message. */
  readonly seen: string[];
  readonly headers: IncomingMessage['headers'][];
  /** Cuts every connection and listens no more. */
  stop(): Promise<void>;
}

export async function listen(t: TestContext, handler: Handler, port = 0): Promise<TestServer> {
  const seen: string[] = [];
  const headers: IncomingMessage['headers'][] = [];
  const server = createServer((request, response) => {
    headers.push(request.headers);
    seen.push(request.method ?? '');
    Promise.resolve(handler(request, response)).catch(() => response.destroy());
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const stop = (): Promise<void> => stopServer(server, sockets);
  t.after(stop);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, seen, headers, stop };
}

function stopServer(server: HttpServer, sockets: Set<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
}

export const SESSIONS = 'sessions';
export type Protocol = typeof SESSIONS | 'newer';

export function toolHandler(protocol: Protocol, options: ToolServerOptions): Handler {
  const answer = protocol === SESSIONS ? sessionAnswers(options) : newerAnswers(options);
  return async (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    await reply(response, await answer(await toRequest(request, gone.signal)));
  };
}

type Answer = (request: Request) => Promise<Response>;

function newerAnswers(options: ToolServerOptions): Answer {
  const handler = createMcpHandler(() => {
    const server = createToolServer(options);
    server.sendToolListChanged = async () => handler.notify.toolsChanged();
    return server;
  });
  return (request) => handler.fetch(request);
}

/** Each `initialize` makes a session; a request with an unknown one is answered with 404, as the protocol says. */
function sessionAnswers(options: ToolServerOptions): Answer {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  return async (request) => {
    const id = request.headers.get('mcp-session-id');
    if (id !== null) return sessions.get(id)?.handleRequest(request) ?? new Response('no session', { status: 404 });
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (made) => void sessions.set(made, transport),
      onsessionclosed: (closed) => void sessions.delete(closed),
    });
    await createToolServer(options).connect(transport);
    return transport.handleRequest(request);
  };
}

async function toRequest(request: IncomingMessage, signal: AbortSignal): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
  const body = chunks.length === 0 ? null : Buffer.concat(chunks);
  return new Request(`http://${request.headers.host}${request.url}`, {
    method: request.method!,
    headers,
    body,
    signal,
  });
}

async function reply(response: ServerResponse, answer: Response): Promise<void> {
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.flushHeaders();
  if (answer.body === null) response.end();
  else await pipeline(Readable.fromWeb(answer.body), response);
}

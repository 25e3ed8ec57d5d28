// Real servers on loopback, an egress that lets everything through, and functions over HTTP between them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { Agent } from 'undici';
import type { Egress } from '../../lib/egress/egress.ts';
import { GreenroomError } from '../../lib/errors.ts';
import type { FunctionCall, FunctionOwner } from '../../lib/functions/function.ts';
import { Groups } from '../../lib/functions/groups.ts';
import { Peers } from '../../lib/functions/peers.ts';
import { Functions } from '../../lib/functions/registry.ts';
import { UndiciClient } from '../../lib/http/client.ts';
import type { HttpRequest } from '../../lib/http/exchange.ts';
import { HttpFunctions } from '../../lib/http/functions.ts';
import { resolveLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';
import { silentLog } from '../../lib/observe/log.ts';
import { parseUntrusted } from '../../lib/protocol/json.ts';
import { payloadText } from '../../lib/protocol/payload.ts';

export const LONG_MS = 60_000;

/** As a server got it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  /** As they came: name, value, name, value. */
  readonly raw: readonly string[];
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface LocalServer {
  readonly url: string;
  readonly server: Server;
  readonly seen: Seen[];
}

type Handler = (seen: Seen, response: ServerResponse, request: IncomingMessage) => void;

/** Reads each request whole, and then lets `handle` answer it. */
export async function serveHttp(t: TestContext, handle: Handler): Promise<LocalServer> {
  const seen: Seen[] = [];
  return {
    ...(await listen(t, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', rawHeaders: raw, headers } = request;
        const one = { method, path: url, raw, headers, body: Buffer.concat(chunks).toString() };
        seen.push(one);
        handle(one, response, request);
      });
    })),
    seen,
  };
}

export async function listen(t: TestContext, handle: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

export interface FakeEgress extends Egress {
  readonly variables: Map<string, string>;
  /** Takes the place of the check of a URL; rejects to refuse it. */
  onCheck: (url: string, signal: AbortSignal | undefined) => Promise<void>;
}

/** Lets everything through, but what `onCheck` refuses. */
export function fakeEgress(t: TestContext, options: Agent.Options = {}): FakeEgress {
  const agent = new Agent(options);
  t.after(() => agent.destroy());
  const variables = new Map<string, string>();
  return {
    variables,
    onCheck: async () => undefined,
    async check(url, reach, signal) {
      await this.onCheck(url, signal);
      return this.parse(url, reach);
    },
    parse(url) {
      if (URL.canParse(url)) return new URL(url);
      throw GreenroomError.of('url_validation_failed', { details: { rule: 'url' } });
    },
    dispatcher: async () => agent,
    secret: (name) => variables.get(name),
    close: () => agent.destroy(),
  };
}

export function startClient(t: TestContext, limits: Partial<Limits> = {}, options: Agent.Options = {}) {
  const egress = fakeEgress(t, options);
  return { egress, client: new UndiciClient({ egress, limits: resolveLimits(limits) }) };
}

export function get(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'GET', url: new URL(url), reach: 'public', headers: {}, body: null, timeoutMs: LONG_MS, ...more };
}

export function testOwner(ownerId: string): FunctionOwner {
  const serve = () => Promise.reject(GreenroomError.of('invocation_failed'));
  return { ownerId, name: ownerId, origin: 'remote', serve };
}

/** A registry with groups, and functions over HTTP in it. */
export function startFunctions<E extends Egress>(egress: E, given: Partial<Limits> = {}) {
  const limits = resolveLimits(given);
  const client = new UndiciClient({ egress, limits });
  const functions: Functions = new Functions(
    new Groups({
      peers: new Peers(),
      version: '0',
      isWorker: (name) => name === 'taken',
      countOf: (group) => functions.countListed(group),
    }),
  );
  const checkPayload = (bytes: Uint8Array): void => void parseUntrusted(bytes);
  const http = new HttpFunctions({ functions, egress, client, limits, log: silentLog, checkPayload });
  const owner = testOwner('owner');
  const register = (functionId: string, invocation: unknown, group?: string) =>
    http.register({ owner, spec: { functionId, description: null }, invocation, reach: 'public', group });
  const call = async (functionId: string, payload: unknown, more: Partial<FunctionCall> = {}): Promise<unknown> => {
    const rest = { metadata: null, caller: { workerId: null }, timeoutMs: LONG_MS, ...more };
    return JSON.parse(payloadText(await functions.call(functionId, { payload: JSON.stringify(payload), ...rest })));
  };
  return { egress, client, functions, http, owner, register, call, limits };
}

export const rejection = (promise: Promise<unknown>): Promise<GreenroomError> =>
  promise.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error as GreenroomError,
  );

/** A server that answers each connection in its own way, by number. */
export async function serveTcp(t: TestContext, onSocket: (socket: Socket, count: number) => void) {
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket, ++count);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, connections: () => count, server };
}

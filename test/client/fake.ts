// A runtime that misbehaves on demand: a real server on a real socket, whose answers the test writes.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { createClient } from '../../lib/client/index.ts';
import type { Client, ClientOptions } from '../../lib/client/index.ts';

export const TOKEN = 'test-token';

export interface Seen {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Fake {
  url: string;
  /** Every request so far, bodies complete. */
  seen: Seen[];
  /** Resolves once `count` requests have been seen. */
  arrived(count: number): Promise<void>;
}

/** Starts a fake for one test. `respond` gets each request with its number, from 1; doing nothing means never answering. */
export async function startFake(
  t: TestContext,
  respond: (request: Seen, response: ServerResponse, count: number) => void,
): Promise<Fake> {
  const seen: Seen[] = [];
  const waiters = new Set<() => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      seen.push({ method, path: url, headers, body: Buffer.concat(chunks).toString() });
      for (const waiter of waiters) waiter();
      respond(seen.at(-1) as Seen, response, seen.length);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const arrived = (count: number) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (seen.length < count) return;
        waiters.delete(check);
        resolve();
      };
      waiters.add(check);
      check();
    });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, arrived };
}

/** A client of the fake that is closed with the test. */
export function clientOf(t: TestContext, url: string, options: Partial<ClientOptions> = {}): Client {
  const client = createClient({ url, token: TOKEN, ...options });
  t.after(() => client.close());
  return client;
}

export function reply(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

export const ACK = { ack: { worker_id: 'w1', input_id: 'i1', status: 'idle', position: 0, durability: 'durable' } };
export const BUSY = {
  error: {
    code: 'worker_busy',
    message: 'The worker has no room for another input.',
    retryable: true,
    details: { messages: 4 },
  },
};

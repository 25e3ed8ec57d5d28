// Listens while the runtime is still being started: what its store holds may take a while to come back, and meanwhile process managers
// are to see that it lives and is not ready. Then the listening socket itself is handed over, so that at no moment nobody listens.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GreenroomError } from '../errors.ts';
import * as bounds from './bounds.ts';
import { answerMalformed } from './errors.ts';
import { hasLongRest, lingeringAnswer } from './linger.ts';
import { ALIVE, JSON_TYPE } from './reply.ts';

export interface EarlyListener {
  /** From now on this server gets the connections. Those that are there already end with their answer. */
  handOver(server: Server): Promise<void>;
  /** Stops listening and ends every connection. Once the socket is handed over it is the server that stops listening. */
  close(): Promise<void>;
}

/** Resolves when it listens. Rejects with the system's error if it cannot. */
export async function listenEarly({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Promise<EarlyListener> {
  const front = createServer({
    maxHeaderSize: bounds.MAX_HEADER_BYTES,
    headersTimeout: bounds.HEADERS_TIMEOUT_MS,
    requestTimeout: bounds.REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: bounds.TIMEOUT_CHECK_MS,
    requireHostHeader: false,
  });
  front.maxConnections = bounds.MAX_CONNECTIONS;
  front.on('request', answer).on('checkContinue', answer).on('checkExpectation', answer);
  front.on('clientError', answerMalformed);
  front.listen(port, host);
  await once(front, 'listening');
  let isHandedOver = false;
  return {
    handOver: async (server) => {
      // The documented way to share a bound socket; whoever closes one of them closes it for both.
      server.listen(front);
      await once(server, 'listening');
      isHandedOver = true;
    },
    close: async () => {
      front.closeAllConnections();
      if (!isHandedOver) await new Promise((resolve) => front.close(resolve));
    },
  };
}

/** Where a server listens, without a slash at the end. */
export function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  // The next request is for whoever has the socket by then.
  response.setHeader('connection', 'close').setHeader('content-type', JSON_TYPE).setHeader('cache-control', 'no-store');
  const path = request.url?.split('?', 1)[0];
  const isAlive = path === '/livez' && (request.method === 'GET' || request.method === 'HEAD');
  const text = isAlive ? ALIVE : JSON.stringify({ error: recovering().toWire() });
  response.statusCode = isAlive ? 200 : 503;
  if (!isAlive) response.setHeader('retry-after', String(bounds.EARLY_RETRY_MS / 1_000));
  response.setHeader('content-length', Buffer.byteLength(text));
  if (request.method === 'HEAD' || !hasLongRest(request)) response.end(text);
  else lingeringAnswer(request, text).pipe(response);
}

function recovering(): GreenroomError {
  return GreenroomError.of('runtime_unavailable', {
    message: 'The runtime is starting.',
    details: { reason: 'recovering', retry_after_ms: bounds.EARLY_RETRY_MS },
  });
}

// The runtime's own HTTP server: the routes, and around them every bound of HTTP that Fastify or Node leave open.
// Set explicitly, since most of their defaults are "none".

import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { GreenroomError } from '../errors.ts';
import type { GatewayOptions } from '../access/options.ts';
import { silentLog } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { createAuthenticate } from './auth.ts';
import { isBatchType } from './body.ts';
import * as bounds from './bounds.ts';
import { urlOf } from './early.ts';
import type { EarlyListener } from './early.ts';
import { answerMalformed, sendError } from './errors.ts';
import { greenroomRoutes } from './routes.ts';
import type { ServedRuntime } from './routes.ts';

export interface ServerOptions {
  readonly runtime: ServedRuntime;
  /** The bearer token; 1 to 512 visible ASCII characters. */
  readonly token: string;
  /** Default 127.0.0.1: other machines reach it only if somebody says so. */
  readonly host?: string;
  /** Default 0: the system chooses. */
  readonly port?: number;
  readonly log?: Logger;
  /** Lets remotes connect over WebSocket, at `/v1/gateway`. Default: off, and nothing of it is loaded. */
  readonly gateway?: GatewayOptions | undefined;
  /** What has listened so far: its socket is taken over, instead of `host` and `port`. */
  readonly early?: EarlyListener | undefined;
}

export interface RunningServer {
  /** With the port that was bound, and without a slash at the end. */
  readonly url: string;
  /**
   * Accepts nothing more, answers the requests that wait, and resolves when every connection has ended; those that are
   * still busy after CLOSE_GRACE_MS are cut. The runtime stays open. May be called again.
   */
  close(): Promise<void>;
}

/** Resolves when the server listens. Rejects with `invalid_option` without a token, with the system's error if it cannot listen. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { runtime, token, host = '127.0.0.1', port = 0, log = silentLog, gateway, early } = options;
  const app = createApp(runtime, token, log);
  app.register(greenroomRoutes, { runtime, token, log, gateway });
  try {
    if (early === undefined) await app.listen({ host, port });
    else {
      await app.ready();
      await early.handOver(app.server);
    }
  } catch (error) {
    await app.close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return { url: urlOf(app.server), close: () => (closing ??= closeApp(app)) };
}

function createApp(runtime: ServedRuntime, token: string, log: Logger): FastifyInstance {
  const authenticate = createAuthenticate({ token });
  const app = Fastify({
    logger: false,
    // A path never reaches the router unless it fits into the headers: then ids of any length get our own answer.
    routerOptions: { maxParamLength: bounds.MAX_HEADER_BYTES },
    // Bodies are bounded by our own reader; this is what the framework would apply to a parser of its own.
    bodyLimit: runtime.supervisor.limits.maxMessageBytes,
    requestTimeout: bounds.REQUEST_TIMEOUT_MS,
    keepAliveTimeout: bounds.KEEP_ALIVE_MS,
    // Would cut a request that waits for its outcome.
    connectionTimeout: 0,
    maxRequestsPerSocket: 0,
    forceCloseConnections: 'idle',
    // Its 503 has no envelope; the gate answers instead.
    return503OnClosing: false,
    http: {
      maxHeaderSize: bounds.MAX_HEADER_BYTES,
      headersTimeout: bounds.HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: bounds.TIMEOUT_CHECK_MS,
      // Node answers a missing Host with an empty 400; the gate does it with an envelope.
      requireHostHeader: false,
    },
    clientErrorHandler: answerMalformed,
    // What fails before a route is found, and so outside every scope: a path that cannot be decoded.
    frameworkErrors: (error, request, reply) => {
      const refusal = authenticate(request) ? badPath(request.url, error) : GreenroomError.of('unauthorized');
      sendError(request, reply, refusal, log);
    },
  });
  app.server.maxConnections = bounds.MAX_CONNECTIONS;
  // By default Node asks every client for its body and answers other expectations with an empty 417.
  app.server.on('checkContinue', (request, response) => {
    const { 'content-length': declared, 'content-type': type } = request.headers;
    const isTooLarge = Number(declared ?? 0) > runtime.supervisor.limits.maxMessageBytes;
    // What is put into a channel is bounded by the channel.
    const isForChannel = request.method === 'PUT' && request.url?.startsWith('/v1/channels/') === true;
    const isUnbounded = isBatchType(type) || isForChannel;
    if (!isTooLarge || isUnbounded) response.writeContinue();
    app.server.emit('request', request, response);
  });
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  return app;
}

function badPath(url: string, cause: Error): GreenroomError {
  if (/^\/v1\/workers\/./.test(url)) return GreenroomError.of('invalid_worker_id', { cause });
  return GreenroomError.of('invalid_request', { message: 'The path is not validly percent-encoded.', cause });
}

async function closeApp(app: FastifyInstance): Promise<void> {
  // A connection that is busy now is to end with its answer, not to idle for KEEP_ALIVE_MS after it.
  app.server.keepAliveTimeout = 1;
  const cut = setTimeout(() => app.server.closeAllConnections(), bounds.CLOSE_GRACE_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}

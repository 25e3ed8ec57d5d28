// The REST API as a Fastify plugin, for the server below and for a Backend that mounts it in its own app. Everything that
// it sets is encapsulated: parsers, error handler, hooks and, under a prefix, the answers to unknown routes.
// Without a prefix it answers for the whole scope it is registered in, unknown routes included.

import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import type { Channels } from '../channels/channels.ts';
import { GreenroomError } from '../errors.ts';
import { MAX_WORKER_ID_CHARS } from '../limits.ts';
import type { GatewayOptions } from '../access/options.ts';
import type { Peers } from '../functions/peers.ts';
import type { Functions } from '../functions/registry.ts';
import type { Outside } from '../outside.ts';
import type { Logger } from '../observe/log.ts';
import type { CloseReport, RuntimeView } from '../protocol/views.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { registerActorRoutes } from './actor-routes.ts';
import { createAuthenticate } from './auth.ts';
import type { Authenticate, AuthOptions } from './auth.ts';
import { registerBatchRoutes } from './batch-routes.ts';
import { BodyReader } from './body.ts';
import { registerChannelRoutes } from './channel-routes.ts';
import { registerDeadLetterRoutes } from './dead-letter-routes.ts';
import type { Edge } from './edge.ts';
import { sendError } from './errors.ts';
import { registerFunctionRoutes } from './function-routes.ts';
import { registerHealthRoutes } from './health-routes.ts';
import { registerInputRoutes } from './input-routes.ts';
import { registerMcpRoutes } from './mcp-routes.ts';
import { registerHostRoutes } from './host-routes.ts';
import { RouteTable } from './methods.ts';
import { OpenCalls } from './open-calls.ts';
import { registerOpenApiRoutes } from './openapi-routes.ts';
import { registerRuntimeRoutes } from './runtime-routes.ts';
import { registerSourceRoutes } from './source-routes.ts';
import { registerTranscriptRoutes } from './transcript-routes.ts';
import { Turns } from './turns.ts';
import { boundUnread } from './unread.ts';
import { Waits } from './waits.ts';
import { registerCommandRoutes, registerWorkerRoutes } from './worker-routes.ts';

/** What the edge needs of a runtime. */
export interface ServedRuntime {
  readonly supervisor: Supervisor;
  readonly functions: Functions;
  readonly peers: Peers;
  readonly channels: Channels;
  readonly outside: Outside;
  describe(): Promise<RuntimeView>;
  close(options: { readonly deadlineMs?: number | undefined }): Promise<CloseReport>;
}

export interface GreenroomRoutesOptions extends AuthOptions {
  readonly runtime: ServedRuntime;
  /** Default: the log of the app. */
  readonly log?: Logger;
  /** Lets remotes connect over WebSocket, at `/v1/gateway`. Default: off, and nothing of it is loaded. */
  readonly gateway?: GatewayOptions | undefined;
}

const GUARDED_ROUTES = [
  registerRuntimeRoutes,
  registerHostRoutes,
  registerActorRoutes,
  registerWorkerRoutes,
  registerCommandRoutes,
  registerInputRoutes,
  registerBatchRoutes,
  registerFunctionRoutes,
  registerSourceRoutes,
  registerTranscriptRoutes,
  registerDeadLetterRoutes,
  registerChannelRoutes,
  registerOpenApiRoutes,
];

/** Rejects the registration with `invalid_option` when there is no credential. */
export const greenroomRoutes: FastifyPluginCallback<GreenroomRoutesOptions> = (app, options, done) => {
  try {
    const { runtime, log = app.log } = options;
    const authenticate = createAuthenticate(options);
    const { supervisor, functions, peers, channels, outside } = runtime;
    const bodies = new BodyReader(supervisor.limits);
    const edge: Edge = {
      supervisor,
      functions,
      peers,
      channels,
      outside,
      describe: () => runtime.describe(),
      close: (deadlineMs) => runtime.close({ deadlineMs }),
      log,
      bodies,
      calls: new OpenCalls(log),
      turns: new Turns(),
      waits: new Waits(),
      batches: new Set(),
      isClosing: false,
    };
    boundUnread(app, supervisor.limits.maxTotalBytes, log);
    registerRoutes(app, edge, authenticate);
    const { gateway, token } = options;
    registerMcpRoutes(app, edge, { token, isBackend: authenticate, gateway });
    if (gateway !== undefined) {
      app.register(async (scope) => {
        const { registerGateway } = await import('./gateway-routes.ts');
        await registerGateway(scope, edge, { token, isBackend: authenticate }, gateway);
      });
    }
    done();
  } catch (error) {
    done(error as Error);
  }
};

function registerRoutes(app: FastifyInstance, edge: Edge, authenticate: Authenticate): void {
  const table = new RouteTable();
  app.addHook('onRoute', table.add);
  app.addHook('preClose', (done) => {
    edge.isClosing = true;
    edge.waits.endAll();
    edge.calls.endAll();
    for (const batch of edge.batches) batch.wake();
    done();
  });
  app.setErrorHandler((error, request, reply) => sendError(request, reply, error, edge.log));
  const { parse } = edge.bodies;
  app.removeAllContentTypeParsers();
  // The first for speed: the framework looks an exact type up and searches for any other.
  app.addContentTypeParser('application/json', parse);
  app.addContentTypeParser('*', parse);

  registerHealthRoutes(app, edge);
  app.register((guarded, _options, done) => {
    guarded.addHook('onRequest', createGate(edge, authenticate, table));
    for (const register of GUARDED_ROUTES) register(guarded, edge);
    catchLongIds(guarded, edge, table);
    guarded.setNotFoundHandler((request) => {
      throw table.refusal(request);
    });
    done();
  });
}

/**
 * Fastify's default `maxParamLength` is 100, and a plugin cannot change it: an app that keeps it cannot reach workers and functions
 * whose ids are longer. Say so, in the log now and in an envelope later; without this route the app itself would answer.
 */
function catchLongIds(app: FastifyInstance, edge: Edge, table: RouteTable): void {
  const maxParamLength = app.initialConfig.routerOptions?.maxParamLength ?? app.initialConfig.maxParamLength ?? 0;
  if (maxParamLength >= MAX_WORKER_ID_CHARS) return;
  edge.log.warn(
    { max_param_length: maxParamLength, needed: MAX_WORKER_ID_CHARS },
    'longer worker ids cannot be reached: set routerOptions.maxParamLength',
  );
  for (const path of ['/v1/workers/*', '/v1/functions/*', '/v1/sources/*']) {
    app.all(path, {
      onRequest: (request, _reply, done) => done(table.refusal(request)),
      handler: (request) => {
        throw table.refusal(request);
      },
    });
  }
}

type Gate = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void;

/** In this order: who asks, whether we serve, what is asked. Nothing of the body has been read. */
function createGate(edge: Edge, authenticate: Authenticate, table: RouteTable): Gate {
  return (request, _reply, done) => {
    if (!authenticate(request)) return done(GreenroomError.of('unauthorized'));
    if (edge.isClosing) return done(GreenroomError.of('runtime_unavailable'));
    if (request.is404) return done(table.refusal(request));
    // Our own server leaves this to us, so that the refusal has an envelope (RFC 9112, section 3.2).
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
      return done(GreenroomError.of('invalid_request', { message: 'The Host header is missing.' }));
    }
    done();
  };
}

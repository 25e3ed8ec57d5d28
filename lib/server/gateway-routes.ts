// The upgrade routes of the gateway, on the same listener as REST. Everything that can be refused is refused before the upgrade, as HTTP:
// who connects, whether there is room, whether the channel exists. Loaded only when the gateway is on.

import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { GreenroomError } from '../errors.ts';
import { requireChannelEnd, serveChannelSocket } from '../gateway/channel-socket.ts';
import { createAuthenticateSocket } from '../access/credentials.ts';
import type { AuthenticateSocket } from '../access/credentials.ts';
import { Gateway } from '../gateway/gateway.ts';
import { createCallFunction } from '../access/hooks.ts';
import { Intake } from '../gateway/intake.ts';
import { compileListeners, openPolicy } from '../access/listener.ts';
import type { Listener } from '../access/listener.ts';
import { requireGateway } from '../access/options-schema.ts';
import type { GatewayOptions } from '../access/options.ts';
import type { Policy } from '../access/policy.ts';
import { Telemetry } from '../gateway/telemetry.ts';
import { isForwarded } from '../gateway/trust.ts';
import { endSocket } from '../gateway/wire.ts';
import { describeError } from '../observe/log.ts';
import type { Authenticate } from './auth.ts';
import type { Edge } from './edge.ts';
import { endRequest, selectUpgrades } from './upgrades.ts';

const PATH = '/v1/gateway';
const GOING_AWAY = 1001;
const INTERNAL_ERROR = 1011;
const UPGRADE_REQUIRED = 426;

/** What the routes of one path share. */
interface Entrance {
  readonly path: string;
  /** Null: the main path, where credentials decide alone. */
  readonly listener: Listener | null;
  readonly edge: Edge;
  readonly gateway: Gateway;
  readonly intake: Intake;
  readonly authenticate: AuthenticateSocket<FastifyRequest>;
}

export async function registerGateway(
  app: FastifyInstance,
  edge: Edge,
  { token, isBackend }: { readonly token: string | undefined; readonly isBackend: Authenticate },
  options: GatewayOptions,
): Promise<void> {
  if (app.hasDecorator('websocketServer')) {
    throw GreenroomError.of('invalid_option', {
      message:
        '`gateway` needs the upgrades of its app: register it where @fastify/websocket is not, or use startServer.',
    });
  }
  const { log } = edge;
  const { limits } = edge.supervisor;
  const {
    credentials = [],
    listeners,
    otlpEndpoint: endpoint,
    perMessageDeflate = false,
  } = requireGateway(options, limits);
  const authenticate = createAuthenticateSocket({ token, authenticate: isBackend }, credentials, limits);
  const gateway = createGateway(edge, endpoint);
  const intake = new Intake(limits, log);
  await app.register(websocket, {
    // The plugin lets a socket live on after an error of its handler; nothing would ever end it.
    errorHandler: (error: Error, socket: WebSocket) => {
      if (socket.readyState !== socket.OPEN) return;
      log.error(describeError(error), 'an upgraded socket failed');
      socket.close(INTERNAL_ERROR);
    },
    preClose(this: FastifyInstance, done: () => void) {
      gateway.close();
      intake.close();
      // The server waits for its sockets.
      for (const socket of this.websocketServer.clients) endSocket(socket, GOING_AWAY, 'shutdown');
      this.websocketServer.close();
      done();
    },
    options: {
      server: selectUpgrades(app.server, app.prefix + PATH),
      maxPayload: limits.maxFrameBytes,
      perMessageDeflate,
    },
  });

  const common = { edge, gateway, intake, authenticate };
  registerSockets(app, { ...common, path: PATH, listener: null });
  for (const listener of compileListeners(listeners))
    registerSockets(app, { ...common, path: `${PATH}/${listener.name}`, listener });
}

function createGateway(
  { supervisor, functions, peers, channels, outside, log }: Edge,
  endpoint: GatewayOptions['otlpEndpoint'],
): Gateway {
  return new Gateway({
    limits: supervisor.limits,
    log,
    functions,
    peers,
    http: outside.http,
    version: supervisor.identity.version,
    checkPayload: (bytes) => supervisor.checkPayload(bytes),
    createChannel: (ownerId, bufferMessages) => channels.create(ownerId, { bufferMessages }),
    closeChannels: (ownerId) => channels.closeOwned(ownerId),
    telemetry: new Telemetry({ endpoint, log }),
  });
}

/** Clients derive the second and the third path from the first. */
function registerSockets(app: FastifyInstance, entrance: Entrance): void {
  const { path, listener, edge, gateway, intake, authenticate } = entrance;
  const route = (
    url: string,
    refusal: (request: FastifyRequest) => GreenroomError | null,
    serve: (socket: WebSocket, request: FastifyRequest) => void,
  ): void => {
    app.route({
      method: 'GET',
      url,
      onRequest: (request, _reply, done) => done(refusal(request) ?? refusalNow(entrance) ?? undefined),
      handler: requireUpgrade,
      wsHandler: (socket, request) => {
        // The plugin's own listener holds the request and its reply as well; an error of the socket is told by its close.
        socket.removeAllListeners('error').on('error', ignoreError);
        endRequest(request.raw.socket);
        intake.watch(socket, request.raw.socket);
        serve(socket, request);
      },
    });
  };
  const unauthorized = (request: FastifyRequest) =>
    authenticate(request) === null ? GreenroomError.of('unauthorized') : null;

  route(
    path,
    (request) => (listener?.needsBearer === false ? null : unauthorized(request)) ?? noRoom(gateway),
    (socket, request) =>
      gateway.accept(socket, request.raw.socket, {
        policy: policyOf(entrance, socket, request),
        isForwarded: isForwarded(request.headers),
      }),
  );
  // SDKs send no headers with their telemetry: it is also taken from where a remote is connected from.
  route(
    `${path}/otel`,
    (request) => (gateway.isKnownAddress(request.raw.socket.remoteAddress) ? null : unauthorized(request)),
    (socket, request) => gateway.acceptTelemetry(socket, request.raw.socket),
  );
  // Nor with channels: whoever has the key of one may take an end of it, and nothing else.
  const endOf = (request: FastifyRequest) =>
    requireChannelEnd(edge.channels, (request.params as { channelId: string }).channelId, request.query as object);
  route(
    `${path}/ws/channels/:channelId`,
    (request) => (endOf(request), null),
    (socket, request) => serveChannelSocket(socket, edge.channels, endOf(request)),
  );
}

/** What the socket may do. A promise where functions decide: they are asked no longer than the socket is there. */
function policyOf(entrance: Entrance, socket: WebSocket, request: FastifyRequest): Policy | Promise<Policy> {
  const { listener, edge, authenticate } = entrance;
  const credential = authenticate(request);
  if (listener === null) return credential ?? Promise.reject(GreenroomError.of('unauthorized'));
  const { limits } = edge.supervisor;
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  return openPolicy({
    listener,
    peer: { headers: request.headers, url: request.url, ip: request.raw.socket.remoteAddress ?? '' },
    credential,
    call: createCallFunction(edge.functions, { timeoutMs: limits.invocationTimeoutMs, signal: closed.signal }),
    limits,
  });
}

function refusalNow({ edge }: Entrance): GreenroomError | null {
  return edge.isClosing || !edge.supervisor.isReady ? GreenroomError.of('runtime_unavailable') : null;
}

function noRoom(gateway: Gateway): GreenroomError | null {
  if (gateway.hasRoom) return null;
  return GreenroomError.of('runtime_overloaded', { message: 'As many remotes are connected as may be.' });
}

function requireUpgrade(): never {
  throw GreenroomError.of('invalid_request', {
    status: UPGRADE_REQUIRED,
    message: 'This route is for WebSocket: send an upgrade.',
  });
}

function ignoreError(): void {
  // Without a listener it would end the process.
}

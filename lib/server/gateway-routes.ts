// The upgrade routes of the gateway, on the same listener as REST. Everything that can be refused is refused before the upgrade, as HTTP:
// who connects, whether there is room, whether the channel exists. Loaded only when the gateway is on.

import websocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import type { WebSocket } from 'ws';
import { GreenroomError } from '../errors.ts';
import { CLOSE_GRACE_MS } from '../gateway/bounds.ts';
import { Gateway } from '../gateway/gateway.ts';
import { Intake } from '../gateway/intake.ts';
import { requireGateway } from '../gateway/options-schema.ts';
import type { GatewayOptions } from '../gateway/options.ts';
import { createAuthenticateSocket } from '../gateway/credentials.ts';
import { describeError } from '../observe/log.ts';
import type { Authenticate } from './auth.ts';
import type { Edge } from './edge.ts';
import { selectUpgrades } from './upgrades.ts';

const GOING_AWAY = 1001;
const INTERNAL_ERROR = 1011;
const UPGRADE_REQUIRED = 426;

export async function registerGateway(
  app: FastifyInstance,
  edge: Edge,
  { token, isBackend }: { readonly token: string | undefined; readonly isBackend: Authenticate },
  options: GatewayOptions,
): Promise<void> {
  const { supervisor, functions, peers, log } = edge;
  const { limits } = supervisor;
  const { credentials = [] } = requireGateway(options, limits);
  const authenticate = createAuthenticateSocket({ token, authenticate: isBackend }, credentials, limits);
  const gateway = new Gateway({
    limits,
    log,
    functions,
    peers,
    version: supervisor.identity.version,
    checkPayload: (bytes) => supervisor.checkPayload(bytes),
    createChannel: () => {
      throw GreenroomError.of('unsupported_operation');
    },
    closeChannels: () => undefined,
  });
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
      endAll(this.websocketServer.clients);
      this.websocketServer.close();
      done();
    },
    options: {
      server: selectUpgrades(app.server, `${app.prefix}/v1/gateway`),
      maxPayload: limits.maxFrameBytes,
      perMessageDeflate: options.perMessageDeflate ?? false,
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/gateway',
    onRequest: (request, _reply, done) => {
      if (authenticate(request) === null) return done(GreenroomError.of('unauthorized'));
      done(refusalNow(edge, gateway));
    },
    handler: requireUpgrade,
    wsHandler: (socket, request) => {
      const policy = authenticate(request);
      if (policy === null) return socket.close(INTERNAL_ERROR);
      intake.watch(socket, request.raw.socket);
      gateway.accept(socket, request.raw.socket, policy);
    },
  });
}

/** What an upgrade is refused with now, whoever asks. */
function refusalNow(edge: Edge, gateway: Gateway): GreenroomError | undefined {
  if (edge.isClosing || !edge.supervisor.isReady) return GreenroomError.of('runtime_unavailable');
  if (!gateway.hasRoom)
    return GreenroomError.of('runtime_overloaded', { message: 'As many remotes are connected as may be.' });
  return undefined;
}

function requireUpgrade(): never {
  throw GreenroomError.of('invalid_request', {
    status: UPGRADE_REQUIRED,
    message: 'This route is for WebSocket: send an upgrade.',
  });
}

/** The server waits for its sockets, and a peer may never answer a close. */
function endAll(sockets: Iterable<WebSocket>): void {
  for (const socket of sockets) {
    socket.close(GOING_AWAY, 'shutdown');
    const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
  }
}

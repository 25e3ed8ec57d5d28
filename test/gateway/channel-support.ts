// A server that does with channels what the gateway does, and nothing else: upgrade requests in, ends of channels out.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import Fastify from 'fastify';
import websocket from '@fastify/websocket';
import { WebSocket } from 'ws';
import { Channels } from '../../lib/channels/channels.ts';
import type { ChannelRef, ChannelRefs } from '../../lib/protocol/channel-ref.ts';
import { asGreenroomError } from '../../lib/errors.ts';
import { requireChannelEnd, serveChannelSocket } from '../../lib/gateway/channel-socket.ts';
import { resolveLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';

export interface Scene {
  channels: Channels;
  /** What the SDK is given as its address. */
  address: string;
  create: (bufferMessages?: number) => ChannelRefs;
  /** A raw socket to an end that has yet to open: nothing that arrives is missed. */
  connect: (ref: ChannelRef) => WebSocket;
  /** The same, once it is open. */
  join: (ref: ChannelRef) => Promise<WebSocket>;
  /** Sockets at the server's side, in the order in which they came. */
  served: WebSocket[];
}

const PATH = '/v1/gateway/ws/channels/';

export async function startChannels(t: TestContext, given: Partial<Limits> = {}): Promise<Scene> {
  const limits = resolveLimits(given);
  const channels = new Channels(limits);
  const served: WebSocket[] = [];
  const refs = new WeakMap<object, ChannelRef>();
  const app = Fastify();
  await app.register(websocket, { options: { maxPayload: limits.maxFrameBytes, perMessageDeflate: false } });
  app.setErrorHandler((thrown, _request, reply) => {
    const error = asGreenroomError(thrown);
    return reply.code(error.status).send({ error: error.toWire() });
  });
  app.route({
    method: 'GET',
    url: `${PATH}:channelId`,
    preValidation: (request, _reply, done) => {
      const { channelId } = request.params as { channelId: string };
      refs.set(request, requireChannelEnd(channels, channelId, request.query as object));
      done();
    },
    handler: (_request, reply) => reply.code(426).send(),
    wsHandler: (socket, request) => {
      served.push(socket);
      serveChannelSocket(socket, channels, refs.get(request) as ChannelRef);
    },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const sockets = new Set<WebSocket>();
  t.after(async () => {
    channels.closeAll();
    for (const socket of sockets) socket.terminate();
    await app.close();
  });
  const address = `ws://127.0.0.1:${(app.server.address() as AddressInfo).port}/v1/gateway`;
  const connect = (ref: ChannelRef): WebSocket => {
    const socket = new WebSocket(addressOf(address, ref));
    sockets.add(socket);
    return socket;
  };
  const join = async (ref: ChannelRef): Promise<WebSocket> => {
    const socket = connect(ref);
    await once(socket, 'open');
    return socket;
  };
  const create = (bufferMessages?: number) => channels.create(null, { bufferMessages });
  return { channels, address, create, connect, join, served };
}

export function addressOf(address: string, { channel_id: id, access_key: key, direction }: ChannelRef): string {
  return `${address}/ws/channels/${id}?key=${encodeURIComponent(key)}&dir=${direction}`;
}

/** How a socket was closed. */
export async function closeOf(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return { code, reason: reason.toString() };
}

/** Everything that arrives, until the close. */
export async function messagesOf(socket: WebSocket): Promise<{ messages: (string | number)[]; code: number }> {
  const messages: (string | number)[] = [];
  socket.on('message', (bytes: Buffer, isBinary: boolean) => {
    messages.push(isBinary ? bytes.length : bytes.toString());
  });
  const { code } = await closeOf(socket);
  return { messages, code };
}

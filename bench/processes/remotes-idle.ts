// The remotes-idle scenario: a fresh process with a gateway, or with nothing but a socket server, to which so many peers connect that then
// do nothing. Memory is that of the whole process, after garbage was collected; the peers are in another one.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { answerRequests, forkPeer, processUrl } from '../support/child.ts';
import type { Peer } from '../support/child.ts';
import { openGateway } from '../support/gateway.ts';
import type { Address, OpenGateway } from '../support/gateway.ts';
import { collectGarbage } from '../support/machine.ts';
import { functionIdOf } from '../support/raw-remote.ts';
import type { RemotesRequest } from './remotes.ts';

export interface IdleRequest {
  readonly how: RemotesRequest['how'];
  readonly count: number;
}

export interface Idle {
  readonly bytesEach: number;
}

const WITHIN_MS = 120_000;
const COLLECTIONS = 5;
/** The allocator gives pages back a little later. */
const SETTLE_MS = 50;
/** Opened before the first look: what the first connection loads is no memory of the others. */
const FIRST = 20;

interface Place {
  readonly address: Address;
  /** Throws unless every one of them can be used. */
  prove(count: number): Promise<void>;
  close(): Promise<void>;
}

async function measure({ how, count }: IdleRequest): Promise<Idle> {
  const place = how === 'raw' ? await openOurs() : await openBare();
  const peers: Peer[] = [];
  const connect = async (first: number, more: number): Promise<void> => {
    const peer = forkPeer(processUrl('remotes'));
    peers.push(peer);
    await peer.request({ how, address: place.address, first, count: more } satisfies RemotesRequest, WITHIN_MS);
  };
  try {
    await connect(0, FIRST);
    await place.prove(FIRST);
    const before = await rssBytes();
    await connect(FIRST, count);
    const bytesEach = ((await rssBytes()) - before) / count;
    await place.prove(FIRST + count);
    return { bytesEach };
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
    await place.close();
  }
}

async function openOurs(): Promise<Place> {
  const gateway = await openGateway();
  return {
    address: gateway.address,
    prove: (count) => proveServed(gateway, count),
    close: () => gateway.close(),
  };
}

async function proveServed(gateway: OpenGateway, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    if ((await gateway.call(functionIdOf(number), number)) !== number) throw new Error('a remote has not echoed');
  }
}

async function openBare(): Promise<Place> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) => socket.on('error', () => undefined));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: { url: `ws://127.0.0.1:${port}`, token: '' },
    prove: async (count) => {
      if (server.clients.size !== count) throw new Error(`${server.clients.size} of ${count} peers are connected`);
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function rssBytes(): Promise<number> {
  for (let round = 0; round < COLLECTIONS; round++) {
    collectGarbage();
    await pause(SETTLE_MS);
  }
  return process.memoryUsage.rss();
}

answerRequests((request) => measure(request as IdleRequest));

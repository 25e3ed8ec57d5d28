// Many remotes in one process, each with a connection and a function of its own, away from the memory that is measured.

import { WebSocket } from 'ws';
import { answerRequests } from '../support/child.ts';
import type { Address } from '../support/gateway.ts';
import { functionIdOf, RawRemote } from '../support/raw-remote.ts';

export interface RemotesRequest {
  /** `bare` only opens sockets. */
  readonly how: 'raw' | 'bare';
  readonly address: Address;
  /** Number of the first one. */
  readonly first: number;
  readonly count: number;
}

/** Fewer than the line of connections that wait to be accepted. */
const CONNECT_AT_ONCE = 100;

async function connectAll({ how, address, first, count }: RemotesRequest): Promise<number> {
  const end = first + count;
  for (let from = first; from < end; from += CONNECT_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(CONNECT_AT_ONCE, end - from) }, (_, place) => from + place);
    await Promise.all(numbers.map((number) => (how === 'raw' ? connectRaw(address, number) : connectBare(address))));
  }
  return count;
}

function connectRaw(address: Address, number: number): Promise<void> {
  return new RawRemote(address, functionIdOf(number)).connect();
}

/** Open, and proven to be read. */
function connectBare({ url }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.once('error', reject);
    socket.once('open', () => socket.ping());
    socket.once('pong', () => resolve());
  });
}

answerRequests((request) => connectAll(request as RemotesRequest));

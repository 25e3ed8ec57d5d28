// The far end of the remote scenario: one process with one connection, that echoes what it is sent. `bare` speaks to the bare socket
// server, `raw` and `sdk` speak the worker protocol.

import { once } from 'node:events';
import { registerWorker } from 'iii-sdk';
import { WebSocket } from 'ws';
import { answerRequests } from '../support/child.ts';
import type { Address } from '../support/gateway.ts';
import { RawRemote } from '../support/raw-remote.ts';

export interface EchoRemoteRequest {
  readonly how: 'bare' | 'raw' | 'sdk';
  readonly address: Address;
  readonly functionId: string;
}

async function connect({ how, address, functionId }: EchoRemoteRequest): Promise<void> {
  switch (how) {
    case 'bare':
      return connectBare(address);
    case 'raw':
      return new RawRemote(address, functionId).connect();
    case 'sdk':
      return connectSdk(address, functionId);
  }
}

async function connectBare({ url }: Address): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('message', (text: Buffer) => {
    const { id, data } = JSON.parse(text.toString()) as { id: number; data: unknown };
    socket.send(JSON.stringify({ id, result: data }));
  });
  await once(socket, 'open');
}

/** Whoever has asked for it waits until the function is there: the SDK does not say when it is connected. */
function connectSdk({ url, token }: Address, functionId: string): void {
  const worker = registerWorker(url, {
    headers: { authorization: `Bearer ${token}` },
    otel: { enabled: false },
    enableMetricsReporting: false,
  });
  worker.registerFunction(functionId, async (data: unknown) => data);
}

answerRequests((request) => connect(request as EchoRemoteRequest));

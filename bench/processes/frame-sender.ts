// A remote that sends one message of a given size, whole or in fragments, and says how its connection ended or what it was answered.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { answerRequests } from '../support/child.ts';
import type { Address } from '../support/gateway.ts';

export interface SendRequest {
  readonly address: Address;
  readonly bytes: number;
  /** Of each fragment; the whole message for one frame. */
  readonly fragmentBytes: number;
}

export interface Sent {
  /** Of the close frame that came, 1006 if none did; null while the connection lives on. */
  readonly closeCode: number | null;
  /** Of the error that the message was answered with. */
  readonly errorCode: string | null;
}

const HEAD =
  '{"type":"invokefunction","invocation_id":"7e2a4f0e-6a52-4a3c-9a53-0d6f0f6ad1a1","function_id":"bench::echo","data":"';
const TAIL = '"}';

async function send({ address, bytes, fragmentBytes }: SendRequest): Promise<Sent> {
  const socket = new WebSocket(address.url, {
    headers: { authorization: `Bearer ${address.token}` },
    perMessageDeflate: false,
  });
  // What ends the connection is told by its close event.
  socket.on('error', () => undefined);
  await once(socket, 'open');
  const ended = new Promise<Sent>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const { type, error } = JSON.parse(data.toString()) as { type: string; error?: { code: string } };
      if (type === 'invocationresult') resolve({ closeCode: null, errorCode: error?.code ?? null });
    });
    socket.on('close', (closeCode: number) => resolve({ closeCode, errorCode: null }));
  });
  const message = Buffer.alloc(bytes, 'x');
  message.write(HEAD, 0);
  message.write(TAIL, bytes - TAIL.length);
  for (let from = 0; from < bytes && socket.readyState === WebSocket.OPEN; from += fragmentBytes) {
    const fin = from + fragmentBytes >= bytes;
    await new Promise<void>((resolve) => {
      // An error means that the connection is gone, and that is told elsewhere.
      socket.send(message.subarray(from, from + fragmentBytes), { binary: false, fin }, () => resolve());
    });
  }
  const sent = await ended;
  socket.terminate();
  return sent;
}

answerRequests((request) => send(request as SendRequest));

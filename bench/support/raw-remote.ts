// A remote with nothing around it: a bare `ws` client that speaks as much of the worker protocol as it takes to register functions, to echo
// what it is called with, to make calls, and to take its old place after a reconnect. What is measured is then the gateway, not an SDK.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Address } from './gateway.ts';

interface Frame {
  readonly type: string;
  readonly invocation_id: string;
  readonly function_id: string;
  readonly data: unknown;
  readonly worker_id: string;
  readonly reattach_token: string;
  readonly error?: { readonly code: string };
}

/** Where a scenario has many, the function of each. */
export function functionIdOf(number: number): string {
  return `bench::remote-${number}`;
}

export interface RemoteEvents {
  /** A call that this remote has made was answered; null for no error. */
  answered?(invocationId: string, errorCode: string | null): void;
  /** It was called, and will echo. */
  called?(invocationId: string): void;
}

export class RawRemote {
  readonly #address: Address;
  readonly #functionId: string;
  readonly #events: RemoteEvents;
  #socket: WebSocket | null = null;
  #place: { worker_id: string; reattach_token: string } | null = null;
  #ready: (() => void) | null = null;

  constructor(address: Address, functionId: string, events: RemoteEvents = {}) {
    this.#address = address;
    this.#functionId = functionId;
    this.#events = events;
  }

  /** Resolves once the gateway has read the registration. */
  async connect(): Promise<void> {
    const { url, token } = this.#address;
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false });
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#take(socket, JSON.parse(data.toString()) as Frame));
    await once(socket, 'open');
    // Whoever kills it will see to it; the error of a killed socket says nothing more.
    socket.on('error', () => undefined);
    if (this.#place !== null) {
      const { worker_id: previous, reattach_token } = this.#place;
      send(socket, { type: 'reattach', previous_worker_id: previous, reattach_token });
    }
    send(socket, { type: 'registerfunction', id: this.#functionId });
    const isReady = new Promise<void>((resolve) => (this.#ready = resolve));
    // Frames are read in order: the answer to this one says that those before it have been read.
    send(socket, { type: 'ping' });
    await isReady;
  }

  /** The id of the call; null while there is no connection. */
  call(functionId: string, data: unknown): string | null {
    if (this.#socket?.readyState !== WebSocket.OPEN) return null;
    const id = randomUUID();
    send(this.#socket, { type: 'invokefunction', invocation_id: id, function_id: functionId, data });
    return id;
  }

  /** Without a goodbye, as when the network goes. */
  kill(): void {
    this.#socket?.terminate();
  }

  #take(socket: WebSocket, frame: Frame): void {
    switch (frame.type) {
      case 'invokefunction': {
        const { invocation_id, function_id, data: result } = frame;
        this.#events.called?.(invocation_id);
        send(socket, { type: 'invocationresult', invocation_id, function_id, result });
        return;
      }
      case 'invocationresult':
        this.#events.answered?.(frame.invocation_id, frame.error?.code ?? null);
        return;
      case 'workerregistered':
        this.#place = { worker_id: frame.worker_id, reattach_token: frame.reattach_token };
        return;
      case 'pong':
        return this.#ready?.();
      default:
        throw new Error(`the gateway has sent a frame of type ${frame.type}`);
    }
  }
}

function send(socket: WebSocket, frame: object): void {
  socket.send(JSON.stringify(frame));
}

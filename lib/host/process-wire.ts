// What crosses between a runtime and the process of a host: the messages of the five ports of a host, each with the number of its port, and
// a few of our own. Both ends relay ports; neither looks into what it relays.

import { receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { portsOf } from './boot.ts';
import type { LaneName } from './ports.ts';
import type { HostBoot } from './boot.ts';

/** The first message to the process: all of the boot that can be sent, and the bounds that hold there. */
export interface ProcessBoot {
  readonly type: 'boot';
  readonly boot: Omit<HostBoot, 'shared' | LaneName>;
  /** Of the shared memory. */
  readonly cells: number;
  readonly heapMiB: number;
}

/** Signs of life, read by the main thread of the process, which nothing of the actor can stop. */
export interface ProcessPulse {
  readonly type: 'pulse';
  /** Of the shared memory there, from SHARED.beat to before SHARED.started. */
  readonly cells: readonly number[];
  /** Of the thread that runs the actor, since the last pulse, 0 to 1. */
  readonly utilization: number;
}

/** The last message of the process, unless it dies without one: how its thread ended. */
export type ProcessEnd =
  | { readonly type: 'closed' }
  | { readonly type: 'exited'; readonly code: number }
  | { readonly type: 'out_of_memory' }
  | { readonly type: 'threw'; readonly name: string; readonly message: string };

/** A message of one port. */
export interface Relayed {
  readonly type: 'port';
  /** Its place in `portsOf`. */
  readonly port: number;
  readonly message: unknown;
}

export type ToProcess = ProcessBoot | Relayed;
export type FromProcess = ProcessPulse | ProcessEnd | Relayed;

/** The port of the inputs and replies in `portsOf`. */
const DATA = 0;
/** And that of control frames. */
export const CONTROL = 1;

/** Passes on what comes out of the ports of one end. */
export class PortRelay {
  readonly #ports: readonly MessagePort[];
  readonly #send: (relayed: Relayed) => void;

  constructor(boot: HostBoot, send: (relayed: Relayed) => void) {
    this.#ports = portsOf(boot) as MessagePort[];
    this.#send = send;
    this.#ports.forEach((port, at) => port.on('message', (message: unknown) => this.#pass(at, message)));
  }

  /** Calls and control may be about inputs, and answers about replies, that were posted before them on the data port: those leave first. */
  #pass(at: number, message: unknown): void {
    if (at !== DATA) this.#drain(DATA);
    this.#send({ type: 'port', port: at, message });
  }

  /** Passes on what has come and was not read yet, for when no turn of the event loop will follow. */
  drain(): void {
    this.#ports.forEach((_port, at) => this.#drain(at));
  }

  #drain(at: number): void {
    const port = this.#ports[at] as MessagePort;
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
      this.#send({ type: 'port', port: at, message: next.message });
  }

  /** Hands a message of the other end to its port. */
  deliver({ port, message }: Relayed): void {
    this.#ports[port]?.postMessage(withOwnMemory(message));
  }

  close(): void {
    for (const port of this.#ports) port.close();
  }
}

/** Bytes that were read from a pipe are views of all that was read with them, and would take that along wherever they go and are kept. */
function withOwnMemory(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return isWhole(value) ? value : (value as Uint8Array).slice();
  if (Array.isArray(value)) return value.map(withOwnMemory);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withOwnMemory(inner)]));
}

function isWhole({ byteLength, buffer }: ArrayBufferView): boolean {
  return byteLength === buffer.byteLength;
}

// What has begun to arrive on all sockets and is no whole frame yet, and what their peers have not read. Each socket has its own bound for
// both; all of them together are held to the runtime's, by ending the one that holds most. Looked at by the clock: a socket does not say
// what it has gathered.

import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { INTAKE_CHECK_MS } from './bounds.ts';

const TRY_AGAIN_LATER = 1013;

interface Watched {
  readonly socket: WebSocket;
  readonly transport: Socket;
  /** Of the transport, when the latest frame was whole. */
  wholeAtBytes: number;
}

export class Intake {
  readonly #sockets = new Set<Watched>();
  readonly #maxTotalBytes: number;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;

  constructor({ maxTotalBytes }: Limits, log: Logger) {
    this.#maxTotalBytes = maxTotalBytes;
    this.#log = log;
    this.#timer = setInterval(() => this.check(), INTAKE_CHECK_MS);
    this.#timer.unref();
  }

  watch(socket: WebSocket, transport: Socket): void {
    const watched = { socket, transport, wholeAtBytes: transport.bytesRead };
    this.#sockets.add(watched);
    socket.on('message', () => {
      watched.wholeAtBytes = transport.bytesRead;
    });
    socket.once('close', () => this.#sockets.delete(watched));
  }

  /** Ends sockets, the fullest first, until the rest is within the bound. */
  check(): void {
    let total = 0;
    for (const watched of this.#sockets) total += gathered(watched);
    if (total <= this.#maxTotalBytes) return;
    for (const watched of [...this.#sockets].sort((a, b) => gathered(b) - gathered(a))) {
      const bytes = gathered(watched);
      this.#sockets.delete(watched);
      this.#log.warn(
        { address: watched.transport.remoteAddress, bytes, total_bytes: total, limit_bytes: this.#maxTotalBytes },
        'a socket was ended: what sockets hold fills the bound of the runtime',
      );
      watched.socket.close(TRY_AGAIN_LATER, 'overloaded');
      watched.socket.terminate();
      total -= bytes;
      if (total <= this.#maxTotalBytes) return;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function gathered({ socket, transport, wholeAtBytes }: Watched): number {
  return transport.bytesRead - wholeAtBytes + socket.bufferedAmount;
}

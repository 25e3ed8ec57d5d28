// The sending half of one socket, and what is known of its peer. Every frame is measured as it will travel, before it is sent; what a peer
// does not read is bounded; and the frames of one turn of the loop leave in one write.

import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { invocationTooLarge, surelyFits } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { CLOSE_GRACE_MS, MAX_SILENT_PINGS, MAX_UNSENT_BYTES, MAX_UNSENT_ERROR_BYTES } from './bounds.ts';
import type { OutgoingFrame } from '../protocol/remote-frames.ts';

/** What is called when the peer does not read or does not answer. */
export type Silence = 'unresponsive' | 'slow_reader';

type Queued = Socket & { readonly _handle?: { readonly writeQueueSize?: number } | null };

export class Wire {
  readonly #socket: WebSocket;
  readonly #transport: Socket;
  readonly #limitBytes: number;
  #isCorked = false;
  /** Pings since anything came. */
  #silentPings = 0;
  /** At the last ping: what the system had taken over, and what it still had to take of the write that is under way. */
  #flushedBytes = 0;
  #queuedBytes = 0;
  /** Pings since it took over anything of what waits. */
  #stalledPings = 0;
  #isOverrun = false;

  constructor(socket: WebSocket, transport: Socket, limitBytes: number) {
    this.#socket = socket;
    this.#transport = transport;
    this.#limitBytes = limitBytes;
    const heard = (): void => {
      this.#silentPings = 0;
    };
    socket.on('message', heard).on('ping', heard).on('pong', heard);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** The peer does not keep up: nothing large should be sent to it now. */
  get isFull(): boolean {
    return this.#socket.bufferedAmount > MAX_UNSENT_BYTES;
  }

  /** Whether the socket was ended because its peer asks and asks and does not read what it is told. */
  get isOverrun(): boolean {
    return this.#isOverrun;
  }

  get remoteAddress(): string | null {
    return this.#transport.remoteAddress ?? null;
  }

  /** False when the frame is above the limit or the socket is not open: then nothing was sent. */
  send(frame: OutgoingFrame): boolean {
    const text = JSON.stringify(frame);
    if (!this.isOpen || this.#excess(text) > 0) return false;
    this.#write(text);
    return true;
  }

  /** Sends a frame that is put together from texts and a payload. Throws `invocation_failed_payload_too_large` with the size of the whole frame. */
  sendParts(head: string, payload: Payload, tail: string): void {
    if (typeof payload === 'string') {
      const text = head + payload + tail;
      const bytes = this.#excess(text);
      if (bytes > 0) throw invocationTooLarge(bytes, this.#limitBytes);
      this.#write(text);
      return;
    }
    const bytes = Buffer.byteLength(head) + payload.byteLength + Buffer.byteLength(tail);
    if (bytes > this.#limitBytes) throw invocationTooLarge(bytes, this.#limitBytes);
    this.#write(Buffer.concat([Buffer.from(head), payload, Buffer.from(tail)], bytes));
  }

  /** Asks whether the peer is there; hands back why it should be given up, if it should. */
  ping(): Silence | null {
    // What the system takes over it has room for: a peer that reads slowly is there. `bytesWritten` counts what still waits, too.
    const flushedBytes = this.#transport.bytesWritten - this.#transport.writableLength;
    const isBehind = this.#socket.bufferedAmount > 0;
    // One write may hold all that waits. Node's own timeouts look at the same place; without it only whole writes count.
    const queuedBytes = (this.#transport as Queued)._handle?.writeQueueSize ?? 0;
    const isStalled = isBehind && flushedBytes === this.#flushedBytes && queuedBytes === this.#queuedBytes;
    if (isBehind && !isStalled) this.#silentPings = 0;
    this.#stalledPings = isStalled ? this.#stalledPings + 1 : 0;
    this.#flushedBytes = flushedBytes;
    this.#queuedBytes = queuedBytes;
    if (this.#stalledPings >= MAX_SILENT_PINGS) return 'slow_reader';
    if (this.#silentPings >= MAX_SILENT_PINGS) return 'unresponsive';
    this.#silentPings++;
    this.#socket.ping();
    return null;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /**
   * Says why and ends; the socket goes at the latest after CLOSE_GRACE_MS. Of a peer that has broken the protocol nothing more is read: what
   * it still sends, the rest of a frame above the hard cap above all, would be thrown away only after it had taken its memory.
   */
  close(code: number, reason: string, isBroken = false): void {
    this.#uncork();
    this.#socket.resume();
    // The socket makes itself read on at the end of this turn.
    if (isBroken) setImmediate(() => this.#transport.pause());
    endSocket(this.#socket, code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** The size of a text that is above the limit; 0 for one that is not. */
  #excess(text: string): number {
    if (surelyFits(text, this.#limitBytes)) return 0;
    const bytes = Buffer.byteLength(text);
    return bytes > this.#limitBytes ? bytes : 0;
  }

  #write(data: string | Buffer): void {
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#transport.cork();
      process.nextTick(() => this.#uncork());
    }
    this.#socket.send(data, { binary: false });
    // Above the bound for results and calls there are only errors, which are small; but they, too, have to end somewhere.
    if (this.#socket.bufferedAmount <= MAX_UNSENT_BYTES + this.#limitBytes + MAX_UNSENT_ERROR_BYTES) return;
    this.#isOverrun = true;
    this.#socket.terminate();
  }

  #uncork(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#transport.uncork();
  }
}

/** Says why and ends: a peer may never answer a close, so the socket goes at the latest after CLOSE_GRACE_MS. */
export function endSocket(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

// The sending half of one socket, and what is known of its peer. Every frame is measured as it will travel, before it is sent; what a peer
// does not read is bounded; and the frames of one turn of the loop leave in one write.

import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { payloadTooLarge, surelyFits } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { CLOSE_GRACE_MS, MAX_SILENT_PINGS, MAX_UNSENT_BYTES } from './bounds.ts';
import type { OutgoingFrame } from './frames.ts';

/** What is called when the peer does not read or does not answer. */
export type Silence = 'unresponsive' | 'slow_reader';

export class Wire {
  readonly #socket: WebSocket;
  readonly #transport: Socket;
  readonly #limitBytes: number;
  #isCorked = false;
  /** Pings since anything came. */
  #silentPings = 0;
  /** Of the transport, at the last ping. */
  #writtenBytes = 0;
  #stalledPings = 0;

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

  /** Sends a frame that is put together from texts and a payload. Throws `payload_too_large` with the size of the whole frame. */
  sendParts(head: string, payload: Payload, tail: string): void {
    if (typeof payload === 'string') {
      const text = head + payload + tail;
      const bytes = this.#excess(text);
      if (bytes > 0) throw payloadTooLarge(bytes, this.#limitBytes, 'gateway');
      this.#write(text);
      return;
    }
    const bytes = Buffer.byteLength(head) + payload.byteLength + Buffer.byteLength(tail);
    if (bytes > this.#limitBytes) throw payloadTooLarge(bytes, this.#limitBytes, 'gateway');
    this.#write(Buffer.concat([Buffer.from(head), payload, Buffer.from(tail)], bytes));
  }

  /** Asks whether the peer is there; hands back why it should be given up, if it should. */
  ping(): Silence | null {
    if (this.#silentPings >= MAX_SILENT_PINGS) return 'unresponsive';
    this.#silentPings++;
    const { bytesWritten } = this.#transport;
    const isStalled = this.#socket.bufferedAmount > 0 && bytesWritten === this.#writtenBytes;
    this.#stalledPings = isStalled ? this.#stalledPings + 1 : 0;
    this.#writtenBytes = bytesWritten;
    if (this.#stalledPings > MAX_SILENT_PINGS) return 'slow_reader';
    this.#socket.ping();
    return null;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Says why and ends; the socket goes at the latest after CLOSE_GRACE_MS. */
  close(code: number, reason: string): void {
    this.#uncork();
    this.#socket.resume();
    this.#socket.close(code, reason);
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_GRACE_MS);
    timer.unref();
    this.#socket.once('close', () => clearTimeout(timer));
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
  }

  #uncork(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#transport.uncork();
  }
}

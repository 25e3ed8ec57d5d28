// Answers that clients do not read, or read slowly: each stays in this process until its client has taken it, and how long that takes is up
// to the client. Together they hold at most `maxTotalBytes`; then the connection whose answer has been waiting longest ends.

import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Logger } from '../observe/log.ts';
import { UNREAD_ANSWER_BYTES } from './bounds.ts';

const UNREAD = Symbol('unread answers');

interface Decorated {
  readonly [UNREAD]?: UnreadAnswers;
}

export class UnreadAnswers {
  /** Bounded by the open connections. Oldest first. */
  readonly #answers = new Map<ServerResponse, number>();
  readonly #maxBytes: number;
  readonly #log: Logger;
  #bytes = 0;

  constructor(maxBytes: number, log: Logger) {
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  /** From now until the response closes. May be called again for more of it. */
  add(response: ServerResponse, bytes: number): void {
    if (response.destroyed) return;
    const before = this.#answers.get(response);
    if (before === undefined) response.once('close', () => this.#remove(response));
    this.#answers.set(response, (before ?? 0) + bytes);
    this.#bytes += bytes;
    for (const [oldest] of this.#answers) {
      // One alone may be larger than the bound.
      if (this.#bytes <= this.#maxBytes || oldest === response) return;
      this.#log.warn({ code: 'slow_reader' }, 'a connection ended: its client did not read the answer');
      this.#remove(oldest);
      oldest.destroy();
    }
  }

  #remove(response: ServerResponse): void {
    this.#bytes -= this.#answers.get(response) ?? 0;
    this.#answers.delete(response);
  }
}

/** For all answers of the routes of `app`. */
export function boundUnread(app: FastifyInstance, maxBytes: number, log: Logger): void {
  app.decorate(UNREAD, new UnreadAnswers(maxBytes, log));
}

/** Counts an answer that is about to be sent. Small ones are bounded by the number of connections. */
export function countUnread(
  { server, raw }: { readonly server: FastifyInstance; readonly raw: ServerResponse },
  part: Payload,
): void {
  if (part.length >= UNREAD_ANSWER_BYTES) (server as Decorated)[UNREAD]?.add(raw, payloadBytes(part));
}

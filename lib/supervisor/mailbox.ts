// The line in front of one worker: first in, first out, bounded in messages and in bytes. Full means refuse now; nothing is
// dropped and nobody waits here. Knows nothing about threads: it lends its first messages to somebody and keeps them until
// they are removed, so that what was lent and lost can be lent again.
//
//    first ──▶ … ──▶ nextToLend ──▶ … ──▶ last
//    |    lent       |      waiting          |
//
// The messages are links of the line themselves: no array to grow, push and shift and remove cost the same at any depth,
// and an empty mailbox is a few words.

import type { MailboxLimits } from '../limits.ts';

/** What a message must bring along; only the mailbox writes the links. */
export interface Link<M> {
  readonly bytes: number;
  previous: M | null;
  next: M | null;
}

export class Mailbox<M extends Link<M>> {
  readonly #limits: MailboxLimits;
  #first: M | null = null;
  #nextToLend: M | null = null;
  #last: M | null = null;
  #size = 0;
  #bytes = 0;
  #lent = 0;
  #lentBytes = 0;
  /** How long a message occupies whoever takes it, as far as they know; kept here for them. Unknown counts as slow. */
  serviceMs = 1;
  /** Messages whose acceptance or end is not settled elsewhere; kept here for the same. */
  unsettled = 0;

  constructor(limits: MailboxLimits) {
    this.#limits = limits;
  }

  /** All messages, lent ones included. */
  get size(): number {
    return this.#size;
  }

  get lent(): number {
    return this.#lent;
  }

  get lentBytes(): number {
    return this.#lentBytes;
  }

  get first(): M | null {
    return this.#first;
  }

  get last(): M | null {
    return this.#last;
  }

  /** Messages that wait: all but the first, once that one is lent and thus running. */
  get messages(): number {
    return this.#lent > 0 ? this.#size - 1 : this.#size;
  }

  /** Bytes of the messages that wait. */
  get bytes(): number {
    return this.#lent > 0 && this.#first !== null ? this.#bytes - this.#first.bytes : this.#bytes;
  }

  get isTurnBased(): boolean {
    return this.#limits.capacity === 0;
  }

  /** Whether a message of this size may be pushed, after `ahead` others. An empty mailbox takes one message whatever its capacity. */
  hasRoom(bytes: number, ahead = 0): boolean {
    if (this.#size + ahead === 0) return true;
    return this.messages + ahead < this.#limits.capacity && this.bytes + bytes <= this.#limits.maxBytes;
  }

  push(message: M): void {
    message.previous = this.#last;
    message.next = null;
    if (this.#last === null) this.#first = message;
    else this.#last.next = message;
    this.#last = message;
    this.#nextToLend ??= message;
    this.#size++;
    this.#bytes += message.bytes;
  }

  /** The next message that waits, if any; it counts as lent from now on. */
  lend(): M | null {
    const message = this.#nextToLend;
    if (message === null) return null;
    this.#nextToLend = message.next;
    this.#lent++;
    this.#lentBytes += message.bytes;
    return message;
  }

  /** Takes back what was lent; it waits again, in its old place. */
  recall(): void {
    this.#nextToLend = this.#first;
    this.#lent = 0;
    this.#lentBytes = 0;
  }

  /** Removes a message of this mailbox, wherever it stands. `wasLent` because the line does not remember it. */
  remove(message: M, wasLent: boolean): void {
    if (message.previous === null) this.#first = message.next;
    else message.previous.next = message.next;
    if (message.next === null) this.#last = message.previous;
    else message.next.previous = message.previous;
    if (this.#nextToLend === message) this.#nextToLend = message.next;
    message.previous = null;
    message.next = null;
    this.#size--;
    this.#bytes -= message.bytes;
    if (wasLent) {
      this.#lent--;
      this.#lentBytes -= message.bytes;
    }
  }

  /** How many messages stand before this one. */
  positionOf(message: M): number {
    // The usual question is about the newest one.
    if (message === this.#last) return this.#size - 1;
    let position = 0;
    for (let ahead = message.previous; ahead !== null; ahead = ahead.previous) position++;
    return position;
  }

  /** The lent messages, first to last. */
  *lentMessages(): Generator<M> {
    for (let message = this.#first; message !== null && message !== this.#nextToLend;) {
      const { next }: M = message;
      yield message;
      message = next;
    }
  }

  /** All messages, first to last. Removing the one at hand is fine. */
  *allMessages(): Generator<M> {
    for (let message = this.#first; message !== null;) {
      const { next }: M = message;
      yield message;
      message = next;
    }
  }

  /** The messages that nobody was lent, first to last. Removing the one at hand is fine. */
  *waitingMessages(): Generator<M> {
    for (let message = this.#nextToLend; message !== null;) {
      const { next }: M = message;
      yield message;
      message = next;
    }
  }
}

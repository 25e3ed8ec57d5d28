// Requests that wait for the outcome of their input (`Prefer: wait`). Each wait ends exactly once: with the outcome, by
// its timer, because the client has gone, or because the server closes. The input goes on in every case.

import type { ServerResponse } from 'node:http';
import type { InputListener, InputRecord } from '../supervisor/input.ts';

export class Waits {
  /**
   * Bounded by the open connections: one request of each can wait. An array in which each wait knows its place, not a Set:
   * a Set leaves its old tables behind when it rehashes, and those kept every request alive until the next major collection.
   */
  readonly #open: Wait[] = [];

  /** Calls `answer` once the input has ended or the time is up; never if the client goes first. */
  start(record: InputRecord, waitMs: number, response: ServerResponse, answer: () => void): void {
    if (record.outcome !== null || waitMs === 0) answer();
    else new Wait(this.#open, record, waitMs, response, answer);
  }

  /** Ends every wait now; each request is answered with what is known. */
  endAll(): void {
    for (const wait of [...this.#open]) wait.ended();
  }
}

class Wait implements InputListener {
  readonly #open: Wait[];
  /** Place in `#open`. */
  #at: number;
  readonly #record: InputRecord;
  readonly #response: ServerResponse;
  readonly #answer: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor(open: Wait[], record: InputRecord, waitMs: number, response: ServerResponse, answer: () => void) {
    this.#open = open;
    this.#at = open.push(this) - 1;
    this.#record = record;
    this.#response = response;
    this.#answer = answer;
    this.#timer = setTimeout(() => this.ended(), waitMs);
    response.once('close', this.#release);
    record.addListener(this);
  }

  ended(): void {
    this.#release();
    this.#answer();
  }

  readonly #release = (): void => {
    const last = this.#open.pop();
    if (last !== undefined && last !== this) {
      this.#open[this.#at] = last;
      last.#at = this.#at;
    }
    clearTimeout(this.#timer);
    this.#record.removeListener(this);
    this.#response.removeListener('close', this.#release);
  };
}

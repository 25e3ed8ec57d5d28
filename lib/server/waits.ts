// Requests that wait for their input: until it is accepted, which a durable store tells when it has it, and then for its outcome
// (`Prefer: wait`). Each wait ends exactly once: with the outcome, by its timer, by a refusal, because the client has gone, or because
// the server closes. An input that is accepted goes on in every case.

import type { ServerResponse } from 'node:http';
import type { GreenroomError } from '../errors.ts';
import { ACCEPT_TIMEOUT_MS } from '../limits.ts';
import { notAcceptedInTime } from '../supervisor/asking.ts';
import type { InputListener, InputRecord } from '../supervisor/input.ts';

/** Who is told. None of the calls may throw. */
export interface Waiting {
  /** The input is accepted; the wait for its outcome goes on. */
  accepted(): void;
  /** The input has ended, or is accepted and the time is up. */
  done(): void;
  /** It was not accepted, or nobody knows: there is nothing to wait for. */
  failed(error: GreenroomError): void;
}

export class Waits {
  /**
   * Bounded by the open connections: one request of each can wait. An array in which each wait knows its place, not a Set:
   * a Set leaves its old tables behind when it rehashes, and those kept every request alive until the next major collection.
   */
  readonly #open: Wait[] = [];

  /** Waits for the outcome for `waitMs`, but no less than until the acceptance. Never tells anything if the client goes first. */
  start(record: InputRecord, waitMs: number, response: ServerResponse, waiting: Waiting): void {
    if (record.isAccepted) waiting.accepted();
    if (record.outcome !== null || (record.isAccepted && waitMs === 0)) waiting.done();
    else new Wait(this.#open, record, waitMs, response, waiting);
  }

  /** Ends every wait for an outcome now; each request is answered with what is known. */
  endAll(): void {
    for (const wait of [...this.#open]) wait.timeUp();
  }
}

class Wait implements InputListener {
  readonly #open: Wait[];
  /** Place in `#open`. */
  #at: number;
  readonly #record: InputRecord;
  readonly #response: ServerResponse;
  readonly #waiting: Waiting;
  #timer: NodeJS.Timeout;
  /** The outcome is not waited for any more. */
  #isTimeUp = false;

  constructor(open: Wait[], record: InputRecord, waitMs: number, response: ServerResponse, waiting: Waiting) {
    this.#open = open;
    this.#at = open.push(this) - 1;
    this.#record = record;
    this.#response = response;
    this.#waiting = waiting;
    this.#isTimeUp = waitMs === 0;
    this.#timer = this.#isTimeUp ? this.#startGivingUp() : setTimeout(() => this.timeUp(), waitMs);
    response.once('close', this.#release);
    record.addListener(this);
  }

  accepted(): void {
    this.#waiting.accepted();
    if (this.#isTimeUp) this.ended();
  }

  refused(_record: InputRecord, error: GreenroomError): void {
    this.#release();
    this.#waiting.failed(error);
  }

  ended(): void {
    this.#release();
    this.#waiting.done();
  }

  timeUp(): void {
    if (this.#record.isAccepted) this.ended();
    else if (!this.#isTimeUp) {
      this.#isTimeUp = true;
      clearTimeout(this.#timer);
      this.#timer = this.#startGivingUp();
    }
  }

  #startGivingUp(): NodeJS.Timeout {
    return setTimeout(() => this.refused(this.#record, notAcceptedInTime(this.#record)), ACCEPT_TIMEOUT_MS);
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

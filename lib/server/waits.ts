// Requests that wait for the outcome of their input (`Prefer: wait`). Each wait ends exactly once: with the outcome, by
// its timer, because the client has gone, or because the server closes. The input goes on in every case.

import type { ServerResponse } from 'node:http';
import type { InputListener, InputRecord } from '../supervisor/input.ts';

export class Waits {
  /** Bounded by the open connections: one request of each can wait. */
  readonly #open = new Set<() => void>();

  /** Calls `answer` once the input has ended or the time is up; never if the client goes first. */
  start(record: InputRecord, waitMs: number, response: ServerResponse, answer: () => void): void {
    if (record.outcome !== null || waitMs === 0) return answer();
    const release = (): void => {
      this.#open.delete(finish);
      clearTimeout(timer);
      record.removeListener(listener);
      response.removeListener('close', release);
    };
    const finish = (): void => {
      release();
      answer();
    };
    const listener: InputListener = { ended: finish };
    const timer = setTimeout(finish, waitMs);
    this.#open.add(finish);
    response.once('close', release);
    record.addListener(listener);
  }

  /** Ends every wait now; each request is answered with what is known. */
  endAll(): void {
    for (const finish of this.#open) finish();
  }
}

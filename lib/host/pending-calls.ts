// Calls that wait for a host: each is settled by the answer, its deadline or the death of the host, whichever is first.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { Wheel } from '../protocol/wheel.ts';

export class PendingCalls {
  readonly #wheel: Wheel;
  /** Rejecters of those that are not settled. */
  readonly #waiting = new Set<(cause: GreenroomError) => void>();
  /** Set once the host is dead. */
  #end: { readonly error: Error | null } | null = null;

  constructor(wheel: Wheel) {
    this.#wheel = wheel;
  }

  /** Rejects with what the host throws, `timeout`, or `host_lost`. */
  call<T>(call: () => Promise<T>, timeoutMs: number): Promise<T> {
    if (this.#end !== null) return Promise.reject(lost(this.#end.error));
    return new Promise<T>((resolve, reject) => {
      const finish = (settle: () => void) => {
        timer.cancel();
        this.#waiting.delete(fail);
        settle();
      };
      const fail = (cause: GreenroomError) => finish(() => reject(cause));
      const timer = this.#wheel.after(timeoutMs, () => fail(lateAnswer()));
      this.#waiting.add(fail);
      call().then(
        (value) => finish(() => resolve(value)),
        (error: unknown) => fail(asGreenroomError(error)),
      );
    });
  }

  /** The host is dead. */
  end(error: Error | null): void {
    this.#end = { error };
    for (const fail of [...this.#waiting]) fail(lost(error));
  }
}

function lateAnswer(): GreenroomError {
  return GreenroomError.of('timeout', { message: 'The host did not answer in time.' });
}

function lost(cause: Error | null): GreenroomError {
  return GreenroomError.of('host_lost', { message: 'The host is gone.', cause });
}

// Calls of functions that HTTP has made and nobody has answered. One that a client waits for ends with its client or with the
// server; one that nobody waits for goes on, and all that is left of it is a line in the log. Those are counted and bounded.

import type { ServerResponse } from 'node:http';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { MAX_ASYNC_CALLS, OVERLOAD_RETRY_MS } from './bounds.ts';

export class OpenCalls {
  /** Bounded by the open connections: one request of each can wait. */
  readonly #waiting = new Set<AbortController>();
  readonly #log: Logger;
  #unawaited = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Makes a call that a client waits for. Its signal aborts when the client goes; then nobody is answered. */
  async wait<T>(response: ServerResponse, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    // It may have gone while its payload was looked at.
    if (response.destroyed) throw GreenroomError.of('cancelled');
    const controller = new AbortController();
    const onClose = (): void => controller.abort();
    response.once('close', onClose);
    this.#waiting.add(controller);
    try {
      return await call(controller.signal);
    } catch (error) {
      // What the server's end made of it is `cancelled`, but nobody cancelled: the client learns why.
      throw controller.signal.reason instanceof GreenroomError ? controller.signal.reason : error;
    } finally {
      this.#waiting.delete(controller);
      response.removeListener('close', onClose);
    }
  }

  /** Makes a call that nobody waits for. Throws `runtime_overloaded` when too many of them have not ended. */
  leave(functionId: string, call: () => Promise<unknown>): void {
    if (this.#unawaited >= MAX_ASYNC_CALLS) {
      throw GreenroomError.of('runtime_overloaded', {
        message: 'Too many calls that nobody waits for have not ended.',
        details: { max_calls: MAX_ASYNC_CALLS, retry_after_ms: OVERLOAD_RETRY_MS },
      });
    }
    this.#unawaited++;
    void call()
      .then(
        () => this.#log.debug({ function_id: functionId }, 'call ended'),
        (thrown: unknown) =>
          this.#log.warn({ function_id: functionId, code: asGreenroomError(thrown).code }, 'call failed'),
      )
      .finally(() => this.#unawaited--);
  }

  /** The server closes: every client that waits is told so. */
  endAll(): void {
    const reason = GreenroomError.of('runtime_unavailable', { message: 'The server is closing.' });
    for (const controller of this.#waiting) controller.abort(reason);
  }
}

// Calls of functions that HTTP has made and nobody has answered. One that a client waits for ends with its client or with the
// server; one that nobody waits for goes on, and all that is left of it is a line in the log. Those are counted and bounded.

import { setMaxListeners } from 'node:events';
import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { MAX_ASYNC_CALLS, OVERLOAD_RETRY_MS } from './bounds.ts';

export class OpenCalls {
  /** By connection, while it is open. */
  readonly #clients = new Map<EventEmitter, AbortController>();
  readonly #log: Logger;
  #unawaited = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Makes a call that a client waits for. Its signal aborts when the client goes; then nobody is answered. */
  wait<T>(response: ServerResponse, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    // It may have gone while its payload was looked at.
    if (response.destroyed) return Promise.reject(GreenroomError.of('cancelled'));
    const { signal } = this.#clientOf(response);
    return call(signal).catch((error: unknown) => {
      // What the server's end made of it is `cancelled`, but nobody cancelled: the client learns why.
      throw signal.reason instanceof GreenroomError ? signal.reason : error;
    });
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
    for (const client of this.#clients.values()) client.abort(reason);
  }

  /** One for all calls of a connection: making a signal costs as much as the rest of a small call. */
  #clientOf(response: ServerResponse): AbortController {
    // A connection of HTTP/2 carries requests that end one by one.
    const carrier = (response.req.httpVersionMajor === 1 ? response.socket : null) ?? response;
    const known = this.#clients.get(carrier);
    if (known !== undefined) return known;
    const client = new AbortController();
    // Its requests may be pipelined.
    setMaxListeners(0, client.signal);
    this.#clients.set(carrier, client);
    carrier.once('close', () => {
      this.#clients.delete(carrier);
      client.abort();
    });
    return client;
  }
}

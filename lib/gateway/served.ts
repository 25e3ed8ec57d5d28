// The calls that one remote has to answer: bounded in number and bytes like a mailbox, each with a deadline, and all of them settled in
// one place: by the remote's result, by the deadline, by the caller's abort, or by the end of the session.

import { randomUUID } from 'node:crypto';
import { GreenroomError } from '../errors.ts';
import type { FunctionCall } from '../functions/function.ts';
import { DEFAULT_MAILBOX } from '../limits.ts';
import type { Payload } from '../protocol/payload.ts';
import { BUSY_RETRY_MS } from './bounds.ts';

/** Bytes of all calls that remotes have not answered, against the runtime's bound. */
export interface Ledger {
  heldBytes: number;
  readonly maxTotalBytes: number;
}

interface Served {
  readonly bytes: number;
  readonly startedAtMs: number;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (output: Payload) => void;
  readonly reject: (error: GreenroomError) => void;
  readonly stopListening: (() => void) | null;
}

export class ServedCalls {
  readonly #calls = new Map<string, Served>();
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #ledger: Ledger;
  #bytes = 0;

  constructor(capacity: number, maxMessageBytes: number, ledger: Ledger) {
    this.#capacity = capacity;
    this.#maxBytes = Math.max(DEFAULT_MAILBOX.maxBytes, maxMessageBytes);
    this.#ledger = ledger;
  }

  get size(): number {
    return this.#calls.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Throws `worker_busy` or `runtime_overloaded`. */
  requireRoom(bytes: number): void {
    const { size: messages } = this.#calls;
    const isFull = messages >= this.#capacity || (messages > 0 && this.#bytes + bytes > this.#maxBytes);
    if (isFull) throw this.busy();
    const { heldBytes, maxTotalBytes } = this.#ledger;
    if (heldBytes > 0 && heldBytes + bytes > maxTotalBytes) {
      throw GreenroomError.of('runtime_overloaded', {
        details: { bytes: heldBytes, max_bytes: maxTotalBytes, retry_after_ms: BUSY_RETRY_MS },
      });
    }
  }

  busy(): GreenroomError {
    const [oldest] = this.#calls.values();
    return GreenroomError.of('worker_busy', {
      message: 'The remote has as many calls in flight as it may.',
      details: {
        messages: this.#calls.size,
        bytes: this.#bytes,
        capacity: this.#capacity,
        max_bytes: this.#maxBytes,
        oldest_age_ms: oldest === undefined ? 0 : Date.now() - oldest.startedAtMs,
        retry_after_ms: BUSY_RETRY_MS,
      },
    });
  }

  /** Takes a place for the call and has it sent under a new id: ids of two callers never meet. Rejects with what `send` throws. */
  begin(bytes: number, call: FunctionCall, send: (invocationId: string) => void): Promise<Payload> {
    const { signal } = call;
    if (signal?.aborted === true) return Promise.reject(GreenroomError.of('cancelled', { cause: signal.reason }));
    return new Promise((resolve, reject) => {
      const invocationId = nextInvocationId();
      const timer = setTimeout(() => this.fail(invocationId, GreenroomError.of('timeout', TIMED_OUT)), call.timeoutMs);
      const stopListening = this.#listen(invocationId, signal);
      // Before it is sent: the answer may be faster than what follows.
      this.#calls.set(invocationId, { bytes, startedAtMs: Date.now(), timer, resolve, reject, stopListening });
      this.#bytes += bytes;
      this.#ledger.heldBytes += bytes;
      try {
        send(invocationId);
      } catch (thrown) {
        this.fail(invocationId, thrown as GreenroomError);
      }
    });
  }

  has(invocationId: string): boolean {
    return this.#calls.has(invocationId);
  }

  /** False when nobody waits for it: it is late, or was never asked. */
  answer(invocationId: string, output: Payload): boolean {
    const call = this.#take(invocationId);
    call?.resolve(output);
    return call !== undefined;
  }

  fail(invocationId: string, error: GreenroomError): boolean {
    const call = this.#take(invocationId);
    call?.reject(error);
    return call !== undefined;
  }

  failAll(error: GreenroomError): void {
    for (const invocationId of [...this.#calls.keys()]) this.fail(invocationId, error);
  }

  #take(invocationId: string): Served | undefined {
    const call = this.#calls.get(invocationId);
    if (call === undefined) return undefined;
    this.#calls.delete(invocationId);
    clearTimeout(call.timer);
    call.stopListening?.();
    this.#bytes -= call.bytes;
    this.#ledger.heldBytes -= call.bytes;
    return call;
  }

  #listen(invocationId: string, signal: AbortSignal | undefined): (() => void) | null {
    if (signal === undefined) return null;
    const onAbort = () => this.fail(invocationId, GreenroomError.of('cancelled', { cause: signal.reason }));
    signal.addEventListener('abort', onAbort, { once: true });
    return () => signal.removeEventListener('abort', onAbort);
  }
}

const ID_PREFIX = randomUUID().slice(0, -12);
let lastId = 0;

/**
 * A UUID in form, since some peers take nothing else. Nobody gains by guessing one: a result counts only on the socket that was asked.
 * Random ones take 7 % of a call (`npm run bench -- remote`, CPU of the process per answer).
 */
function nextInvocationId(): string {
  return ID_PREFIX + (++lastId).toString(16).padStart(12, '0');
}

const TIMED_OUT = { message: 'The function did not answer in time; whether it had an effect is unknown.' };

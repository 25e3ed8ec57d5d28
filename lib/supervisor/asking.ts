// Waiting for the outcome of an input: what `ask` is on top of a delivery, for callers in process and for actors.

import { GreenroomError } from '../errors.ts';
import { ACCEPT_TIMEOUT_MS, MAX_WAIT_MS } from '../limits.ts';
import { now } from '../protocol/clock.ts';
import { KeptBody } from '../protocol/frames.ts';
import type { Body } from '../protocol/frames.ts';
import type { Wheel } from '../protocol/wheel.ts';
import { DURABILITIES } from '../protocol/views.ts';
import type { Durability } from '../protocol/views.ts';
import type { InputListener, InputRecord } from './input.ts';
import type { Supervisor } from './supervisor.ts';

/** Hands back how long an ask may take. Throws `invalid_request`. */
export function requireTimeout(timeoutMs: number): number {
  if (!(timeoutMs > 0) || timeoutMs > MAX_WAIT_MS) {
    throw GreenroomError.of('invalid_request', { message: `timeoutMs must be above 0 and at most ${MAX_WAIT_MS}.` });
  }
  return timeoutMs;
}

/** Hands back what may be asked of an input. Throws `invalid_request`. */
export function requireDurability(durability: Durability | undefined): Durability | undefined {
  if (durability === undefined || DURABILITIES.includes(durability)) return durability;
  throw GreenroomError.of('invalid_request', { message: `durability must be ${DURABILITIES.join(' or ')}.` });
}

/**
 * Resolves to the record when the store keeps it. Rejects with what the store cannot keep it for: then it has never been there; or with
 * `timeout`, when the store does not say in time: then it may still be accepted.
 */
export function untilAccepted(record: InputRecord, wheel: Wheel): Promise<InputRecord> {
  if (record.isAccepted) return Promise.resolve(record);
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      timer.cancel();
      record.removeListener(listener);
    };
    const accepted = (): void => {
      finish();
      resolve(record);
    };
    const refused = (_record: InputRecord, error: GreenroomError): void => {
      finish();
      reject(error);
    };
    const listener: InputListener = { accepted, refused, ended: accepted };
    const timer = wheel.after(ACCEPT_TIMEOUT_MS, () => refused(record, notAcceptedInTime(record)));
    record.addListener(listener);
  });
}

/** It is not known whether the input is kept. Its id tells later. */
export function notAcceptedInTime({ inputId }: InputRecord): GreenroomError {
  return GreenroomError.of('timeout', {
    message: 'The store did not take the input in time; it may still be accepted.',
    details: { input_id: inputId },
  });
}

/**
 * What `read` makes of the output of an accepted input. Rejects with the error of any other outcome; with `timeout`
 * when the input's deadline passes while it is running (it runs on, and its receipt tells how it ended); with `cancelled`
 * when the signal aborts, which cancels the input. `explain` may put an error in other words.
 */
export function awaitOutput<T>(
  supervisor: Supervisor,
  record: InputRecord,
  read: (output: Body) => T,
  signal?: AbortSignal,
  explain: (error: GreenroomError) => GreenroomError = (error) => error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const asking = new Asking(read, resolve, (error) => reject(explain(error)));
    if (signal !== undefined) asking.abortWith(signal, supervisor, record);
    record.addListener(asking);
  });
}

class Asking<T> implements InputListener {
  readonly #read: (output: Body) => T;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: GreenroomError) => void;
  #stopListening: (() => void) | null = null;

  constructor(read: (output: Body) => T, resolve: (value: T) => void, reject: (error: GreenroomError) => void) {
    this.#read = read;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  ended(record: InputRecord, body: Body | null): void {
    this.#stopListening?.();
    record.isAnswered = true;
    if (record.outcome !== 'completed') this.#reject(errorOf(record));
    else this.#resolve(this.#read(body ?? new KeptBody(record.output ?? 'null')));
  }

  refused(_record: InputRecord, error: GreenroomError): void {
    this.#stopListening?.();
    this.#reject(error);
  }

  overdue(record: InputRecord): void {
    const { inputId, acceptedAt, owner } = record;
    const startedAt = owner.startedAt(record);
    const waited_ms = (startedAt || now()) - acceptedAt;
    const details = { input_id: inputId, waited_ms, ran_ms: startedAt === 0 ? 0 : now() - startedAt };
    this.#leave(record, GreenroomError.of('timeout', { details }));
  }

  abortWith(signal: AbortSignal, supervisor: Supervisor, record: InputRecord): void {
    const onAbort = () => {
      const { workerId, inputId } = record;
      this.#leave(record, GreenroomError.of('cancelled', { details: { input_id: inputId }, cause: signal.reason }));
      supervisor.cancelNow(workerId, { inputId, reason: 'aborted by the caller' });
    };
    this.#stopListening = () => signal.removeEventListener('abort', onAbort);
    signal.addEventListener('abort', onAbort, { once: true });
  }

  #leave(record: InputRecord, error: GreenroomError): void {
    this.#stopListening?.();
    record.removeListener(this);
    this.#reject(error);
  }
}

function errorOf(record: InputRecord): GreenroomError {
  return record.error === null ? GreenroomError.of('internal') : GreenroomError.fromWire(record.error);
}

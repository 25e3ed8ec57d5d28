// The functions that actors declare, as owners in the registry: a call is an input of one worker. So it waits in that worker's
// mailbox, runs one at a time with its state, is in its transcript, and is bounded, cancelled and timed like any input.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { FunctionCall, FunctionOwner, RegisteredFunction } from '../functions/function.ts';
import type { Functions } from '../functions/registry.ts';
import { encodeCall } from '../host/functions.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import { monotonicMs } from '../protocol/clock.ts';
import type { Body } from '../protocol/frames.ts';
import { decode, payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Wheel } from '../protocol/wheel.ts';
import { awaitOutput } from './asking.ts';
import type { DeliverOptions } from './delivery.ts';
import type { InputRecord } from './input.ts';
import type { Supervisor } from './supervisor.ts';

export function registerActorFunctions(supervisor: Supervisor, functions: Functions): void {
  for (const { kind, functions: declared } of supervisor.actors()) {
    const owner = new ActorOwner(supervisor, kind);
    for (const { functionId, description, inputSchema, outputSchema } of declared)
      functions.register(owner, {
        functionId,
        description,
        requestFormat: inputSchema,
        responseFormat: outputSchema,
      });
  }
}

/** All functions of one kind; its workers are found, or made, when they are called. */
class ActorOwner implements FunctionOwner {
  readonly origin = 'actor';
  readonly ownerId: string;
  readonly #supervisor: Supervisor;

  constructor(supervisor: Supervisor, kind: string) {
    this.#supervisor = supervisor;
    this.ownerId = kind;
  }

  get name(): string {
    return this.ownerId;
  }

  /** Not async where the call is accepted at once: each promise more costs it turns of the microtask queue. */
  serve(fn: RegisteredFunction, call: FunctionCall): Promise<Payload> {
    const { signal, metadata, caller, timeoutMs } = call;
    try {
      if (signal?.aborted === true) throw GreenroomError.of('cancelled', { cause: signal.reason });
      const time = new CallTime(timeoutMs);
      const workerId = this.#supervisor.servingWorker(this.ownerId, namedWorker(metadata));
      if (caller.workerId === null || caller.inputSeq === undefined) return this.#run(workerId, fn, call, time);
      // An actor's worker that calls must not come to wait for itself.
      const settled = this.#supervisor.chains.open(caller.workerId, caller.inputSeq, workerId);
      return this.#run(workerId, fn, call, time).finally(settled);
    } catch (thrown) {
      return refuse(thrown);
    }
  }

  /** Never throws. */
  #run(workerId: string, fn: RegisteredFunction, { payload, signal }: FunctionCall, time: CallTime): Promise<Payload> {
    try {
      const accepted = this.#deliver(workerId, fn, payload, time);
      if (!(accepted instanceof Promise)) return this.#outputOf(accepted, signal);
      return time
        .wait(accepted, signal, this.#supervisor.wheel)
        .then((record) => this.#outputOf(record, signal), refuse);
    } catch (thrown) {
      return refuse(thrown);
    }
  }

  #outputOf(record: InputRecord, signal: AbortSignal | undefined): Promise<Payload> {
    return awaitOutput(this.#supervisor, record, payloadOf, signal, asCallError);
  }

  #deliver(workerId: string, fn: RegisteredFunction, payload: Payload, time: CallTime) {
    const input = encodeCall(fn.functionId.slice(this.ownerId.length + '::'.length), payload);
    const bytes = payloadBytes(input);
    if (typeof input === 'string' && bytes <= INLINE_PARSE_BYTES)
      return this.#supervisor.deliverText(workerId, input, bytes, time);
    return this.#supervisor.deliverBytes(workerId, typeof input === 'string' ? Buffer.from(input) : input, time);
  }
}

/** The time of one call, which runs from its arrival: a large payload is checked on a host before it is accepted, and that takes some of it. */
class CallTime implements DeliverOptions {
  readonly #endsAt: number;
  #isOver = false;

  constructor(timeoutMs: number) {
    this.#endsAt = monotonicMs() + timeoutMs;
  }

  /** Read at the acceptance of the input: what is left by then. Throws when nobody waits any more, so that it is not accepted. */
  get deadlineMs(): number {
    if (this.#isOver) throw GreenroomError.of('timeout');
    return Math.max(1, this.#endsAt - monotonicMs());
  }

  /** Waits for the acceptance; rejects with `timeout` or `cancelled`, and then there will be none. */
  wait(accepted: Promise<InputRecord>, signal: AbortSignal | undefined, wheel: Wheel): Promise<InputRecord> {
    return new Promise((resolve, reject) => {
      const giveUp = (error: GreenroomError): void => {
        this.#isOver = true;
        finish();
        reject(error);
      };
      const onAbort = (): void => giveUp(GreenroomError.of('cancelled', { cause: signal?.reason }));
      const timer = wheel.after(this.#endsAt - monotonicMs(), () => giveUp(GreenroomError.of('timeout')));
      const finish = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      accepted.then(resolve, reject).finally(finish);
    });
  }
}

function refuse(thrown: unknown): Promise<never> {
  return Promise.reject(asCallError(asGreenroomError(thrown)));
}

const payloadOf = (output: Body): Payload => output.payload;

/** The worker that a call's metadata names; null if it names none. Throws `invalid_request`. */
function namedWorker(metadata: Payload | null): string | null {
  const value = metadata === null ? null : decode(metadata);
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'worker_id')) return null;
  const { worker_id: workerId } = value as { worker_id: unknown };
  if (typeof workerId === 'string') return workerId;
  throw GreenroomError.of('invalid_request', {
    details: { issues: [{ path: 'metadata.worker_id', message: 'expected a text' }] },
  });
}

/** Outcomes of inputs in the words of calls, which are the same whoever serves a function. */
const CALL_CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ['payload_too_large', 'invocation_failed_payload_too_large'],
  ['actor_error', 'invocation_failed'],
  ['host_lost', 'invocation_stopped'],
  ['expired', 'timeout'],
]);

function asCallError(error: GreenroomError): GreenroomError {
  const code = CALL_CODES.get(error.code);
  return code === undefined
    ? error
    : GreenroomError.of(code, { cause: error, ...(error.details && { details: error.details }) });
}

// One call of the client: its deadline, its abort and its retries. Every wait in the client is raced against a Call, so that
// nothing outlives the deadline, the caller's signal or the client itself, whatever the connection does.
// Repeating is decided here and nowhere else: only what is safe to repeat, a bounded number of times, never past the deadline.

import { GreenroomError } from '../errors.ts';
import type { CallOptions } from './options.ts';

/** Attempts beyond the first. With the back-off below they span about 1.5 s, enough for a restart of a proxy. */
export const MAX_RETRIES = 4;
/** First and longest pause before a retry; it doubles in between, each with up to half of it as jitter taken off. */
const RETRY_BASE_MS = 100;
const MAX_RETRY_MS = 5_000;

export class Call {
  /** Both in monotonic ms (`performance.now`). */
  readonly #startedAt = performance.now();
  readonly #deadline: number;
  readonly #controller = new AbortController();
  readonly #ended: Promise<never>;
  readonly #release: () => void;

  /** @param group of the calls that end together when the client is closed */
  constructor(options: CallOptions, timeoutMs: number, group: CallGroup) {
    const { signal } = options;
    this.#deadline = this.#startedAt + timeoutMs;
    this.#ended = new Promise((_, reject) => {
      this.#controller.signal.addEventListener(
        'abort',
        () => reject(this.#controller.signal.reason as GreenroomError),
        { once: true },
      );
    });
    this.#ended.catch(() => undefined); // it is raced where somebody waits; nobody need be waiting when it rejects
    const timer = setTimeout(() => this.end(timeoutError()), timeoutMs);
    const onAbort = () =>
      this.end(GreenroomError.of('cancelled', { message: 'The call was aborted.', cause: signal?.reason }));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#release = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      group.delete(this);
    };
    group.add(this);
    if (signal?.aborted === true) onAbort();
  }

  /** Aborts at the deadline, with the caller's signal and when the client is closed; the reason is a GreenroomError. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  get remainingMs(): number {
    return Math.max(0, this.#deadline - performance.now());
  }

  /** Waits for `work`, but no longer than the call lasts. `work` must see to its own end: give it `signal`. */
  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#ended]);
  }

  async sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await this.race(new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs `attempt`, and again after refusals that may pass, if `isSafe`: repeating has no effect that the first attempt might have had already. */
  async attempts<T>(isSafe: boolean, attempt: () => Promise<T>): Promise<T> {
    for (let retry = 0; ; retry++) {
      this.signal.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        // What ended the call is the reason to give, whatever the connection made of it.
        this.signal.throwIfAborted();
        const pauseMs = isSafe && retry < MAX_RETRIES ? retryPauseMs(error, retry, Math.random()) : undefined;
        if (pauseMs === undefined || pauseMs >= this.remainingMs) throw error;
        await this.sleep(pauseMs);
      }
    }
  }

  /** Ends the call before its time; the first reason stays. */
  end(reason: unknown): void {
    this.#release();
    this.#controller.abort(reason);
  }

  /** Forgets timers and listeners. Call it once the call has settled. */
  [Symbol.dispose](): void {
    this.#release();
  }
}

/** The calls of one client that are under way. A set, since a signal that thousands listen to takes quadratic time. */
export class CallGroup {
  readonly #calls = new Set<Call>();
  #reason: GreenroomError | undefined;

  /** A call that comes after the end is ended at once. */
  add(call: Call): void {
    if (this.#reason === undefined) this.#calls.add(call);
    else call.end(this.#reason);
  }

  delete(call: Call): void {
    this.#calls.delete(call);
  }

  /** Ends all calls, those to come included; the first reason stays. */
  end(reason: GreenroomError): void {
    this.#reason ??= reason;
    for (const call of this.#calls) call.end(this.#reason);
  }
}

/**
 * How long to wait before repeating what failed with `error`; undefined: do not repeat it. What the runtime asks for
 * (`details.retry_after_ms`, or the header in whole seconds) is the least; back-off with jitter spreads callers that were refused together.
 * @param retry 0 for the first
 * @param random 0 to 1
 */
export function retryPauseMs(error: unknown, retry: number, random: number): number | undefined {
  if (!(error instanceof GreenroomError) || !error.retryable || (error.status !== 429 && error.status !== 503))
    return undefined;
  const backoffMs = Math.min(MAX_RETRY_MS, RETRY_BASE_MS * 2 ** retry) * (1 - random / 2);
  const askedMs = error.details?.['retry_after_ms'];
  return typeof askedMs === 'number' && askedMs > backoffMs ? askedMs : backoffMs;
}

/** `Retry-After`, which is whole seconds or a date, in ms; undefined when it is neither. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

function timeoutError(): GreenroomError {
  return GreenroomError.of('timeout', { message: 'The runtime did not answer in time.' });
}

// Inputs of a worker's own making, after a time or again and again (`ctx.after`, `ctx.every`), each under a name: the same name again replaces
// it. What a handler sets or cancels counts when its input completes. All of a worker's are forgotten when it stops or fails.

import { GreenroomError } from '../errors.ts';
import { TIMERS_PER_WORKER } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { epochNow } from '../protocol/clock.ts';
import { requireValid } from '../protocol/issues.ts';
import { encode, payloadBytes } from '../protocol/payload.ts';
import { nextTime, requireDelay } from '../protocol/schedule.ts';
import type { Repeat } from '../protocol/schedule.ts';
import { requireTimerName } from '../protocol/timer-names.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { Store, StoredTimer } from '../store/store.ts';
import { ArmedTimers } from './armed-timers.ts';
import type { ArmedParts } from './armed-timers.ts';
import { stage } from './effects.ts';
import type { Worker } from './worker.ts';

/** What timers need of the runtime around them. */
export interface TimerParts extends ArmedParts {
  /** Throws `worker_not_found`. */
  require(workerId: string): Worker;
}

export class Timers {
  readonly #store: Store;
  readonly #parts: TimerParts;
  readonly #log: Logger;
  readonly #armed: ArmedTimers;
  #lastId = 0;

  constructor(store: Store, parts: TimerParts, log: Logger, wheel: Wheel) {
    this.#store = store;
    this.#parts = parts;
    this.#log = log;
    this.#armed = new ArmedTimers(store, parts, log, wheel);
  }

  /** Takes up what an earlier run has left: what is overdue fires at once, in the order of its time. */
  open(): void {
    if (this.#store.isDurable) this.#armed.open();
  }

  close(): void {
    this.#armed.close();
  }

  /**
   * A timer that a worker sets while it handles an input: it counts from now, and is set when that input completes, unless the input is
   * volatile. Throws `invalid_request`, `invalid_input` or `worker_busy` (too many timers).
   */
  after(workerId: string, inputSeq: number, name: string, delayMs: number, value: unknown): void {
    this.#set(workerId, inputSeq, name, value, epochNow() + requireDelay(delayMs), null);
  }

  /** The same, of one that fires again and again, as long as its schedule has a time. */
  every(workerId: string, inputSeq: number, name: string, repeat: Repeat, value: unknown): void {
    const nowMs = epochNow();
    const firstMs = nextTime(repeat, nowMs, nowMs);
    if (firstMs === null) throw GreenroomError.of('invalid_request', { message: 'The cron pattern never comes.' });
    this.#set(workerId, inputSeq, name, value, firstMs, repeat);
  }

  /** Takes the timer of that name back, if there is one, when the input completes. Its input that was accepted already stays. */
  cancel(workerId: string, inputSeq: number, name: string): void {
    const worker = this.#parts.require(workerId);
    const take = (): void => this.#endNamed(worker, requireTimerName(name));
    if (!stage(worker, inputSeq, name.length, take)) take();
  }

  /** The worker has stopped, failed, or is no more. */
  forget(worker: Worker): void {
    for (const timer of this.#timersOf(worker)) this.#armed.end(worker, timer);
  }

  // --- private ---

  #set(workerId: string, inputSeq: number, name: string, value: unknown, dueAtMs: number, repeat: Repeat | null): void {
    const worker = this.#parts.require(workerId);
    requireTimerName(name);
    requireValid(worker.actor.definition.input, value, 'invalid_input');
    const isStored = this.#store.isDurable && worker.actor.durability === 'durable';
    const others = this.#timersOf(worker);
    if (others.length >= TIMERS_PER_WORKER && !others.some((timer) => timer.name === name))
      throw GreenroomError.of('worker_busy', { message: 'The worker has too many timers.' });
    const input = encode(value);
    const timerId = this.#newId(others);
    const timer: StoredTimer = { timerId, dueAtMs, input, name, repeat, lastSeq: 0 };
    const take = (): void => {
      // A stop came first: it forgets them.
      if (worker.status === 'stopping') return;
      this.#endNamed(worker, name);
      if (isStored) worker.store.putTimer(timer);
      this.#armed.take(worker.workerId, timer, isStored);
    };
    if (!stage(worker, inputSeq, payloadBytes(input), take)) take();
  }

  #endNamed(worker: Worker, name: string): void {
    for (const timer of this.#timersOf(worker)) if (timer.name === name) this.#armed.end(worker, timer);
  }

  /** Of the store those that it has been given, and not only those that it has on disk. */
  #timersOf(worker: Worker): StoredTimer[] {
    return [...this.#storedOf(worker), ...this.#armed.unstoredOf(worker.workerId)];
  }

  /** None if they cannot be read: that must not keep anybody from stopping the worker, or deleting it. */
  #storedOf(worker: Worker): readonly StoredTimer[] {
    if (!this.#store.isDurable) return [];
    try {
      return worker.store.timers();
    } catch (thrown) {
      this.#log.error({ worker_id: worker.workerId, ...describeError(thrown) }, 'timers of a worker cannot be read');
      return this.#armed.storedOf(worker.workerId);
    }
  }

  /** Higher than all of this run, and by the time of day than those of earlier ones; if the clock was set back, one that is free. */
  #newId(taken: readonly StoredTimer[]): number {
    do this.#lastId = Math.max(this.#lastId + 1, Math.floor(epochNow()));
    while (taken.some(({ timerId }) => timerId === this.#lastId));
    return this.#lastId;
  }
}

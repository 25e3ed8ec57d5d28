// How long inputs may run, for actors that say so (`handlerTimeoutMs`). The clock starts when the handler does, not when the input was
// accepted: the host writes that into shared memory, so it is known even while the host is stuck.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { now } from '../protocol/clock.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { InputRecord } from './input.ts';
import type { Worker } from './worker.ts';

export class RunTimes {
  readonly #wheel: Wheel;
  readonly #end: (worker: Worker, record: InputRecord) => void;
  readonly #timers = new Map<InputRecord, WheelTimer>();
  /** Those that were told to end, with the time of their start. */
  readonly #late = new Map<InputRecord, number>();

  /** `end` is called for an input that has run for too long. */
  constructor(wheel: Wheel, end: (worker: Worker, record: InputRecord) => void) {
    this.#wheel = wheel;
    this.#end = end;
  }

  /** It was sent to its host, and will start when its turn comes. */
  watch(worker: Worker, record: InputRecord): void {
    this.#lookAfter(worker.actor.handlerTimeoutMs, worker, record);
  }

  /** It has an outcome, or is not at a host any longer. */
  forget(record: InputRecord): void {
    if (this.#timers.size === 0 && this.#late.size === 0) return;
    this.#timers.get(record)?.cancel();
    this.#timers.delete(record);
    this.#late.delete(record);
  }

  isLate(record: InputRecord): boolean {
    return this.#late.has(record);
  }

  /** What a late input ends with; null for one that is not. `isKilled`: its host had to be killed for it. */
  errorOf(record: InputRecord, isKilled: boolean): WireError | null {
    const startedAt = this.#late.get(record);
    if (startedAt === undefined) return null;
    const { handlerTimeoutMs } = (record.owner as Worker).actor;
    const details = {
      waited_ms: startedAt - record.acceptedAt,
      ran_ms: now() - startedAt,
      handler_timeout_ms: handlerTimeoutMs,
      killed: isKilled,
    };
    return GreenroomError.of('handler_timeout', { details }).toWire();
  }

  #lookAfter(delayMs: number, worker: Worker, record: InputRecord): void {
    this.#timers.get(record)?.cancel();
    this.#timers.set(
      record,
      this.#wheel.after(delayMs, () => this.#look(worker, record)),
    );
  }

  #look(worker: Worker, record: InputRecord): void {
    this.#timers.delete(record);
    if (record.isDecided || !record.isSent) return;
    const { handlerTimeoutMs } = worker.actor;
    const startedAt = worker.startedAt(record);
    // If it starts after this look, it is not late before the next one.
    const leftMs = startedAt === 0 ? handlerTimeoutMs : startedAt + handlerTimeoutMs - now();
    if (leftMs > 0) {
      this.#lookAfter(leftMs, worker, record);
      return;
    }
    this.#late.set(record, startedAt);
    this.#end(worker, record);
  }
}

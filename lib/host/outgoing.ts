// What leaves a host on the data lane: frames gather, and go as one batch. Each turn of the event loop ends with an empty outbox.

import { Outbox, pushCrashed, pushDropped, pushEmitted } from '../protocol/frames.ts';
import type { Batch } from '../protocol/frames.ts';
import type { Payload } from '../protocol/payload.ts';
import { asNobody } from './blame.ts';
import type { Crash } from './host.ts';

export class Outgoing {
  readonly outbox = new Outbox();
  readonly #send: (batch: Batch) => void;
  readonly #originMs: number;
  #lastFlushMs = 0;
  #isFlushScheduled = false;

  /** `originMs`: of the runtime's clock. */
  constructor(send: (batch: Batch) => void, originMs: number) {
    this.#send = send;
    this.#originMs = originMs;
  }

  /** On the clock of the runtime. */
  now(): number {
    return Date.now() - this.#originMs;
  }

  emit(workerSlot: number, seq: number, data: Payload): void {
    const nowMs = this.now();
    pushEmitted(this.outbox, workerSlot, seq, nowMs, data);
    // As it happens, even from a handler that does not yield; but a chatty one shares batches within a millisecond.
    if (nowMs > this.#lastFlushMs) this.flush();
    else this.scheduleFlush();
  }

  /** An input whose worker has crashed. */
  drop(slot: number): void {
    pushDropped(this.outbox, slot);
    this.scheduleFlush();
  }

  crash(workerSlot: number, crash: Crash): void {
    pushCrashed(this.outbox, workerSlot, JSON.stringify(crash));
    this.flush();
  }

  scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    // An actor may have led here, and has no part in what the flush does.
    asNobody(() =>
      setImmediate(() => {
        this.#isFlushScheduled = false;
        this.flush();
      }),
    );
  }

  flush(): void {
    if (this.outbox.frames === 0) return;
    this.#lastFlushMs = this.now();
    this.#send(this.outbox.take());
  }
}

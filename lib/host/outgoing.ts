// What leaves a host on the data lane: frames gather, and go as one batch. Each turn of the event loop ends with an empty outbox.
// Replies are bounded by the inputs that a host is given; what handlers emit is bounded here: beyond EMITTED_BYTES_PER_HOST on the way it is refused.

import { GreenroomError } from '../errors.ts';
import { EMITTED_BYTES_PER_HOST } from '../limits.ts';
import { emittedBytes, Outbox, pushCrashed, pushDropped, pushEmitted } from '../protocol/frames.ts';
import type { Batch } from '../protocol/frames.ts';
import type { Payload } from '../protocol/payload.ts';
import { asNobody } from './blame.ts';
import type { Crash } from './host.ts';

export class Outgoing {
  readonly outbox = new Outbox();
  readonly #send: (batch: Batch) => void;
  readonly #originMs: number;
  readonly #readTaken: () => void;
  /** Emitted and not taken yet, as far as it is known here. */
  #emittedBytes = 0;
  #lastFlushMs = 0;
  #isFlushScheduled = false;

  /** `originMs`: of the runtime's clock. `readTaken`: reads what was taken. */
  constructor(send: (batch: Batch) => void, originMs: number, readTaken: () => void) {
    this.#readTaken = readTaken;
    this.#send = send;
    this.#originMs = originMs;
  }

  /** On the clock of the runtime. */
  now(): number {
    return Date.now() - this.#originMs;
  }

  onTaken(bytes: number): void {
    this.#emittedBytes -= bytes;
  }

  /** Throws `worker_busy`. */
  emit(workerSlot: number, seq: number, data: Payload): void {
    if (this.#emittedBytes > EMITTED_BYTES_PER_HOST) this.#readTaken();
    if (this.#emittedBytes > EMITTED_BYTES_PER_HOST)
      throw GreenroomError.of('worker_busy', {
        message: 'The runtime does not take what this host emits as fast as it comes.',
        details: { pending_bytes: this.#emittedBytes },
      });
    this.#emittedBytes += emittedBytes(data);
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

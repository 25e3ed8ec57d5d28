// What is in flight: inputs that are accepted and have not ended, counted for the whole runtime, and whether there is room for one more
// in a mailbox and among the bytes. The only place that counts bytes in flight.

import { GreenroomError } from '../errors.ts';
import { INPUT_COPIES, INPUT_OVERHEAD_BYTES } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { epochNow } from '../protocol/clock.ts';
import { RoomLines } from './room.ts';
import type { RoomListener } from './room.ts';
import type { Worker } from './worker.ts';

export class Capacity {
  readonly #limits: Limits;
  #messages = 0;
  #bytes = 0;
  /** Refusals since the start. */
  refused = 0;
  /** Who waits until an input ends. */
  readonly room = new RoomLines();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get load(): { messages: number; bytes: number } {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  add(bytes: number): void {
    this.#messages++;
    this.#bytes += bytes;
  }

  /** An input of this worker has ended. */
  remove(worker: Worker, bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
    if (!this.room.isEmpty) this.room.freed(worker);
  }

  /** Throws `worker_busy` or `runtime_overloaded` if an input of this size would be refused now. */
  requireRoom(worker: Worker, bytes: number, ahead = 0): void {
    if (!hasRoom(worker, bytes, ahead)) throw this.refuse(worker, busy(worker));
    this.requireBytes(worker, bytes);
  }

  /** Joins the line of what an input of this size lacks; false, and not in any line, if there is room for it. */
  joinLine(worker: Worker, bytes: number, alsoHeldBytes: number, listener: RoomListener): boolean {
    if (!hasRoom(worker, bytes)) this.room.join(listener, worker);
    else if (!this.#mayHold(alsoHeldBytes + bytes)) this.room.join(listener, null);
    else {
      if (!this.room.isEmpty) this.room.leave(listener);
      return false;
    }
    // Nothing of a turn-based worker need be waiting: it has no room until it has started.
    worker.onStartSettled(listener);
    return true;
  }

  /** Throws `runtime_overloaded` if the runtime may not hold one more input of so many bytes. An empty one takes any. */
  requireBytes(worker: Worker | null, bytes: number): void {
    if (this.#mayHold(bytes)) return;
    const heldBytes = this.#heldBytes;
    const details = { total_bytes: heldBytes, max_total_bytes: this.#limits.maxTotalBytes, retry_after_ms: 1_000 };
    throw this.refuse(worker, GreenroomError.of('runtime_overloaded', { details }));
  }

  get #heldBytes(): number {
    return INPUT_COPIES * this.#bytes + this.#messages * INPUT_OVERHEAD_BYTES;
  }

  #mayHold(bytes: number): boolean {
    const { maxMessageBytes, maxTotalBytes } = this.#limits;
    if (this.#messages === 0 && bytes <= maxMessageBytes) return true;
    return this.#heldBytes + INPUT_COPIES * bytes + INPUT_OVERHEAD_BYTES <= maxTotalBytes;
  }

  /** Counts a refusal and hands it back to be thrown. */
  refuse(worker: Worker | null, error: GreenroomError): GreenroomError {
    this.refused++;
    if (worker !== null && worker.stopping !== null) worker.stopping.refused++;
    return error;
  }
}

/** Whether the worker's mailbox has room for an input of this size, after so many others. */
function hasRoom(worker: Worker, bytes: number, ahead = 0): boolean {
  const { mailbox } = worker;
  return mailbox.isTurnBased ? worker.isAtRest && mailbox.size + ahead === 0 : mailbox.hasRoom(bytes, ahead);
}

/** A busy error that a machine can act on: what is running, how much waits, and when to come back. */
function busy(worker: Worker): GreenroomError {
  const { mailbox, status, actor } = worker;
  const nowMs = epochNow();
  const running = worker.runningInput();
  const estimatedWaitMs = Math.ceil(worker.serviceMs * mailbox.size);
  return GreenroomError.of('worker_busy', {
    ...(mailbox.isTurnBased && { status: 409, message: 'The worker is turn-based and not idle.' }),
    details: {
      status,
      messages: mailbox.messages,
      bytes: mailbox.bytes,
      capacity: actor.mailbox.capacity,
      max_bytes: actor.mailbox.maxBytes,
      oldest_age_ms: mailbox.first === null ? 0 : nowMs - mailbox.first.acceptedAtMs,
      running: running && { input_id: running.inputId, age_ms: nowMs - running.acceptedAtMs },
      estimated_wait_ms: estimatedWaitMs,
      // A quarter of the line: by then there is room again, unless the others come back as well.
      retry_after_ms: Math.min(Math.max(Math.ceil(estimatedWaitMs / 4), 50), 60_000),
    },
  });
}

// The end of an input that somebody asks for, or whose time is over. What waits is ended at once; what is at the host is told to end, and
// after the grace the host is killed.

import type { Limits } from '../limits.ts';
import { now } from '../protocol/clock.ts';
import type { CancelAck } from '../protocol/views.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { Delivery } from './delivery.ts';
import type { InputInfo, InputRecord } from './input.ts';
import type { CancelRequest } from './options.ts';
import { RunTimes } from './run-times.ts';
import { COMMANDS } from './states.ts';
import type { Worker } from './worker.ts';

/** How long a host has to confirm that an input which is past its deadline had not started. */
const EXPIRY_ANSWER_MS = 50;

export class Cancelling {
  readonly #limits: Limits;
  readonly #delivery: Delivery;
  readonly #wheel: Wheel;
  readonly runTimes: RunTimes;
  /** Timers of running inputs that were told to end, until they do. */
  readonly #graceTimers = new Map<InputRecord, WheelTimer>();

  constructor(limits: Limits, delivery: Delivery, wheel: Wheel) {
    this.#limits = limits;
    this.#delivery = delivery;
    this.#wheel = wheel;
    this.runTimes = new RunTimes(wheel, (worker, record) => void this.cancel(worker, record, 'handler_timeout'));
    wheel.onDue = (entry) => this.#onDeadline(entry as InputRecord);
  }

  /** Its deadline, if it has one, counts from now on. */
  watch(record: InputRecord): void {
    if (record.deadline !== 0) this.#wheel.add(record, record.deadline);
  }

  /** Its deadline may have passed while the disk took its time, or the runtime was down. The wheel would tell when it may be running. */
  expireIfLate(record: InputRecord): void {
    const { deadline, isDecided, isSent } = record;
    if (deadline !== 0 && deadline <= now() && !isDecided && !isSent) this.#delivery.endUnstarted(record, 'expired');
  }

  /** Nothing else that a worker does grows without end while the store cannot write: its input ends, and what it emits is dropped. */
  endFlood(worker: Worker, seq: number): void {
    const record = worker.sentInput(seq);
    if (record?.cancelReason === null) this.cancel(worker, record, 'the store cannot keep what it emits');
  }

  /** It has an outcome. */
  forget(record: InputRecord): void {
    this.#wheel.remove(record);
    this.runTimes.forget(record);
    const timer = this.#graceTimers.get(record);
    if (timer === undefined) return;
    timer.cancel();
    this.#graceTimers.delete(record);
  }

  /** As somebody asks for it; `info` is of the input that the request names, null for whatever is running. */
  asked(worker: Worker, { reason = 'cancel' }: CancelRequest, info: InputInfo | null): CancelAck {
    const { workerId } = worker;
    if (info === null) {
      const running = COMMANDS.cancel[worker.status] === 'abort' ? worker.runningInput() : null;
      if (running === null) return { workerId, status: worker.status, effect: 'none' };
      const effect = this.cancel(worker, running, reason);
      return { workerId, status: worker.status, effect, inputId: running.inputId };
    }
    const { inputId, outcome } = info;
    if (outcome !== null) return { workerId, status: worker.status, effect: 'ended', inputId, outcome };
    const effect = this.cancel(worker, info as InputRecord, reason);
    return { workerId, status: worker.status, effect, inputId, ...(effect === 'removed' && { outcome: 'cancelled' }) };
  }

  /** Ends an input that has no outcome yet: removed if it waits, told to end if it is at the host. */
  cancel(worker: Worker, record: InputRecord, reason: string): 'removed' | 'aborting' {
    // It has an outcome already, which is on its way to the disk.
    if (record.isDecided) return 'aborting';
    if (!record.isSent) {
      this.#delivery.endUnstarted(record, 'cancelled', reason);
      return 'removed';
    }
    record.cancelReason ??= reason;
    worker.host?.host.cancel({ workerSlot: worker.slot, seq: record.seq, reason, waitingOnly: false });
    this.#startGrace(worker, record);
    return 'aborting';
  }

  /** Ends everything in a worker's mailbox that has not ended. */
  cancelAll(worker: Worker, reason: string): void {
    const { mailbox, host, slot } = worker;
    for (const record of mailbox.allMessages()) {
      if (!record.isSent) this.#delivery.endUnstarted(record, 'cancelled', reason);
      else {
        record.cancelReason ??= reason;
        this.#startGrace(worker, record);
      }
    }
    // One frame for all of them: between two, the end of one input would let the next one start.
    if (mailbox.size > 0) host?.host.cancel({ workerSlot: slot, seq: null, reason, waitingOnly: false });
  }

  /** After the grace the host is killed, but only if this very input is the one that keeps its handler running. */
  #startGrace(worker: Worker, record: InputRecord): void {
    if (this.#graceTimers.has(record)) return;
    const check = () => {
      const { host } = worker;
      if (record.isDecided || host === null || !record.isSent) return;
      if (worker.hasStarted(record))
        host.kill(this.runTimes.isLate(record) ? 'handler_timeout' : 'cancel_grace', [worker]);
      else this.#graceTimers.set(record, this.#wheel.after(this.#limits.cancelGraceMs, check));
    };
    this.#graceTimers.set(record, this.#wheel.after(this.#limits.cancelGraceMs, check));
  }

  #onDeadline(record: InputRecord): void {
    const worker = record.owner as Worker;
    // One that runs again may have had an effect: `expired` would say that it never ran.
    const mayHaveRun = record.attempt > 1;
    if (!record.isSent && !mayHaveRun) {
      this.#delivery.endUnstarted(record, 'expired');
      return;
    }
    if (!record.isExpired && !mayHaveRun) {
      record.isExpired = true;
      worker.host?.host.cancel({ workerSlot: worker.slot, seq: record.seq, reason: 'deadline', waitingOnly: true });
      // If it has not started, the host will say so, unless it is stuck: then its sender must not wait for it.
      if (!worker.hasStarted(record)) {
        this.#wheel.add(record, now() + EXPIRY_ANSWER_MS);
        return;
      }
    }
    record.tellOverdue();
  }
}

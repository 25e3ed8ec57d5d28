// Inputs between their acceptance and their outcome: into the mailbox, out to the host as credits allow, and back. The only
// place where an input gets its outcome (`#settle`), and the only one that counts bytes in flight.

import { GreenroomError } from '../errors.ts';
import type { ErrorCode, WireError } from '../errors.ts';
import {
  CREDIT_BYTES_PER_WORKER,
  CREDITS_PER_QUICK_WORKER,
  CREDITS_PER_WORKER,
  INPUT_COPIES,
  INPUT_OVERHEAD_BYTES,
  SLICE_MS,
} from '../limits.ts';
import type { Limits } from '../limits.ts';
import { now, ORIGIN_MS } from '../protocol/clock.ts';
import { CANCELLED, COMPLETED } from '../protocol/frames.ts';
import type { Body, ReplyCode, Ticket } from '../protocol/frames.ts';
import type { Payload } from '../protocol/payload.ts';
import type { EntryType, Outcome } from '../protocol/views.ts';
import { Deadlines } from './deadlines.ts';
import type { HostSlot, Inbound } from './hosts.ts';
import { InputRecord } from './input.ts';
import type { InputInfo, InputKey } from './input.ts';
import { Receipts } from './receipts.ts';
import { RoomLines } from './room.ts';
import type { RoomListener } from './room.ts';
import type { Worker } from './worker.ts';

export interface DeliverOptions {
  /** From its acceptance. An input that has not started by then ends as `expired`. */
  deadlineMs?: number | undefined;
  /** 1 to 255 characters. The same key with the same input is the same input. */
  idempotencyKey?: string | undefined;
}

/** Who is told what inputs mean for the life of their worker. */
export interface DeliveryListener {
  /** A worker that is stopping has no input left. */
  onDrained(worker: Worker): void;
  /** A hibernated worker has got an input. */
  wake(worker: Worker): void;
}

/** How long a host has to confirm that an input which is past its deadline had not started. */
const EXPIRY_ANSWER_MS = 50;
/** How often receipts that are too old are looked for. */
const EXPIRE_EVERY_MS = 10_000;
/** Weight of the newest input in the moving average of service times. */
const SERVICE_WEIGHT = 0.1;

export class Delivery implements Inbound {
  readonly #limits: Limits;
  readonly #inputIdPrefix: string;
  readonly #receipts: Receipts;
  readonly #deadlines = new Deadlines<InputRecord>((record) => this.#onDeadline(record), now);
  readonly #listener: DeliveryListener;
  readonly #expireTimer: NodeJS.Timeout;
  /** Timers of running inputs that were told to end, until they do. */
  readonly #graceTimers = new Map<InputRecord, NodeJS.Timeout>();
  #nextSeq = 1;
  #messages = 0;
  #bytes = 0;
  /** Who waits until an input ends. */
  readonly room = new RoomLines();
  /** Outcomes since the start, for the report of close. */
  readonly counts = { finished: 0, cancelled: 0, refused: 0 };

  constructor(limits: Limits, inputIdPrefix: string, listener: DeliveryListener) {
    this.#limits = limits;
    this.#inputIdPrefix = inputIdPrefix;
    this.#listener = listener;
    this.#receipts = new Receipts(
      { maxCount: limits.maxReceipts, maxBytes: limits.maxReceiptBytes, ttlMs: limits.receiptTtlMs },
      { maxCount: limits.maxIdempotencyKeys, maxBytes: limits.maxReceiptBytes, ttlMs: limits.idempotencyTtlMs },
      (record) => (record.owner as Worker).keys?.delete(record.key?.key ?? ''),
    );
    this.#expireTimer = setInterval(() => this.#receipts.expire(Date.now()), EXPIRE_EVERY_MS);
    this.#expireTimer.unref();
  }

  get load(): { messages: number; bytes: number } {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  close(): void {
    clearInterval(this.#expireTimer);
    this.#deadlines.stop();
  }

  // --- acceptance ---

  /** Throws `worker_busy` or `runtime_overloaded` if an input of this size would be refused now. */
  requireRoom(worker: Worker, bytes: number): void {
    if (!hasRoom(worker, bytes)) throw this.refuse(worker, busy(worker));
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
    this.counts.refused++;
    if (worker !== null && worker.stopping !== null) worker.stopping.refused++;
    return error;
  }

  /** The caller has checked that there is room, the input's size and its shape. `deadlineMs` of 0: it waits. */
  accept(worker: Worker, payload: Payload, bytes: number, deadlineMs: number, key: InputKey | null): InputRecord {
    const acceptedAt = now();
    const record = new InputRecord(worker, this.#nextSeq++, payload, bytes, key, acceptedAt);
    if (key !== null) (worker.keys ??= new Map()).set(key.key, record);
    this.#messages++;
    this.#bytes += bytes;
    worker.mailbox.push(record);
    this.#receipts.add(record);
    worker.store.append('input', ORIGIN_MS + acceptedAt, record.seq, payload);
    if (deadlineMs > 0) this.#deadlines.add(record, acceptedAt + deadlineMs);
    this.offer(worker);
    return record;
  }

  /** The id that callers know an input by. */
  inputId(seq: number): string {
    return this.#inputIdPrefix + String(seq);
  }

  /** An input by its id, while its receipt is kept. */
  find(worker: Worker, inputId: string): InputInfo | undefined {
    if (!inputId.startsWith(this.#inputIdPrefix)) return undefined;
    const seq = Number(inputId.slice(this.#inputIdPrefix.length));
    const info = this.#receipts.get(seq, Date.now());
    // The id as it was given out, not another spelling of its number.
    if (info?.owner !== worker || this.inputId(info.seq) !== inputId) return undefined;
    return info instanceof InputRecord ? info : { ...info, workerId: worker.workerId, inputId, status: 'ended' };
  }

  // --- to the host and back ---

  /** Hands the host as many of the worker's inputs as credits and the host's window allow. */
  offer(worker: Worker): void {
    const { mailbox, host } = worker;
    if (host === null && worker.status === 'hibernated') this.#listener.wake(worker);
    if (host === null || worker.isBlocked || !worker.takesInputs) return;
    while (hasCredit(worker)) {
      if (!host.host.hasRoom && mailbox.size > mailbox.lent) {
        worker.isBlocked = true;
        host.blocked.push(worker);
        return;
      }
      const record = mailbox.lend();
      if (record === null) return;
      record.isLent = true;
      if (worker.status !== 'running') worker.apply('engaged');
      host.host.send(worker.slot, record);
    }
  }

  #offerBlocked(host: HostSlot): void {
    while (host.blocked.length > 0 && host.host.hasRoom) {
      const worker = host.blocked.shift() as Worker;
      if (worker.host !== host) continue;
      worker.isBlocked = false;
      this.offer(worker);
    }
  }

  /** A host answered. Called for each reply of a batch. */
  reply(ticket: Ticket, code: ReplyCode, startedAt: number, endedAt: number, body: Body, state: Payload | null): void {
    const record = ticket as InputRecord;
    const worker = record.owner as Worker;
    const { host } = worker;
    if (state !== null) worker.saveState(state);
    if (startedAt > 0) worker.serviceMs += (endedAt - startedAt - worker.serviceMs) * SERVICE_WEIGHT;
    if (code === COMPLETED) {
      this.#settle(worker, record, 'completed', body.payload, null, startedAt, endedAt, body);
    } else {
      const isExpired = code === CANCELLED && startedAt === 0 && record.isExpired;
      const outcome = isExpired ? 'expired' : code === CANCELLED ? 'cancelled' : 'failed';
      const error = isExpired ? expiredError() : (body.value() as WireError);
      this.#settle(worker, record, outcome, null, error, startedAt, endedAt, null);
    }
    this.offer(worker);
    if (host !== null && host.blocked.length > 0) this.#offerBlocked(host);
  }

  /** A handler emitted an entry. Called for each of a batch. */
  emitted(host: HostSlot, workerSlot: number, seq: number, at: number, data: Payload): void {
    host.workers[workerSlot]?.store.append('emitted', ORIGIN_MS + at, seq, data);
  }

  // --- cancel ---

  /** Ends an input that has no outcome yet: removed if it waits, told to end if it is at the host. */
  cancel(worker: Worker, record: InputRecord, reason: string): 'removed' | 'aborting' {
    if (!record.isLent) {
      this.#settleUnstarted(worker, record, 'cancelled', cancelledError(reason));
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
    for (const record of mailbox.waitingMessages()) this.cancel(worker, record, reason);
    if (mailbox.lent === 0) return;
    for (const record of mailbox.lentMessages()) {
      record.cancelReason ??= reason;
      this.#startGrace(worker, record);
    }
    // One frame for all of them: between two, the end of one input would let the next one start.
    host?.host.cancel({ workerSlot: slot, seq: null, reason, waitingOnly: false });
  }

  /** After the grace the host is killed, but only if this very input is the one that keeps its handler running. */
  #startGrace(worker: Worker, record: InputRecord): void {
    if (this.#graceTimers.has(record)) return;
    const check = () => {
      const { host } = worker;
      if (record.outcome !== null || host === null || !record.isLent) return;
      if (worker.hasStarted(record)) host.kill('cancel_grace', [worker]);
      else this.#graceTimers.set(record, setTimeout(check, this.#limits.cancelGraceMs));
    };
    this.#graceTimers.set(record, setTimeout(check, this.#limits.cancelGraceMs));
  }

  #onDeadline(record: InputRecord): void {
    const worker = record.owner as Worker;
    if (!record.isLent) {
      this.#settleUnstarted(worker, record, 'expired', expiredError());
      return;
    }
    if (!record.isExpired) {
      record.isExpired = true;
      worker.host?.host.cancel({ workerSlot: worker.slot, seq: record.seq, reason: 'deadline', waitingOnly: true });
      // If it has not started, the host will say so, unless it is stuck: then its sender must not wait for it.
      if (!worker.hasStarted(record)) {
        this.#deadlines.add(record, now() + EXPIRY_ANSWER_MS);
        return;
      }
    }
    record.tellOverdue();
  }

  // --- outcomes ---

  /** For an input that certainly never ran. */
  #settleUnstarted(worker: Worker, record: InputRecord, outcome: Outcome, error: WireError): void {
    this.#settle(worker, record, outcome, null, error, 0, now(), null);
  }

  /** For what a dead host was running. When it had started only the host knew. */
  settleInterrupted(worker: Worker, record: InputRecord, outcome: 'unknown' | 'cancelled', error: WireError): void {
    this.#settle(worker, record, outcome, null, error, 0, now(), null);
  }

  /** Takes back an input that had not started on a dead host: it will wait again, unless its end came meanwhile. */
  reclaim(worker: Worker, record: InputRecord): void {
    if (record.cancelReason !== null)
      this.#settleUnstarted(worker, record, 'cancelled', cancelledError(record.cancelReason));
    else if (record.isExpired) this.#settleUnstarted(worker, record, 'expired', expiredError());
    else record.isLent = false;
  }

  /** Ends all that waits with one error: the worker is not coming back by itself. */
  failWaiting(worker: Worker, code: ErrorCode, outcome: 'failed' | 'cancelled'): void {
    const error = GreenroomError.of(code).toWire();
    for (const record of worker.mailbox.waitingMessages()) this.#settleUnstarted(worker, record, outcome, error);
  }

  #settle(
    worker: Worker,
    record: InputRecord,
    outcome: Outcome,
    output: Payload | null,
    error: WireError | null,
    startedAt: number,
    endedAt: number,
    body: Body | null,
  ): void {
    const { mailbox, stopping } = worker;
    mailbox.remove(record, record.isLent);
    record.isLent = false;
    this.#messages--;
    this.#bytes -= record.bytes;
    this.#deadlines.remove(record);
    this.#clearGrace(record);
    const data = output ?? JSON.stringify(error);
    worker.store.append(ENTRY_OF[outcome], ORIGIN_MS + endedAt, record.seq, data);
    if (mailbox.size === 0 && worker.isLoaded) worker.apply('disengaged');
    if (outcome === 'cancelled' || outcome === 'expired') this.counts.cancelled++;
    else this.counts.finished++;
    if (stopping !== null) {
      if (outcome === 'cancelled') stopping.cancelled++;
      else stopping.drained++;
    }
    record.end(outcome, output, error, startedAt, endedAt, body);
    this.#receipts.ended(record);
    if (!this.room.isEmpty) this.room.freed(worker);
    if (stopping !== null && mailbox.size === 0) this.#listener.onDrained(worker);
  }

  #clearGrace(record: InputRecord): void {
    const timer = this.#graceTimers.get(record);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#graceTimers.delete(record);
  }
}

/** Whether the worker's mailbox has room for an input of this size. */
function hasRoom(worker: Worker, bytes: number): boolean {
  const { mailbox } = worker;
  return mailbox.isTurnBased ? worker.isAtRest && mailbox.size === 0 : mailbox.hasRoom(bytes);
}

/** Whether the worker's host may be handed one more of its inputs. */
function hasCredit({ mailbox, serviceMs }: Worker): boolean {
  const { lent, lentBytes } = mailbox;
  if (lent === 0) return true;
  if (lentBytes >= CREDIT_BYTES_PER_WORKER) return false;
  return lent < CREDITS_PER_WORKER || (lent < CREDITS_PER_QUICK_WORKER && lent * serviceMs < SLICE_MS);
}

/** Every outcome has an entry; what was never run, or not to its end, is told apart by the entry's data. */
const ENTRY_OF = {
  completed: 'output',
  failed: 'failed',
  unknown: 'failed',
  cancelled: 'cancelled',
  expired: 'cancelled',
} as const satisfies Record<Outcome, EntryType>;

function cancelledError(reason: string): WireError {
  return GreenroomError.of('cancelled', { details: { reason } }).toWire();
}

function expiredError(): WireError {
  return GreenroomError.of('expired').toWire();
}

/** A busy error that a machine can act on: what is running, how much waits, and when to come back. */
function busy(worker: Worker): GreenroomError {
  const { mailbox, status, actor } = worker;
  const nowMs = Date.now();
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

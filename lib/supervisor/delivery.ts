// Inputs between their acceptance and their outcome: into the mailbox, out to the host as credits allow, and back. The only
// place where an input gets its outcome (`#decide`). Each step is given to the store first, and takes effect when the store has it:
// at once if it keeps nothing, with the next commit if it is durable.
//
//   accept ─▶ mailbox ─ store ─▶ acknowledged
//               └─ lend ─ store ─▶ sent to the host ─▶ reply ─ store ─▶ the outcome is told

import { GreenroomError } from '../errors.ts';
import type { ErrorCode, WireError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { epochNow, now, ORIGIN_MS } from '../protocol/clock.ts';
import { CANCELLED, COMPLETED } from '../protocol/frames.ts';
import type { Body, ReplyCode, Ticket } from '../protocol/frames.ts';
import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Outcome } from '../protocol/views.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { Store, StoredInput, StoreEvents } from '../store/store.ts';
import { Cancelling } from './cancelling.ts';
import { Capacity } from './capacity.ts';
import type { DeadLetters } from './dead-letters.ts';
import { applyEffects } from './effects.ts';
import type { HostSlot } from './host-slot.ts';
import type { Inbound } from './hosts.ts';
import { InputRecord } from './input.ts';
import type { InputInfo, InputKey } from './input.ts';
import { Lending, unreserve } from './lending.ts';
import type { DeliverOptions } from './options.ts';
import { Receipts } from './receipts.ts';
import {
  cancelledError,
  closedError,
  EXPIRED_LATER,
  expiredError,
  INTERRUPTED,
  retryAfterRestart,
} from './interrupted.ts';
import type { Worker } from './worker.ts';

export type { DeliverOptions } from './options.ts';

/** Who is told what inputs mean for the life of their worker. */
export interface DeliveryListener {
  /** A worker that is stopping has no input left, or the host of one that is to start again has none of them. */
  onDrained(worker: Worker): void;
  /** A hibernated worker has got an input. */
  wake(worker: Worker): void;
}

/** How often receipts that are too old are looked for. */
const EXPIRE_EVERY_MS = 10_000;
/** Weight of the newest input in the moving average of service times. */
const SERVICE_WEIGHT = 0.1;

export class Delivery implements Inbound, StoreEvents {
  readonly #store: Store;
  readonly #receipts: Receipts;
  readonly #listener: DeliveryListener;
  readonly #wheel: Wheel;
  #expireTimer: WheelTimer;
  readonly capacity: Capacity;
  readonly cancelling: Cancelling;
  readonly lending: Lending;
  readonly deadLetters: DeadLetters;
  readonly #maxPendingBytes: number;
  #nextSeq: number;
  /** Outcomes since the start, for the report of close. */
  readonly counts = { finished: 0, cancelled: 0 };

  constructor(limits: Limits, store: Store, listener: DeliveryListener, wheel: Wheel, deadLetters: DeadLetters) {
    this.#store = store;
    this.#nextSeq = store.firstSeq;
    this.#listener = listener;
    this.deadLetters = deadLetters;
    this.#maxPendingBytes = limits.maxTotalBytes;
    this.capacity = new Capacity(limits);
    this.cancelling = new Cancelling(limits, this, wheel);
    this.lending = new Lending(
      (worker) => listener.wake(worker),
      (worker, record) => this.cancelling.runTimes.watch(worker, record),
    );
    this.#receipts = new Receipts(
      { maxCount: limits.maxReceipts, maxBytes: limits.maxReceiptBytes, ttlMs: limits.receiptTtlMs },
      { maxCount: limits.maxIdempotencyKeys, maxBytes: limits.maxReceiptBytes, ttlMs: limits.idempotencyTtlMs },
      (record) => (record.owner as Worker).keys?.delete(record.key?.key ?? ''),
    );
    this.#wheel = wheel;
    this.#expireTimer = wheel.after(EXPIRE_EVERY_MS, () => this.#expireReceipts());
    store.connect(this);
  }

  /** The store is closed: whoever waits for what has not ended is told that it will not be heard of here. Returns how many that are. */
  close(): number {
    this.#expireTimer.cancel();
    let count = 0;
    for (const record of this.#receipts.live()) {
      count++;
      record.tellRefused(closedError(record));
    }
    return count;
  }

  #expireReceipts(): void {
    this.#receipts.expire(epochNow());
    this.#expireTimer = this.#wheel.after(EXPIRE_EVERY_MS, () => this.#expireReceipts());
  }

  // --- acceptance ---

  /**
   * The caller has checked that there is room, the input's size and its shape. One whose number was promised before is an effect of
   * another input.
   */
  accept(
    worker: Worker,
    payload: Payload,
    bytes: number,
    key: InputKey | null,
    { deadlineMs = 0, durability = worker.actor.durability }: DeliverOptions,
    promisedSeq: number | null = null,
  ): InputRecord {
    const seq = promisedSeq ?? this.reserveSeq();
    const acceptedAt = now();
    const isVolatile = durability === 'volatile' || !this.#store.isDurable;
    const deadline = deadlineMs > 0 ? acceptedAt + deadlineMs : 0;
    const record = new InputRecord(worker, seq, payload, bytes, key, acceptedAt, deadline, isVolatile);
    record.isCaused = promisedSeq !== null;
    if (key !== null) (worker.keys ??= new Map()).set(key.key, record);
    this.#hold(worker, record);
    worker.store.accept(record);
    this.lending.offer(worker);
    return record;
  }

  /** A number for an input that is accepted later. */
  reserveSeq(): number {
    return this.#nextSeq++;
  }

  /** Takes up again what had no outcome when the worker was put away. */
  restore(worker: Worker): void {
    for (const stored of worker.store.inputs()) {
      const record = InputRecord.restored(worker, stored, payloadBytes(stored.payload));
      if (record.key !== null) (worker.keys ??= new Map()).set(record.key.key, record);
      this.#hold(worker, record);
      this.cancelling.watch(record);
      if (stored.isStarted) this.#settleStarted(worker, record);
      this.cancelling.expireIfLate(record);
    }
  }

  #settleStarted(worker: Worker, record: InputRecord): void {
    // What is to become of it the actor says, when it is back.
    if (worker.actor.isMissing) record.attempt++;
    else if (worker.actor.definition.onInterrupt === 'retry') {
      if (this.deadLetters.isPoison(worker, record.attempt)) this.endPoisoned(worker, record, 'runtime_restart');
      else retryAfterRestart(worker, record);
    } else this.#decide(worker, record, 'unknown', null, INTERRUPTED.toWire(), 0, now(), null);
  }

  #hold(worker: Worker, record: InputRecord): void {
    this.capacity.add(record.bytes);
    worker.mailbox.push(record);
    worker.mailbox.unsettled++;
    this.#receipts.add(record);
  }

  /** The id that callers know an input by. */
  inputId(seq: number): string {
    return this.#store.inputIdPrefix + String(seq);
  }

  /** An input by its id, while its receipt or the entry of its outcome is kept. */
  find(worker: Worker, inputId: string): InputInfo | undefined {
    const { inputIdPrefix } = this.#store;
    if (!inputId.startsWith(inputIdPrefix)) return undefined;
    const seq = Number(inputId.slice(inputIdPrefix.length));
    // The id as it was given out, not another spelling of its number.
    if (this.inputId(seq) !== inputId) return undefined;
    const info = this.#receipts.get(seq, epochNow());
    if (info?.owner === worker)
      return info instanceof InputRecord ? info : { ...info, workerId: worker.workerId, inputId, status: 'ended' };
    const ended = worker.store.ended(seq);
    return ended && { ...ended, owner: worker, workerId: worker.workerId, inputId, status: 'ended' };
  }

  /** The input that a key was used for, as long as the key is remembered. */
  keyed(worker: Worker, key: string): InputRecord | undefined {
    const known = worker.keys?.get(key);
    if (known !== undefined) return known;
    const stored = worker.store.keyed(key);
    if (stored === undefined || stored.ended === null) return undefined;
    return InputRecord.ended(worker, { key, digest: stored.digest }, stored.ended);
  }

  // --- what the store tells ---

  accepted(input: StoredInput): void {
    const record = input as InputRecord;
    if (!record.isDecided) this.cancelling.watch(record);
    record.tellAccepted();
    this.cancelling.expireIfLate(record);
  }

  refused(input: StoredInput, error: GreenroomError): void {
    const record = input as InputRecord;
    const worker = record.owner as Worker;
    const slot = unreserve(record);
    if (!record.isDecided) this.#leave(worker, record, now());
    worker.mailbox.unsettled--;
    if (record.key !== null) worker.keys?.delete(record.key.key);
    this.#receipts.forget(record);
    this.capacity.refused++;
    this.capacity.remove(worker, record.bytes);
    record.tellRefused(error);
    this.lending.offer(worker);
    if (slot !== null && slot.blocked.length > 0) this.lending.offerBlocked(slot);
    this.#tellIfDrained(worker);
  }

  /** Its run is kept. */
  started(input: StoredInput): void {
    this.lending.started(input as InputRecord);
  }

  ended(input: StoredInput): void {
    const record = input as InputRecord;
    const worker = record.owner as Worker;
    record.conclude();
    worker.mailbox.unsettled--;
    this.#receipts.ended(record);
    this.capacity.remove(worker, record.bytes);
  }

  // --- back from the host ---

  /** A host answered. Called for each reply of a batch. */
  reply(ticket: Ticket, code: ReplyCode, startedAt: number, endedAt: number, body: Body, state: Payload | null): void {
    const record = ticket as InputRecord;
    const worker = record.owner as Worker;
    const { host } = worker;
    if (state !== null) worker.saveState(state);
    if (startedAt > 0) worker.serviceMs += (endedAt - startedAt - worker.serviceMs) * SERVICE_WEIGHT;
    if (code === COMPLETED) {
      this.#decide(worker, record, 'completed', body.payload, null, startedAt, endedAt, body);
    } else {
      const late = code === CANCELLED && startedAt > 0 ? this.cancelling.runTimes.errorOf(record, false) : null;
      const outcome = code === CANCELLED && late === null ? 'cancelled' : 'failed';
      if (code === CANCELLED && startedAt === 0 && worker.presence === 'renewing') this.#takeBack(worker, record);
      else if (code === CANCELLED && startedAt === 0 && record.isExpired) this.endUnstarted(record, 'expired');
      else this.#decide(worker, record, outcome, null, late ?? (body.value() as WireError), startedAt, endedAt, null);
    }
    this.lending.offer(worker);
    if (host !== null && host.blocked.length > 0) this.lending.offerBlocked(host);
  }

  /** A handler emitted an entry. Called for each of a batch. */
  emitted(host: HostSlot, workerSlot: number, seq: number, at: number, data: Payload): void {
    const worker = host.workers[workerSlot];
    if (worker === undefined) return;
    if (this.#store.pendingBytes <= this.#maxPendingBytes) worker.store.append('emitted', ORIGIN_MS + at, seq, data);
    else this.cancelling.endFlood(worker, seq);
  }

  /** An input of a worker that has crashed has left its host. */
  dropped(host: HostSlot): void {
    if (host.blocked.length > 0) this.lending.offerBlocked(host);
  }

  // --- outcomes ---

  /** For an input that is not running. `reason`: of a cancel. */
  endUnstarted(record: InputRecord, outcome: 'cancelled' | 'expired', reason = ''): void {
    const worker = record.owner as Worker;
    if (outcome === 'cancelled') this.#decide(worker, record, outcome, null, cancelledError(reason), 0, now(), null);
    else if (record.attempt === 1) this.#decide(worker, record, outcome, null, expiredError(record), 0, now(), null);
    // Who is told `expired` may take it that the input never ran.
    else this.#decide(worker, record, 'unknown', null, EXPIRED_LATER.toWire(), 0, now(), null);
  }

  /** For what a dead host was running. When it had started only the host knew. */
  endInterrupted(
    worker: Worker,
    record: InputRecord,
    outcome: 'unknown' | 'cancelled' | 'failed',
    error: WireError,
  ): void {
    this.#decide(worker, record, outcome, null, error, 0, now(), null);
  }

  /** For what was running at as many deaths as its actor allows: it ends, and is kept as a dead letter, in one group of the store. */
  endPoisoned(worker: Worker, record: InputRecord, cause: string): void {
    const { inputId, payload, bytes, attempt: attempts, acceptedAtMs } = record;
    const error = GreenroomError.of('poison_input', { details: { attempts, cause } }).toWire();
    this.#decide(worker, record, 'failed', null, error, 0, now(), null);
    const { workerId, kind } = worker;
    const endedAtMs = epochNow();
    this.deadLetters.put({ inputId, workerId, kind, payload, attempts, error, acceptedAtMs, endedAtMs }, bytes);
  }

  /** For what an orderly close has interrupted: the store has it as waiting, for its next attempt, and not as running when a process ended. */
  keepForNextStart(worker: Worker, record: InputRecord): void {
    this.lending.waitAgain(record);
    retryAfterRestart(worker, record);
    record.startsAtStore++;
    worker.store.start(record);
    worker.store.recall(record);
  }

  /** Takes back an input that had not started on a dead host: it will wait again, unless its end came meanwhile. */
  reclaim(record: InputRecord): void {
    if (record.cancelReason !== null) this.endUnstarted(record, 'cancelled', record.cancelReason);
    else if (record.isExpired) this.endUnstarted(record, 'expired');
    else {
      this.lending.waitAgain(record);
      (record.owner as Worker).store.recall(record);
    }
  }

  /** Has the host give back what it has not begun; see `reply`. */
  recallUnstarted(worker: Worker): void {
    const { mailbox, host, slot: workerSlot } = worker;
    for (const record of [...mailbox.lentMessages()]) {
      if (record.isSent) continue;
      unreserve(record);
      this.reclaim(record);
    }
    host?.host.cancel({ workerSlot, seq: null, reason: 'restart', waitingOnly: true });
  }

  #takeBack(worker: Worker, record: InputRecord): void {
    this.reclaim(record);
    this.#tellIfDrained(worker);
  }

  /** Ends what waits with one error, all of it or only what is volatile: the worker is not coming back by itself. */
  failWaiting(worker: Worker, code: ErrorCode, outcome: 'failed' | 'cancelled', isOnlyVolatile = false): void {
    const error = GreenroomError.of(code).toWire();
    for (const record of worker.mailbox.waitingMessages())
      if (record.isVolatile || !isOnlyVolatile) this.#decide(worker, record, outcome, null, error, 0, now(), null);
  }

  #decide(
    worker: Worker,
    record: InputRecord,
    outcome: Outcome,
    output: Payload | null,
    error: WireError | null,
    startedAt: number,
    endedAt: number,
    body: Body | null,
  ): void {
    if (outcome === 'completed') applyEffects(record);
    record.effects = null;
    record.decide(outcome, output, error, startedAt, endedAt, body);
    this.#leave(worker, record, endedAt);
    const { stopping } = worker;
    if (outcome === 'cancelled' || outcome === 'expired') this.counts.cancelled++;
    else this.counts.finished++;
    if (stopping !== null) {
      if (outcome === 'cancelled') stopping.cancelled++;
      else stopping.drained++;
    }
    worker.store.end(record, record.ending);
    record.forgetBody();
    this.#tellIfDrained(worker);
  }

  /** Out of the mailbox. */
  #leave(worker: Worker, record: InputRecord, at: number): void {
    const { mailbox } = worker;
    const { next, isLent, isSent } = record;
    mailbox.remove(record, isLent);
    this.lending.takeBack(record);
    if (isLent && !isSent && next?.previous?.isSent !== false) this.lending.startFollowers(worker, next);
    this.cancelling.forget(record);
    if (mailbox.size === 0 && worker.isLoaded) worker.disengage(at);
  }

  #tellIfDrained(worker: Worker): void {
    const isRenewed = worker.presence === 'renewing' && !worker.hasLentInputs;
    if (isRenewed || (worker.stopping !== null && worker.inputs === 0)) this.#listener.onDrained(worker);
  }
}

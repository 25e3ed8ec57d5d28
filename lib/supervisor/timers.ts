// Inputs of a worker's own making after a time (`ctx.after`). The store keeps them, and memory holds those that are due soon; a timer of a
// `volatile` actor, or without a durable store, is in memory only. A due one goes through the mailbox of its worker, which need not be
// awake, nor loaded. It leaves the store in the group that its input is accepted in, so it fires once; what is refused for now is
// tried again. All of a worker's are forgotten when it stops or fails.

import { setTimeout as delay } from 'node:timers/promises';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import { TIMERS_PER_WORKER } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { epochNow } from '../protocol/clock.ts';
import { requireValid } from '../protocol/issues.ts';
import { decode, encode, payloadBytes } from '../protocol/payload.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { Store, StoredTimer } from '../store/store.ts';
import { stage } from './effects.ts';
import type { InputRecord } from './input.ts';
import type { Worker } from './worker.ts';

/** After a refusal that may pass, and between looks at a store in trouble. */
const RETRY_MS = 100;
/** What is due within this time is in memory; the store is asked again after half of it. */
const HORIZON_MS = 60_000;
/** Timers that are taken from the store at a time. */
const PAGE = 4_096;
/** Timers of the store that are in memory; those that are due later wait there. */
const MAX_ARMED = 65_536;
/** Between two looks into the store while it has more than a page of timers that are due. */
const NEXT_PAGE_MS = 1_000;

/** What timers need of the runtime around them. */
export interface TimerParts {
  find(workerId: string): Worker | undefined;
  /** Throws what the input is refused with. */
  deliver(worker: Worker, value: unknown): InputRecord;
}

interface Armed {
  readonly timer: StoredTimer;
  readonly isStored: boolean;
  /** Null once it has fired or was forgotten: the store may still have it, and would give it again. */
  timeout: WheelTimer | null;
}

export class Timers {
  readonly #store: Store;
  readonly #parts: TimerParts;
  readonly #log: Logger;
  readonly #wheel: Wheel;
  /** By worker and number. */
  readonly #armed = new Map<string, Map<number, Armed>>();
  #count = 0;
  /** What the store has of before this time is in memory. */
  #horizonMs = 0;
  #isPartial = false;
  #loadTimer: WheelTimer | null = null;
  #lastId = 0;
  #gone: { workerId: string; timerId: number }[] = [];
  #isSettling = false;
  readonly #over = new AbortController();

  constructor(store: Store, parts: TimerParts, log: Logger, wheel: Wheel) {
    this.#wheel = wheel;
    this.#store = store;
    this.#parts = parts;
    this.#log = log;
  }

  /** Takes up what an earlier run has left: what is overdue fires at once, in the order of its time. */
  open(): void {
    if (this.#store.isDurable) this.#load();
  }

  close(): void {
    this.#over.abort();
    this.#loadTimer?.cancel();
    for (const armed of this.#armed.values()) for (const { timeout } of armed.values()) timeout?.cancel();
    this.#armed.clear();
  }

  /**
   * A timer that a worker sets while it handles an input: it counts from now, and is set when that input completes, unless the input is
   * volatile. Throws `invalid_input` or `worker_busy` (too many timers).
   */
  set(worker: Worker, inputSeq: number, value: unknown, delayMs: number): void {
    requireValid(worker.actor.definition.input, value, 'invalid_input');
    const isStored = this.#store.isDurable && worker.actor.durability === 'durable';
    const taken = this.#idsOf(worker, isStored);
    if (taken.size >= TIMERS_PER_WORKER)
      throw GreenroomError.of('worker_busy', { message: 'The worker has too many timers.' });
    const input = encode(value);
    const timerId = this.#newId(taken);
    const timer = { timerId, dueAtMs: epochNow() + delayMs, input, name: String(timerId), repeat: null };
    const take = (): void => {
      // A stop came first: it forgets them.
      if (worker.status === 'stopping') return;
      if (isStored) worker.store.putTimer(timer);
      this.#take(worker.workerId, timer, isStored);
    };
    if (!stage(worker, inputSeq, payloadBytes(input), take)) take();
  }

  /** The worker has stopped, failed, or is no more. */
  forget(worker: Worker): void {
    for (const { timer, isStored, timeout } of this.#armed.get(worker.workerId)?.values() ?? []) {
      timeout?.cancel();
      if (!isStored) this.#drop(worker.workerId, timer.timerId);
    }
    if (!this.#store.isDurable) return;
    for (const timer of this.#storedOf(worker)) this.#end(worker, timer);
    // Those that the store has been given, and does not have yet.
    for (const { timer, timeout } of this.#armed.get(worker.workerId)?.values() ?? [])
      if (timeout !== null) this.#end(worker, timer);
  }

  /** None if they cannot be read: that must not keep anybody from stopping the worker, or deleting it. */
  #storedOf(worker: Worker): readonly StoredTimer[] {
    try {
      return worker.store.timers();
    } catch (thrown) {
      this.#log.error({ worker_id: worker.workerId, ...describeError(thrown) }, 'timers of a worker cannot be read');
      return [];
    }
  }

  #idsOf(worker: Worker, isStored: boolean): Set<number> {
    const ids = new Set<number>();
    if (isStored) for (const { timerId } of worker.store.timers()) ids.add(timerId);
    for (const [timerId, { timeout }] of this.#armed.get(worker.workerId) ?? []) {
      if (timeout === null) ids.delete(timerId);
      else ids.add(timerId);
    }
    return ids;
  }

  /** Higher than all of this run, and by the time of day than those of earlier ones; if the clock was set back, one that is free. */
  #newId(taken: ReadonlySet<number>): number {
    do this.#lastId = Math.max(this.#lastId + 1, epochNow());
    while (taken.has(this.#lastId));
    return this.#lastId;
  }

  // --- into memory ---

  #take(workerId: string, timer: StoredTimer, isStored: boolean): void {
    if (this.#over.signal.aborted) return;
    if (isStored && timer.dueAtMs >= this.#horizonMs) return;
    if (isStored && this.#count >= MAX_ARMED) {
      this.#horizonMs = timer.dueAtMs;
      this.#isPartial = true;
      return;
    }
    let armed = this.#armed.get(workerId);
    if (armed === undefined) this.#armed.set(workerId, (armed = new Map<number, Armed>()));
    if (armed.has(timer.timerId)) return;
    const entry: Armed = { timer, isStored, timeout: null };
    armed.set(timer.timerId, entry);
    this.#count++;
    this.#arm(workerId, entry, timer.dueAtMs - epochNow());
  }

  #arm(workerId: string, entry: Armed, delayMs: number): void {
    // An input that ends while the runtime closes may still set one; the store has it.
    if (this.#over.signal.aborted) return;
    entry.timeout = this.#wheel.after(Math.max(1, delayMs), () => this.#fire(workerId, entry));
  }

  #load(): void {
    const untilMs = epochNow() + HORIZON_MS;
    // Those that are in memory come first: they are due before the others, or are tried again.
    const limit = Math.min(this.#count + PAGE, MAX_ARMED);
    const due = this.#store.timersBefore(untilMs, limit);
    this.#isPartial = due.length >= limit;
    this.#horizonMs = Infinity;
    for (const { workerId, timer } of due) this.#take(workerId, timer, true);
    this.#horizonMs = this.#isPartial ? (due.at(-1)?.timer.dueAtMs ?? 0) : untilMs;
    this.#loadTimer?.cancel();
    this.#loadTimer = this.#wheel.after(this.#isPartial ? NEXT_PAGE_MS : HORIZON_MS / 2, () => this.#load());
  }

  // --- its time has come ---

  #fire(workerId: string, entry: Armed): void {
    const { timer, isStored } = entry;
    entry.timeout = null;
    const worker = this.#parts.find(workerId);
    if (worker === undefined) {
      this.#drop(workerId, timer.timerId);
      return;
    }
    try {
      const record = this.#parts.deliver(worker, decode(timer.input));
      if (isStored) record.addListener({ ended: () => undefined, refused: () => this.#putBack(worker, timer) });
      this.#end(worker, timer);
    } catch (thrown) {
      const { code, retryable } = asGreenroomError(thrown);
      if (retryable) this.#arm(workerId, entry, RETRY_MS);
      // It waits in the store until somebody starts the runtime with its actor.
      else if (code === 'actor_not_found') this.#drop(workerId, timer.timerId);
      else {
        this.#log.warn({ worker_id: workerId, code }, 'timer input refused');
        this.#end(worker, timer);
      }
    }
  }

  /** Its input could not be kept. */
  #putBack(worker: Worker, timer: StoredTimer): void {
    if (worker.stopping !== null) return;
    worker.store.putTimer(timer);
    this.#drop(worker.workerId, timer.timerId);
    this.#take(worker.workerId, timer, true);
  }

  // --- the end of it ---

  /** It is no more. Until the store knows that, it is remembered here, so that it is not taken from there again. */
  #end(worker: Worker, timer: StoredTimer): void {
    const { workerId } = worker;
    const armed = this.#armed.get(workerId)?.get(timer.timerId);
    if (armed?.isStored === false) {
      this.#drop(workerId, timer.timerId);
      return;
    }
    worker.store.deleteTimer(timer.timerId);
    if (armed === undefined) this.#remember(workerId, timer);
    else armed.timeout = null;
    this.#gone.push({ workerId, timerId: timer.timerId });
    if (!this.#isSettling) void this.#settle();
  }

  #remember(workerId: string, timer: StoredTimer): void {
    const armed = this.#armed.get(workerId) ?? new Map<number, Armed>();
    this.#armed.set(workerId, armed.set(timer.timerId, { timer, isStored: true, timeout: null }));
    this.#count++;
  }

  async #settle(): Promise<void> {
    this.#isSettling = true;
    while (this.#gone.length > 0 && !this.#over.signal.aborted) {
      const gone = this.#gone;
      this.#gone = [];
      while (!(await this.#isCommitted())) if (this.#over.signal.aborted) return;
      for (const { workerId, timerId } of gone)
        if (this.#armed.get(workerId)?.get(timerId)?.timeout === null) this.#drop(workerId, timerId);
    }
    this.#isSettling = false;
    if (this.#isPartial && this.#count < PAGE / 2 && !this.#over.signal.aborted) this.#load();
  }

  async #isCommitted(): Promise<boolean> {
    try {
      await this.#store.committed();
      return true;
    } catch {
      // The store is in trouble, and says so itself.
      await delay(RETRY_MS, undefined, { signal: this.#over.signal }).catch(() => undefined);
      return false;
    }
  }

  #drop(workerId: string, timerId: number): void {
    const armed = this.#armed.get(workerId);
    if (armed?.delete(timerId) !== true) return;
    this.#count--;
    if (armed.size === 0) this.#armed.delete(workerId);
  }
}

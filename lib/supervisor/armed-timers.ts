// Timers that are in memory: of the store those that are due soon, of the others all. A due one goes through the mailbox of its worker, which
// need not be awake, nor loaded.
//
//   store ─▶ due within the horizon ─▶ armed on the wheel ─▶ its input is accepted, in one group with: it is gone │ its next time
//                                          └── refused for now: tried again · the input before is still there: this time is skipped

import { asGreenroomError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { epochNow } from '../protocol/clock.ts';
import { decode } from '../protocol/payload.ts';
import { nextTime } from '../protocol/schedule.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { Store, StoredTimer } from '../store/store.ts';
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

export interface ArmedParts {
  find(workerId: string): Worker | undefined;
  /** Throws what the input is refused with. */
  deliver(worker: Worker, value: unknown): InputRecord;
}

interface Armed {
  timer: StoredTimer;
  readonly isStored: boolean;
  /** Null while it waits for the store to know what has become of it: that still has what was before, and would give it again. */
  timeout: WheelTimer | null;
  /** It has fired for the last time, or was forgotten. */
  isOver: boolean;
  /** Times in a row at which the input before was still there. */
  skipped: number;
}

export class ArmedTimers {
  readonly #store: Store;
  readonly #parts: ArmedParts;
  readonly #log: Logger;
  readonly #wheel: Wheel;
  /** By worker and number. */
  readonly #armed = new Map<string, Map<number, Armed>>();
  #count = 0;
  /** What the store has of before this time is in memory. */
  #horizonMs = 0;
  #isPartial = false;
  #loadTimer: WheelTimer | null = null;
  /** Those that wait for the store to know of them. */
  #unsettled: { readonly workerId: string; readonly entry: Armed }[] = [];
  #isSettling = false;
  /** While the store is in trouble. */
  #endPause: () => void = () => undefined;
  #isClosed = false;

  constructor(store: Store, parts: ArmedParts, log: Logger, wheel: Wheel) {
    this.#store = store;
    this.#parts = parts;
    this.#log = log;
    this.#wheel = wheel;
  }

  /** From now on those of the store are taken into memory in time. */
  open(): void {
    const untilMs = epochNow() + HORIZON_MS;
    // Those that are in memory come first: they are due before the others, or are tried again.
    const limit = Math.min(this.#count + PAGE, MAX_ARMED);
    const due = this.#store.timersBefore(untilMs, limit);
    this.#isPartial = due.length >= limit;
    this.#horizonMs = Infinity;
    for (const { workerId, timer } of due) this.take(workerId, timer, true);
    this.#horizonMs = this.#isPartial ? (due.at(-1)?.timer.dueAtMs ?? 0) : untilMs;
    this.#loadTimer?.cancel();
    this.#loadTimer = this.#wheel.after(this.#isPartial ? NEXT_PAGE_MS : HORIZON_MS / 2, () => this.open());
  }

  close(): void {
    this.#isClosed = true;
    this.#endPause();
    this.#loadTimer?.cancel();
    for (const armed of this.#armed.values()) for (const { timeout } of armed.values()) timeout?.cancel();
    this.#armed.clear();
  }

  /** Into memory, unless it is due later than others that are not. `isStored`: the store has it, or is given it. */
  take(workerId: string, timer: StoredTimer, isStored: boolean): void {
    if (this.#isClosed) return;
    if (isStored && timer.dueAtMs >= this.#horizonMs) return;
    if (isStored && this.#count >= MAX_ARMED) {
      this.#horizonMs = timer.dueAtMs;
      this.#isPartial = true;
      return;
    }
    if (this.#armed.get(workerId)?.has(timer.timerId) !== true)
      this.#arm(workerId, this.#add(workerId, timer, isStored));
  }

  /** It is no more. Until the store knows that, it is remembered here, so that it is not taken from there again. */
  end(worker: Worker, timer: StoredTimer): void {
    const { workerId } = worker;
    const known = this.#armed.get(workerId)?.get(timer.timerId);
    known?.timeout?.cancel();
    if (known?.isStored === false) {
      this.#drop(workerId, known);
      return;
    }
    worker.store.deleteTimer(timer.timerId);
    const entry = known ?? this.#add(workerId, timer, true);
    entry.isOver = true;
    this.#settleLater(workerId, entry);
  }

  /** Those that are in memory only. */
  unstoredOf(workerId: string): StoredTimer[] {
    return this.#of(workerId).flatMap(({ timer, isStored }) => (isStored ? [] : [timer]));
  }

  /** Those of the store that are in memory, too. */
  storedOf(workerId: string): StoredTimer[] {
    return this.#of(workerId).flatMap(({ timer, isStored, isOver }) => (isStored && !isOver ? [timer] : []));
  }

  // --- its time has come ---

  #arm(workerId: string, entry: Armed, delayMs = entry.timer.dueAtMs - epochNow()): void {
    // An input that ends while the runtime closes may still set one; the store has it.
    if (this.#isClosed) return;
    entry.timeout = this.#wheel.after(Math.max(1, delayMs), () => this.#fire(workerId, entry));
  }

  #fire(workerId: string, entry: Armed): void {
    const { timer } = entry;
    entry.timeout = null;
    const worker = this.#parts.find(workerId);
    if (worker === undefined) {
      this.#drop(workerId, entry);
      return;
    }
    if (worker.hasInput(timer.lastSeq)) {
      entry.skipped++;
      this.#goOn(worker, entry, timer.lastSeq);
      return;
    }
    try {
      this.#fired(worker, entry, this.#parts.deliver(worker, decode(timer.input)));
    } catch (thrown) {
      const { code, retryable } = asGreenroomError(thrown);
      if (retryable) this.#arm(workerId, entry, RETRY_MS);
      // It waits in the store until somebody starts the runtime with its actor.
      else if (code === 'actor_not_found') this.#drop(workerId, entry);
      else {
        this.#log.warn({ worker_id: workerId, timer: timer.name, code }, 'timer input refused');
        this.end(worker, timer);
      }
    }
  }

  #fired(worker: Worker, entry: Armed, record: InputRecord): void {
    const { timer, isStored, skipped } = entry;
    if (skipped > 0)
      this.#log.info({ worker_id: worker.workerId, timer: timer.name, skipped }, 'times of a timer were skipped');
    entry.skipped = 0;
    if (isStored) record.addListener({ ended: () => undefined, refused: () => this.#putBack(worker, entry, timer) });
    if (timer.repeat === null) this.end(worker, timer);
    else this.#goOn(worker, entry, record.seq);
  }

  /** To its next time, from its schedule. The store is told of it in the group that the input is accepted in. */
  #goOn(worker: Worker, entry: Armed, lastSeq: number): void {
    const { timer, isStored } = entry;
    const dueAtMs = timer.repeat === null ? null : nextTime(timer.repeat, timer.dueAtMs, epochNow());
    if (dueAtMs === null) {
      this.end(worker, timer);
      return;
    }
    entry.timer = { ...timer, dueAtMs, lastSeq };
    const isFar = isStored && dueAtMs >= this.#horizonMs;
    // A time that is skipped is nothing that a restart has to know of, as long as the next one is in memory.
    if (isStored && (isFar || entry.skipped === 0)) worker.store.putTimer(entry.timer);
    if (isFar) this.#settleLater(worker.workerId, entry);
    else this.#arm(worker.workerId, entry);
  }

  /** Its input could not be kept: it is due again, as it was. */
  #putBack(worker: Worker, entry: Armed, timer: StoredTimer): void {
    const { workerId } = worker;
    if (worker.stopping !== null || (timer.repeat !== null && entry.isOver)) return;
    entry.timeout?.cancel();
    worker.store.putTimer(timer);
    this.#drop(workerId, entry);
    this.take(workerId, timer, true);
  }

  // --- what the store is to know ---

  #settleLater(workerId: string, entry: Armed): void {
    entry.timeout = null;
    this.#unsettled.push({ workerId, entry });
    if (!this.#isSettling) void this.#settle();
  }

  async #settle(): Promise<void> {
    this.#isSettling = true;
    while (this.#unsettled.length > 0 && !this.#isClosed) {
      const unsettled = this.#unsettled;
      this.#unsettled = [];
      while (!(await this.#isCommitted())) if (this.#isClosed) return;
      for (const { workerId, entry } of unsettled) {
        if (entry.timeout !== null) continue;
        this.#drop(workerId, entry);
        // The horizon may have come to it meanwhile.
        if (!entry.isOver) this.take(workerId, entry.timer, true);
      }
    }
    this.#isSettling = false;
    if (this.#isPartial && this.#count < PAGE / 2 && !this.#isClosed) this.open();
  }

  async #isCommitted(): Promise<boolean> {
    try {
      await this.#store.committed();
      return true;
    } catch {
      // The store is in trouble, and says so itself.
      await new Promise<void>((resolve) => {
        this.#endPause = resolve;
        this.#wheel.after(RETRY_MS, resolve);
      });
      return false;
    }
  }

  // --- in memory ---

  #of(workerId: string): Armed[] {
    return [...(this.#armed.get(workerId)?.values() ?? [])];
  }

  #add(workerId: string, timer: StoredTimer, isStored: boolean): Armed {
    const armed = this.#armed.get(workerId) ?? new Map<number, Armed>();
    const entry: Armed = { timer, isStored, timeout: null, isOver: false, skipped: 0 };
    this.#armed.set(workerId, armed.set(timer.timerId, entry));
    this.#count++;
    return entry;
  }

  /** Does nothing if another one has its place. */
  #drop(workerId: string, entry: Armed): void {
    const armed = this.#armed.get(workerId);
    const { timerId } = entry.timer;
    if (armed?.get(timerId) !== entry) return;
    armed.delete(timerId);
    this.#count--;
    if (armed.size === 0) this.#armed.delete(workerId);
  }
}

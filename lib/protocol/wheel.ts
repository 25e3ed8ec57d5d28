// All that a runtime waits for by time, on one timer: a wheel of buckets, each a line of entries that come due in the same tick. Adding
// and removing are a few pointer writes; a timer of Node for each costs more than the rest of an ask. An entry fires up to two ticks late.
// The wheel sleeps until the next tick that has an entry: far ones cost a look each round, and an idle runtime next to nothing.

import { now, wake } from './clock.ts';

/** What an entry must bring along; only the wheel writes to it. */
export interface WheelEntry {
  /** On the clock of the runtime; 0 while it is not in the wheel. */
  dueAt: number;
  earlier: WheelEntry | null;
  later: WheelEntry | null;
}

/** Something to be done at a time. */
export interface WheelTimer {
  /** Does nothing once it has fired. */
  cancel(): void;
}

class Timer implements WheelEntry, WheelTimer {
  dueAt = 0;
  earlier: WheelEntry | null = null;
  later: WheelEntry | null = null;
  readonly #wheel: Wheel;
  readonly due: () => void;

  constructor(wheel: Wheel, due: () => void) {
    this.#wheel = wheel;
    this.due = due;
  }

  cancel(): void {
    this.#wheel.remove(this);
  }
}

const TICK_MS = 10;
const BUCKETS = 1_024;

export class Wheel {
  /** Told of entries that are no timers of `after`. */
  onDue: (entry: WheelEntry) => void = () => undefined;
  /** First entry of each bucket. An entry beyond one round stays in its bucket until its round comes. */
  readonly #buckets = new Array<WheelEntry | null>(BUCKETS).fill(null);
  #count = 0;
  #tick = 0;
  /** When it wakes; Infinity while it has nothing to wake for. */
  #wakeTick = Infinity;
  #cancelWake: (() => void) | null = null;
  #isVisiting = false;

  /** Entries that wait. */
  get size(): number {
    return this.#count;
  }

  /** Calls once after a time. Whoever asks for it cancels it when nothing waits for it any more. */
  after(delayMs: number, due: () => void): WheelTimer {
    const timer = new Timer(this, due);
    this.add(timer, now() + delayMs);
    return timer;
  }

  /** Resolves when the promise does, after the time at the latest; rejects if it does before. */
  async within(ms: number, done: Promise<unknown>): Promise<void> {
    let timer: WheelTimer | undefined;
    const over = new Promise<void>((resolve) => (timer = this.after(ms, resolve)));
    try {
      await Promise.race([done, over]);
    } finally {
      timer?.cancel();
    }
  }

  add(entry: WheelEntry, dueAt: number): void {
    if (this.#count++ === 0 && !this.#isVisiting) this.#tick = Math.floor(now() / TICK_MS);
    // Never into the bucket of the tick at hand: it may have been visited.
    entry.dueAt = Math.max(dueAt, (this.#tick + 1) * TICK_MS);
    const tick = Math.ceil(entry.dueAt / TICK_MS);
    const bucket = tick % BUCKETS;
    const first = this.#buckets[bucket] ?? null;
    entry.later = first;
    if (first !== null) first.earlier = entry;
    this.#buckets[bucket] = entry;
    if (tick < this.#wakeTick && !this.#isVisiting) this.#wakeAt(tick);
  }

  /** Does nothing for an entry that is not in the wheel. */
  remove(entry: WheelEntry): void {
    if (entry.dueAt === 0) return;
    if (entry.earlier === null) this.#buckets[Math.ceil(entry.dueAt / TICK_MS) % BUCKETS] = entry.later;
    else entry.earlier.later = entry.later;
    if (entry.later !== null) entry.later.earlier = entry.earlier;
    entry.earlier = null;
    entry.later = null;
    entry.dueAt = 0;
    this.#count--;
  }

  /** Nothing fires any more. */
  stop(): void {
    this.#cancelWake?.();
    this.#cancelWake = null;
    // Whatever is added from now on stays where it is.
    this.#wakeTick = -Infinity;
  }

  #wakeAt(tick: number): void {
    this.#cancelWake?.();
    this.#wakeTick = tick;
    this.#cancelWake = wake(Math.max(0, tick * TICK_MS - now()), () => this.#advance());
  }

  #advance(): void {
    const nowTick = Math.floor(now() / TICK_MS);
    this.#wakeTick = Infinity;
    this.#cancelWake = null;
    this.#isVisiting = true;
    // After a long stall one round visits everything.
    const from = Math.max(this.#tick + 1, nowTick - BUCKETS + 1);
    try {
      for (this.#tick = from; this.#tick <= nowTick; this.#tick++) this.#visit(this.#tick % BUCKETS, nowTick * TICK_MS);
    } finally {
      this.#isVisiting = false;
      this.#tick = nowTick;
      if (this.#count > 0 && this.#wakeTick === Infinity) this.#wakeAt(this.#nextTick());
    }
  }

  /** The next tick whose bucket has something; it may be for a later round. */
  #nextTick(): number {
    let tick = this.#tick + 1;
    while (this.#buckets[tick % BUCKETS] === null) tick++;
    return tick;
  }

  #visit(bucket: number, dueMs: number): void {
    const due: WheelEntry[] = [];
    for (let entry = this.#buckets[bucket] ?? null; entry !== null; entry = entry.later) {
      if (entry.dueAt <= dueMs) due.push(entry);
    }
    // By time, and those of one time in the order in which they were added: a bucket has its newest first.
    if (due.length > 1) due.reverse().sort((one, other) => one.dueAt - other.dueAt);
    for (const entry of due) {
      // An earlier one of this tick may have removed it, or put it off.
      if (entry.dueAt === 0 || entry.dueAt > dueMs) continue;
      this.remove(entry);
      if (entry instanceof Timer) entry.due();
      else this.onDue(entry);
    }
  }
}

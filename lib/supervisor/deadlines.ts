// One timer for all deadlines: a wheel of buckets, each a line of inputs that come due in the same tick. Adding and removing
// are a few pointer writes; a timer per input costs more than the rest of an ask. A deadline fires up to two ticks late.

/** What an entry must bring along; only the wheel writes the links. */
export interface Deadline<D> {
  /** 0 while it is not in the wheel. */
  deadlineAt: number;
  earlier: D | null;
  later: D | null;
}

const TICK_MS = 10;
const BUCKETS = 1_024;

export class Deadlines<D extends Deadline<D>> {
  readonly #onDue: (entry: D) => void;
  readonly #now: () => number;
  /** First entry of each bucket. A deadline beyond one round stays in its bucket until its round comes. */
  readonly #buckets = new Array<D | null>(BUCKETS).fill(null);
  #count = 0;
  #tick = 0;
  #timer: NodeJS.Timeout | null = null;

  /** `now` is the clock of the deadlines, in ms. */
  constructor(onDue: (entry: D) => void, now: () => number) {
    this.#onDue = onDue;
    this.#now = now;
  }

  add(entry: D, deadlineAt: number): void {
    if (this.#count++ === 0) this.#start();
    // Never into the bucket of the tick at hand: it may have been visited.
    entry.deadlineAt = Math.max(deadlineAt, (this.#tick + 1) * TICK_MS);
    const bucket = this.#bucketOf(entry);
    const first = this.#buckets[bucket] ?? null;
    entry.later = first;
    if (first !== null) first.earlier = entry;
    this.#buckets[bucket] = entry;
  }

  /** Does nothing for an entry that is not in the wheel. */
  remove(entry: D): void {
    if (entry.deadlineAt === 0) return;
    if (entry.earlier === null) this.#buckets[this.#bucketOf(entry)] = entry.later;
    else entry.earlier.later = entry.later;
    if (entry.later !== null) entry.later.earlier = entry.earlier;
    entry.earlier = null;
    entry.later = null;
    entry.deadlineAt = 0;
    this.#count--;
  }

  #bucketOf(entry: D): number {
    return Math.ceil(entry.deadlineAt / TICK_MS) % BUCKETS;
  }

  #start(): void {
    this.#tick = Math.floor(this.#now() / TICK_MS);
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.#advance(), TICK_MS);
    this.#timer.unref();
  }

  #advance(): void {
    const nowTick = Math.floor(this.#now() / TICK_MS);
    // After a long stall one round visits everything.
    const from = Math.max(this.#tick + 1, nowTick - BUCKETS + 1);
    this.#tick = nowTick;
    for (let tick = from; tick <= nowTick; tick++) this.#visit(tick % BUCKETS, nowTick * TICK_MS);
    if (this.#count === 0) this.stop();
  }

  #visit(bucket: number, dueMs: number): void {
    const due: D[] = [];
    for (let entry = this.#buckets[bucket] ?? null; entry !== null; entry = entry.later) {
      if (entry.deadlineAt <= dueMs) due.push(entry);
    }
    for (const entry of due) {
      // An earlier one of this tick may have removed it, or put it off.
      if (entry.deadlineAt === 0 || entry.deadlineAt > dueMs) continue;
      this.remove(entry);
      this.#onDue(entry);
    }
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

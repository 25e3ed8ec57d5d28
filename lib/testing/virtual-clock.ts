// A clock that stands still until a test moves it. What is due comes in the order of its time, and of its making where the times are equal,
// so that the same steps give the same run. Between two things that are due, all that they set off is let run to its end.

import { ORIGIN_MS } from '../protocol/clock.ts';
import type { TimeSource } from '../protocol/clock.ts';

interface Entry {
  readonly at: number;
  readonly seq: number;
  /** Null once it was called off: it stays in its place until its time comes. */
  due: (() => void) | null;
}

/** Where a simulated time begins, so that dates and schedules are the same in each run. Later than the machine's own clock. */
const EPOCH_MS = Date.UTC(2100, 0, 1);

/** Turns of the event loop in which nothing happens before it counts as idle. */
const QUIET_TURNS = 2;

/** How long `until` lets simulated time pass for a promise, unless it is told otherwise. */
const UNTIL_MS = 600_000;

/** How often `until` looks, a millisecond apart, whether the machine has done what a promise waits for. */
const MACHINE_LOOKS = 30_000;

// The machine's own, whatever a simulation puts in its place.
const realImmediate = setImmediate;
const realTimeout = setTimeout;
const realClearImmediate = clearImmediate;

export class VirtualClock implements TimeSource {
  #nowMs = EPOCH_MS - ORIGIN_MS;
  #made = 0;
  #waiting = 0;
  readonly #queue: Entry[] = [];
  #thrown: { thrown: unknown } | null = null;
  readonly #turns = new Set<NodeJS.Immediate>();

  /** Milliseconds on the clock of the runtime; `Date.now()` of a simulated day is `epochMs`. */
  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  get epochMs(): number {
    return ORIGIN_MS + this.#nowMs;
  }

  /** How many things wait for their time. */
  get size(): number {
    return this.#waiting;
  }

  wake(delayMs: number, due: () => void): () => void {
    const entry: Entry = { at: this.#nowMs + Math.max(0, delayMs), seq: this.#made++, due };
    push(this.#queue, entry);
    this.#waiting++;
    return () => {
      if (entry.due !== null) this.#waiting--;
      entry.due = null;
    };
  }

  /** Calls in the next turn of the event loop; `settle` waits for it. */
  turn(call: () => void): NodeJS.Immediate {
    const turn = realImmediate(() => {
      this.#turns.delete(turn);
      try {
        call();
      } catch (thrown) {
        this.#thrown ??= { thrown };
      }
    });
    this.#turns.add(turn);
    return turn;
  }

  cancelTurn(turn: NodeJS.Immediate): void {
    this.#turns.delete(turn);
    realClearImmediate(turn);
  }

  /** Lets all that has been set off run to its end, without time passing. Rejects with what a turn threw. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet = this.#turns.size > 0 ? 0 : quiet + 1) {
      await new Promise<void>((resolve) => void realImmediate(resolve));
    }
    const failure = this.#thrown;
    this.#thrown = null;
    if (failure !== null) throw failure.thrown;
  }

  /** Lets time pass: whatever comes due meanwhile happens at its time. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settle();
    while (await this.#next(endMs));
    this.#nowMs = endMs;
  }

  /** Lets time pass until the promise settles, and gives what it gives. Rejects when it does not within `withinMs` of simulated time (default ten minutes). */
  async until<T>(promise: Promise<T>, withinMs = UNTIL_MS): Promise<T> {
    const endMs = this.#nowMs + withinMs;
    let isSettled = false;
    const end = (): void => void (isSettled = true);
    promise.then(end, end);
    let looks = 0;
    await this.settle();
    while (!isSettled) {
      if (await this.#next(endMs)) continue;
      // Where nothing waits for time, it may wait for the machine: a module that is read from disk.
      if (this.#waiting > 0 || looks++ > MACHINE_LOOKS) throw new Error(`the promise is still pending after ${withinMs} ms`);
      await new Promise<void>((resolve) => void realTimeout(resolve, 1));
      await this.settle();
    }
    return promise;
  }

  /** Does what is due next, if it is by then. */
  async #next(endMs: number): Promise<boolean> {
    for (;;) {
      const [entry] = this.#queue;
      if (entry === undefined || entry.at > endMs) return false;
      pop(this.#queue);
      const { due } = entry;
      if (due === null) continue;
      entry.due = null;
      this.#waiting--;
      this.#nowMs = Math.max(this.#nowMs, entry.at);
      due();
      await this.settle();
      return true;
    }
  }
}

// --- a binary heap, the earliest first ---

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(entry, heap[parent] as Entry)) break;
    heap[at] = heap[parent] as Entry;
    at = parent;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
    if (!isBefore(heap[child] as Entry, last)) break;
    heap[at] = heap[child] as Entry;
    at = child;
  }
  heap[at] = last;
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.at === other.at ? one.seq < other.seq : one.at < other.at;
}

// What happened in a simulation, in order: the last of it to be read, all of it as one hash. Equal seeds give equal hashes.

import { createHash } from 'node:crypto';
import type { VirtualClock } from './virtual-clock.ts';

/** Kept to be read. */
const KEPT = 50;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #clock: VirtualClock;
  readonly #startMs: number;
  readonly #last: string[] = [];
  events = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    this.#startMs = clock.now();
  }

  add(event: string): void {
    const line = `${this.#clock.now() - this.#startMs} ms  ${event}`;
    this.#hash.update(`${line}\n`);
    this.#last[this.events++ % KEPT] = line;
  }

  /** The latest, the oldest of them first. */
  get last(): string[] {
    const from = this.events % KEPT;
    return this.events <= KEPT ? [...this.#last] : [...this.#last.slice(from), ...this.#last.slice(0, from)];
  }

  /** Once, at the end. */
  digest(): string {
    return this.#hash.digest('hex');
  }
}

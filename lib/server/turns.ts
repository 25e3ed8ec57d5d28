// Turns at the main loop for work that comes in long runs: one after the other, a slice for all of them together, and then the loop
// goes round. So whoever sends a gigabyte holds up neither another batch nor a request.

import { performance } from 'node:perf_hooks';
import { SLICE_MS } from '../limits.ts';

export class Turns {
  readonly #line: (() => void)[] = [];
  #startedAt = 0;

  /** Resolves when it is the caller's turn; it is over when `isOver` says so, or at the caller's next wait. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#line.push(resolve) === 1) setImmediate(this.#begin);
    });
  }

  /** Whether the slice is used up. */
  get isOver(): boolean {
    return performance.now() - this.#startedAt >= SLICE_MS;
  }

  readonly #begin = (): void => {
    this.#startedAt = performance.now();
    this.#pass();
  };

  readonly #pass = (): void => {
    this.#line.shift()?.();
    // As a microtask it comes after what the one before does in its turn.
    if (this.#line.length > 0) queueMicrotask(this.#goOn);
  };

  readonly #goOn = (): void => {
    if (this.isOver) setImmediate(this.#begin);
    else this.#pass();
  };
}

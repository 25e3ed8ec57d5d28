// Something long on an event loop that others need too: it works for a slice at a time, and gives the loop a turn in between.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { SLICE_MS } from '../limits.ts';
import { now } from './clock.ts';

export class Slices {
  #sinceMs = now();

  /** The slice is used up: time for `next`. */
  get isOver(): boolean {
    return now() - this.#sinceMs >= SLICE_MS;
  }

  /** Resolves when the loop has had its turn: the next slice begins. */
  async next(): Promise<void> {
    await nextTurn();
    this.#sinceMs = now();
  }
}

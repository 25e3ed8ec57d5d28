// When a source is read again by itself: once for any number of wishes, and the later the more often it was lately, so that neither a
// server that is down nor one that never stops changing is asked all the time.

import { performance } from 'node:perf_hooks';
import { jittered } from '../protocol/waits.ts';
import { FIRST_PAUSE_MS, MAX_PAUSE_MS } from './bounds.ts';

export class Again {
  readonly #run: () => void;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | null = null;
  #pauseMs = 0;
  #endedAtMs = -Infinity;

  /** @param now monotonic, in ms */
  constructor(run: () => void, now: () => number = () => performance.now()) {
    this.#run = run;
    this.#now = now;
  }

  /** It is to be run; does nothing when it will be anyway. */
  wish(): void {
    if (this.#timer !== null) return;
    const isCalm = this.#now() - this.#endedAtMs > 2 * this.#pauseMs;
    this.#pauseMs = isCalm ? FIRST_PAUSE_MS : Math.min(Math.max(2 * this.#pauseMs, FIRST_PAUSE_MS), MAX_PAUSE_MS);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#run();
    }, jittered(this.#pauseMs));
    // A process that has nothing else to do need not stay for it.
    this.#timer.unref();
  }

  /** A run begins that fulfils the wishes there are. */
  began(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A run has ended; from now on it is calm. */
  ended(): void {
    this.#endedAtMs = this.#now();
  }
}

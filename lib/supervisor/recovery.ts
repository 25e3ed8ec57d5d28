// After a restart: workers that had inputs without an outcome are loaded one after the other, and what waits for them runs. As many at
// a time as are worth it; all of them at once would be in memory, which is what the store is there to avoid.

import type { Logger } from '../observe/log.ts';
import { describeError } from '../observe/log.ts';
import type { InputListener } from './input.ts';
import type { Worker } from './worker.ts';

/** Workers that are being taken up again. */
const WORKERS_AT_ONCE = 256;
/** Inputs in flight beyond which no further worker is taken up. */
const INPUTS_AT_ONCE = 16_384;

/** What recovery needs of the runtime around it. */
export interface Recovering {
  /** Loads it; what a run before this one had begun is settled by that. */
  load(workerId: string): Worker | undefined;
  /** Has its inputs run. */
  offer(worker: Worker): void;
  inFlight(): number;
  /** The workers in memory take as much as they may. */
  isFull(): boolean;
}

export class Recovery implements InputListener {
  readonly #waiting: Iterator<string>;
  readonly #runtime: Recovering;
  readonly #log: Logger;
  #underWay = 0;
  #isOver = false;
  #isStepping = false;
  #workers = 0;

  constructor(waiting: Iterable<string>, runtime: Recovering, log: Logger) {
    this.#waiting = waiting[Symbol.iterator]();
    this.#runtime = runtime;
    this.#log = log;
  }

  /** The last input of a worker has ended, refused or not: there is room for another worker. */
  ended(): void {
    this.#underWay--;
    if (this.#isStepping || this.#isOver) return;
    this.#isStepping = true;
    setImmediate(() => this.step());
  }

  stop(): void {
    this.#isOver = true;
  }

  step(): void {
    this.#isStepping = false;
    while (!this.#isOver && this.#underWay < WORKERS_AT_ONCE && this.#mayGoOn) this.#next();
  }

  /** With none under way nobody would tell when there is room again. */
  get #mayGoOn(): boolean {
    return this.#underWay === 0 || (this.#runtime.inFlight() < INPUTS_AT_ONCE && !this.#runtime.isFull());
  }

  #next(): void {
    const next = this.#waiting.next();
    if (next.done === true) {
      this.#isOver = true;
      if (this.#workers > 0) this.#log.info({ workers: this.#workers }, 'waiting inputs taken up again');
      return;
    }
    const workerId = next.value;
    try {
      const worker = this.#runtime.load(workerId);
      const last = worker?.lastInput;
      if (worker === undefined || last === undefined || worker.actor.isMissing) return;
      this.#workers++;
      this.#underWay++;
      last.addListener(this);
      this.#runtime.offer(worker);
    } catch (thrown) {
      // One that cannot be loaded does not keep the others waiting; whoever asks for it is told.
      this.#log.error({ worker_id: workerId, ...describeError(thrown) }, 'worker could not be taken up again');
    }
  }
}

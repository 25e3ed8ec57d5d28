// After a restart: workers that had inputs without an outcome are loaded one after the other, and what waits for them runs. As many at
// a time as are worth it; all of them at once would be in memory, which is what the store is there to avoid.

import type { Logger } from '../observe/log.ts';
import { describeError } from '../observe/log.ts';
import type { Delivery } from './delivery.ts';
import type { Directory } from './directory.ts';
import type { InputListener } from './input.ts';
import type { Residence } from './residence.ts';
import type { Worker } from './worker.ts';

/** Workers that are being taken up again. */
const WORKERS_AT_ONCE = 256;
/** Inputs in flight beyond which no further worker is taken up. */
const INPUTS_AT_ONCE = 16_384;

export interface RecoveryParts {
  readonly directory: Directory<Worker>;
  readonly delivery: Delivery;
  readonly residence: Residence;
  readonly log: Logger;
}

export class Recovery implements InputListener {
  readonly #waiting: Iterator<string>;
  readonly #parts: RecoveryParts;
  #underWay = 0;
  #isOver = false;
  #isStepping = false;
  #workers = 0;

  /** @param waiting ids of workers */
  constructor(waiting: Iterable<string>, parts: RecoveryParts) {
    this.#waiting = waiting[Symbol.iterator]();
    this.#parts = parts;
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
    return (
      this.#underWay === 0 ||
      (this.#parts.delivery.capacity.load.messages < INPUTS_AT_ONCE && !this.#parts.residence.isFull)
    );
  }

  #next(): void {
    const next = this.#waiting.next();
    if (next.done === true) {
      this.#isOver = true;
      if (this.#workers > 0) this.#parts.log.info({ workers: this.#workers }, 'waiting inputs taken up again');
      return;
    }
    const workerId = next.value;
    try {
      const worker = this.#parts.directory.get(workerId);
      const last = worker?.lastInput;
      if (worker === undefined || last === undefined || worker.actor.isMissing) return;
      this.#workers++;
      this.#underWay++;
      last.addListener(this);
      this.#parts.delivery.lending.offer(worker);
    } catch (thrown) {
      // One that cannot be loaded does not keep the others waiting; whoever asks for it is told.
      this.#parts.log.error({ worker_id: workerId, ...describeError(thrown) }, 'worker could not be taken up again');
    }
  }
}

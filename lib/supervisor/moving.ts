// Empties a host: each worker leaves it between two of its inputs, as if to hibernate, and goes on where there is room, with what its state
// has. From the start nothing more is sent to the host; what is there ends there, and what waits runs on the next one, in order.
//
//   in the middle of an input ──▶ between two ──▶ has inputs, or never rests ──▶ starts on another host
//                                      └──────▶ idle ──▶ hibernates, and is started by its next input
//
// What an actor holds in memory only is gone after a move: so those that asked to stay awake, or have channels, are the last to go.

import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { now } from '../protocol/clock.ts';
import { Slices } from '../protocol/slices.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { HostSlot } from './host-slot.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Worker } from './worker.ts';

/** Workers that one call puts away. */
const BATCH = 256;
/** Such calls at a time. One whose `stopped` does not end holds up one of them. */
const BATCHES_AT_ONCE = 4;
/** Between two looks at who has come to the end of an input. Whoever has another one waiting is not looked for, but moved at once. */
const LOOK_EVERY_MS = 20;

export interface MovingParts {
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  readonly wheel: Wheel;
  /** Something keeps it awake though it is idle. */
  isKept(worker: Worker): boolean;
}

export class Moving {
  readonly #parts: MovingParts;
  readonly #slot: HostSlot;
  /** Those that have something to do, found since the last turn of the loop. */
  #waiting: Worker[] = [];
  /** Settled when there is nothing more to wait for. */
  #giveUp: () => void = () => undefined;
  #isOver = false;

  constructor(parts: MovingParts, slot: HostSlot) {
    this.#parts = parts;
    this.#slot = slot;
  }

  /** Resolves true when the host is empty; false if it is dead, or if it is not empty within the time, or when `stop` is called. */
  async empty(withinMs: number): Promise<boolean> {
    const { wheel } = this.#parts;
    const slot = this.#slot;
    const over = new Promise<void>((resolve) => (this.#giveUp = resolve));
    const deadline = wheel.after(withinMs, () => this.stop());
    void slot.host.exited.then(() => this.stop());
    slot.onWaiting = (worker) => this.#moveSoon(worker);
    // Those that are kept awake get half of the time.
    const keptUntil = now() + withinMs / 2;
    try {
      for (;;) {
        await Promise.race([this.#passSafely(keptUntil), over]);
        if (slot.workerCount === 0) return true;
        if (this.#isOver) return false;
        await wheel.within(LOOK_EVERY_MS, over);
      }
    } finally {
      deadline.cancel();
      this.#isOver = true;
    }
  }

  /** Gives up. */
  stop(): void {
    this.#isOver = true;
    this.#giveUp();
  }

  /** What fails is looked at again: in the end the deadline tells. */
  async #passSafely(keptUntil: number): Promise<void> {
    try {
      await this.#pass(keptUntil);
    } catch (thrown) {
      this.#onFailure(thrown);
    }
  }

  #onFailure(thrown: unknown): void {
    this.#parts.log.error({ host_id: this.#slot.host.hostId, ...describeError(thrown) }, 'workers could not be moved');
  }

  /** Moves all that can leave now. */
  async #pass(keptUntil: number): Promise<void> {
    const slices = new Slices();
    const leaving: Worker[] = [];
    const kept: Worker[] = [];
    for (const worker of [...this.#slot.workers]) {
      if (slices.isOver) await slices.next();
      if (worker?.host !== this.#slot || !worker.isBetweenInputs) continue;
      (worker.inputs === 0 && this.#parts.isKept(worker) ? kept : leaving).push(worker);
    }
    const areAlone = kept.length === this.#slot.workerCount;
    await this.#moveAll(areAlone || now() >= keptUntil ? [...leaving, ...kept] : leaving);
  }

  async #moveAll(workers: readonly Worker[]): Promise<void> {
    let next = 0;
    const moveInTurn = async (): Promise<void> => {
      while (next < workers.length && !this.#isOver) await this.#move(workers.slice(next, (next += BATCH)));
    };
    await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, moveInTurn));
  }

  #moveSoon(worker: Worker): void {
    if (this.#isOver || this.#waiting.push(worker) > 1) return;
    setImmediate(() => {
      const workers = this.#waiting;
      this.#waiting = [];
      this.#move(workers).catch((thrown: unknown) => this.#onFailure(thrown));
    });
  }

  #move(workers: readonly Worker[]): Promise<void> {
    const parts = this.#parts;
    const staysAwake = (worker: Worker) => worker.actor.idleAfterMs === 0 || parts.isKept(worker);
    return parts.lifecycle.move(this.#slot, workers, staysAwake);
  }
}

// The death of a worker that is well, because one that it belongs to has died: it leaves its host in order and starts again from its state.
//
//    what it runs goes on to its end, or is cancelled after a time ─▶ `stopped` ─▶ off its host ─▶ what a death means for it (dying.ts)
//
// What its host has not begun is taken back and waits, with all that comes meanwhile: it runs after the restart, and nothing is lost.

import type { Limits } from '../limits.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { Death } from './deaths.ts';
import type { Delivery } from './delivery.ts';
import type { Worker } from './worker.ts';

export interface RenewingParts {
  readonly limits: Limits;
  readonly wheel: Wheel;
  delivery(): Delivery;
  /** Takes the worker off its host, and goes on with `next` if it is not to be stopped. */
  putAway(worker: Worker, next: () => void): void;
  afterDeath(worker: Worker, death: Death, isCharged: boolean): void;
}

interface Renewal {
  readonly death: Death;
  readonly isCharged: boolean;
  timer: WheelTimer;
}

export class Renewing {
  readonly #parts: RenewingParts;
  readonly #renewals = new Map<Worker, Renewal>();

  constructor(parts: RenewingParts) {
    this.#parts = parts;
  }

  /** For a worker that its host has loaded, and that is not to be stopped. */
  begin(worker: Worker, death: Death, isCharged: boolean): void {
    const { limits, wheel } = this.#parts;
    worker.presence = 'renewing';
    const timer = wheel.after(limits.stopTimeoutMs, () => this.#hurry(worker));
    this.#renewals.set(worker, { death, isCharged, timer });
    if (worker.inputs > 0) this.#parts.delivery().recallUnstarted(worker);
    this.proceed(worker);
  }

  /** Goes on if its host has nothing of it any more. */
  proceed(worker: Worker): void {
    const renewal = this.#renewals.get(worker);
    if (renewal === undefined || worker.hasLentInputs) return;
    this.forget(worker);
    worker.mailbox.recall();
    worker.presence = 'leaving';
    this.#parts.putAway(worker, () => this.#parts.afterDeath(worker, renewal.death, renewal.isCharged));
  }

  /** It has left its host otherwise: that has died. */
  forget(worker: Worker): void {
    this.#renewals.get(worker)?.timer.cancel();
    this.#renewals.delete(worker);
  }

  /** What it runs takes too long. After the grace its host is killed; then that is its death. */
  #hurry(worker: Worker): void {
    const { limits, wheel } = this.#parts;
    const renewal = this.#renewals.get(worker);
    if (renewal === undefined) return;
    const { cancelling } = this.#parts.delivery();
    for (const record of worker.sentInputs()) cancelling.cancel(worker, record, renewal.death.cause);
    renewal.timer = wheel.after(limits.cancelGraceMs, () => this.#hurry(worker));
  }
}

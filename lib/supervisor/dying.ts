// What a death means for a worker: what becomes of the inputs that were at its host, and whether it comes back. The policy is in
// restarts.ts; starting and stopping are the lifecycle's.
//
//    host died ─▶ who was it? (deaths.ts) ─▶ each worker on it: its inputs settled ─▶ comes back, after a pause, or is given up

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import type { Crash, HostExit } from '../host/host.ts';
import type { Limits } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { epochNow } from '../protocol/clock.ts';
import type { KillCertificate } from '../protocol/views.ts';
import type { Wheel } from '../protocol/wheel.ts';
import { crashDeath, mayGivePlace } from './crashing.ts';
import { closedDeath, whatDied } from './deaths.ts';
import type { Death } from './deaths.ts';
import type { Delivery } from './delivery.ts';
import type { HostSlot } from './host-slot.ts';
import type { InputRecord } from './input.ts';
import { decideRestart, recentDeaths } from './restarts.ts';
import type { RestartBudget } from './restarts.ts';
import type { Worker } from './worker.ts';

/** What became of an input that a dead host held. */
export interface SettledInput {
  readonly inputId: string;
  /** `again`: it runs once more. `waiting`: it had not started, and waits as before. */
  readonly became: KillCertificate['inputs'][number]['became'];
}

/** A worker that was on a dead host. */
export interface Hit {
  readonly worker: Worker;
  readonly inputs: readonly SettledInput[];
}

/** What others have to know of deaths. */
export interface DeathListener {
  /** A host has died: all inputs that it held are settled, and what becomes of its workers is decided. */
  onDeath?(slot: HostSlot, exit: HostExit, death: Death, hits: readonly Hit[]): void;
  /** It has died and will be started again, at once or after a pause. Called before it is started. */
  onRestarting?(worker: Worker): void;
  /** It is `failed` now: its restarts are used up, or its actor wants none. */
  onGaveUp?(worker: Worker, error: WireError): void;
}

/** What follows a death elsewhere. */
export interface DyingParts extends DeathListener {
  readonly limits: Limits;
  readonly log: Logger;
  readonly wheel: Wheel;
  delivery(): Delivery;
  start(worker: Worker): void;
  /** `mayReuse`: its place on the host may be given to another. */
  unseat(slot: HostSlot, worker: Worker, mayReuse: boolean): void;
  /** It was stopping: its death is as good an end. */
  finishStop(worker: Worker): void;
  /** It has failed. */
  onEnding(worker: Worker): void;
}

export class Dying {
  readonly #parts: DyingParts;
  readonly #budget: RestartBudget;
  /** Hosts that were killed since the start. */
  kills = 0;

  constructor(parts: DyingParts) {
    this.#parts = parts;
    const { maxRestarts, restartWindowMs } = parts.limits;
    this.#budget = { maxRestarts, windowMs: restartWindowMs };
  }

  onDied(slot: HostSlot, exit: HostExit): void {
    if (exit.type === 'killed') this.kills++;
    const death = whatDied(slot, exit);
    const hit = slot.workers.filter((worker) => worker !== undefined);
    this.#logDeath(slot, exit, death, hit);
    const hits: Hit[] = [];
    for (const worker of hit) {
      const isSuspect = death.culprits.includes(worker);
      hits.push({ worker, inputs: worker.inputs > 0 ? this.settleInterrupted(worker, death) : [] });
      this.#parts.unseat(slot, worker, false);
      // A kill that somebody ordered to end an input is not the worker's failure.
      this.afterDeath(worker, death, isSuspect && death.cause !== 'cancel_grace');
      worker.settleStart();
    }
    this.#parts.onDeath?.(slot, exit, death, hits);
  }

  /** One worker has crashed, and its host lives on. */
  crashed(slot: HostSlot, worker: Worker, crash: Crash): void {
    const death = crashDeath(slot, worker, crash);
    const { workerId, kind } = worker;
    const fields = { worker_id: workerId, kind, host_id: slot.host.hostId, cause: crash.cause, ...crash.error };
    this.#parts.log.error(fields, 'worker crashed');
    if (worker.inputs > 0) this.settleInterrupted(worker, death);
    this.#parts.unseat(slot, worker, mayGivePlace(worker));
    this.afterDeath(worker, death, true);
    worker.settleStart();
    // What it was to be sent took room.
    this.#delivery.lending.offerBlocked(slot);
  }

  /** What had started ends as the actor says; what had not goes back into the line. Tells what became of each. */
  settleInterrupted(worker: Worker, death: Death): SettledInput[] {
    const lent = [...worker.mailbox.lentMessages()];
    const lastStarted = lent.findIndex((record) => worker.hasStarted(record));
    const settled = lent.map((record, at) => ({
      inputId: record.inputId,
      became: at > lastStarted ? this.#takeBack(record) : this.#settleStarted(worker, record, death),
    }));
    worker.mailbox.recall();
    return settled;
  }

  #takeBack(record: InputRecord): SettledInput['became'] {
    const { cancelReason, isExpired } = record;
    this.#delivery.reclaim(record);
    return cancelReason === null && !isExpired ? 'waiting' : 'cancelled';
  }

  #settleStarted(worker: Worker, record: InputRecord, death: Death): SettledInput['became'] {
    const delivery = this.#delivery;
    const late = delivery.cancelling.runTimes.errorOf(record, death.cause === 'handler_timeout');
    if (late !== null) {
      delivery.endInterrupted(worker, record, 'failed', late);
      return 'failed';
    }
    if (record.cancelReason !== null) {
      const details = {
        reason: record.cancelReason,
        ...(death.cause === 'cancel_grace' && { killed: true, ...death.details }),
      };
      delivery.endInterrupted(worker, record, 'cancelled', GreenroomError.of('cancelled', { details }).toWire());
      return 'cancelled';
    }
    if (worker.actor.definition.onInterrupt === 'retry' && worker.stopping === null && !record.isExpired) {
      record.attempt++;
      delivery.lending.waitAgain(record);
      return 'again';
    }
    delivery.endInterrupted(worker, record, 'unknown', death.error);
    return 'unknown';
  }

  /** `isCharged`: it counts against the worker's restart budget. */
  afterDeath(worker: Worker, death: Death, isCharged: boolean): void {
    worker.failure = death.error;
    if (worker.status === 'stopping') {
      this.#delivery.failWaiting(worker, 'cancelled', 'cancelled');
      this.#parts.finishStop(worker);
      return;
    }
    if (isCharged) worker.chargeDeath((deathsMs, nowMs) => recentDeaths(deathsMs, nowMs, this.#budget));
    // The same state and the same code would fail again: the worker, and what the store keeps for it, wait for somebody to mend one of
    // them and to restore it.
    if (death.error.code === 'migration_failed') {
      this.#giveUp(worker, death, true);
      return;
    }
    const decision = isCharged
      ? decideRestart(worker.deathsMs, this.#budget)
      : ({ type: 'restart', delayMs: 0 } as const);
    if (decision.type === 'giveUp') {
      this.#giveUp(worker, death, false);
      return;
    }
    worker.apply('died');
    worker.restarts++;
    const data = JSON.stringify({
      cause: death.cause,
      restarts: worker.restarts,
      delay_ms: decision.delayMs,
      ...death.details,
    });
    worker.store.append('restarted', epochNow(), 0, data);
    this.#parts.onRestarting?.(worker);
    if (decision.delayMs === 0) this.#parts.start(worker);
    else worker.restartTimer = this.#parts.wheel.after(decision.delayMs, () => this.#restartAfterPause(worker));
  }

  #restartAfterPause(worker: Worker): void {
    worker.restartTimer = null;
    this.#parts.start(worker);
  }

  #giveUp(worker: Worker, death: Death, isWorthWaiting: boolean): void {
    worker.apply('gaveUp');
    worker.clearRestart();
    this.#parts.onEnding(worker);
    this.#parts.log.error(
      { worker_id: worker.workerId, kind: worker.kind, cause: death.cause, deaths: worker.deathsMs.length },
      'worker failed',
    );
    worker.store.saveRest('failed', death.error);
    worker.store.append('failed', epochNow(), 0, JSON.stringify({ ...death.error, deaths: worker.deathsMs.length }));
    this.#delivery.failWaiting(worker, 'worker_failed', 'failed', isWorthWaiting);
    this.#parts.onGaveUp?.(worker, death.error);
  }

  #logDeath(slot: HostSlot, exit: HostExit, death: Death, hit: readonly Worker[]): void {
    if (exit.type === 'closed') return;
    const fields = {
      host_id: slot.host.hostId,
      cause: death.cause,
      ...death.details,
      culprits: death.culprits.map((worker) => worker.workerId),
      workers_hit: hit.length,
      ...(exit.error !== null && exit.type === 'crashed' && describeError(exit.error)),
    };
    this.#parts.log.error(fields, exit.type === 'killed' ? 'host killed' : 'host died');
  }

  /** All hosts were closed, at the end of the runtime: what had begun there is settled. */
  settleClosed(worker: Worker): void {
    if (worker.inputs > 0) this.settleInterrupted(worker, closedDeath());
  }

  get #delivery(): Delivery {
    return this.#parts.delivery();
  }
}

// The life of a worker: start, death, restart, stop. Decides by the state table and the restart policy; the inputs that are
// concerned are settled by the delivery.
//
//    createAll ─▶ hibernated ◀─────┐ idle for long
//                 │ input          │
//    create ─▶ starting ─▶ idle ───┴⇄ running ─▶ stopping ─▶ stopped ─▶ (restore) starting
//                 │          └──────┬──────────▲
//                 └──── host died ──▼          │ stop
//                              restarting ─────┤
//                                   └─ too often ─▶ failed ─▶ (restore) starting

import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import type { HostExit, StartedState } from '../host/host.ts';
import type { Limits } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { now } from '../protocol/clock.ts';
import type { StopAck } from '../protocol/views.ts';
import type { Delivery } from './delivery.ts';
import type { HostListener, Hosts, HostSlot } from './hosts.ts';
import { decideRestart, recentDeaths } from './restarts.ts';
import type { RestartBudget } from './restarts.ts';
import { closedDeath, whatDied } from './deaths.ts';
import type { Death } from './deaths.ts';
import { newStopping } from './stopping.ts';
import type { StopRequest } from './stopping.ts';
import type { Worker } from './worker.ts';

/** What others have to know. */
export interface LifecycleEvents {
  /** A worker has left its host: it was stopped or hibernates, could not start, or its host has died. */
  onLeft(workerId: string): void;
  /** A worker is being stopped, or has failed. */
  onEnding(worker: Worker): void;
  /** A worker hibernates, and has nothing to do. */
  onRested(worker: Worker): void;
}

export class Lifecycle implements HostListener {
  readonly #limits: Limits;
  readonly #log: Logger;
  readonly #budget: RestartBudget;
  readonly #events: LifecycleEvents;
  /** Hosts that were killed since the start. */
  kills = 0;
  #hosts!: Hosts;
  #delivery!: Delivery;

  constructor(limits: Limits, log: Logger, events: LifecycleEvents) {
    this.#events = events;
    this.#limits = limits;
    this.#log = log;
    this.#budget = { maxRestarts: limits.maxRestarts, windowMs: limits.restartWindowMs };
  }

  /** The three know each other; the supervisor introduces them. */
  connect(hosts: Hosts, delivery: Delivery): void {
    this.#hosts = hosts;
    this.#delivery = delivery;
  }

  // --- start ---

  start(worker: Worker): void {
    this.#hosts.start(worker);
  }

  /** An input came for a worker that is on no host: it is started like any other, and its inputs wait for that. */
  wake(worker: Worker): void {
    worker.apply('woken');
    this.start(worker);
  }

  onStarted(worker: Worker, { state, stateVersion }: StartedState): void {
    worker.presence = 'here';
    worker.forgetFailure();
    if (state !== null) worker.store.saveState(state, stateVersion);
    // A stop may have come while it was starting; then it goes on from here.
    if (worker.status !== 'stopping') worker.apply('started');
    worker.idleSince(now());
    worker.settleStart();
    if (worker.inputs > 0) this.#delivery.lending.offer(worker);
    this.#finishStopIfDrained(worker);
  }

  onStartFailed(worker: Worker, error: WireError): void {
    if (worker.host !== null) this.#unseat(worker.host, worker, true);
    this.#afterDeath(worker, { cause: 'start_failed', error, culprits: [worker] }, true);
    worker.settleStart();
  }

  /** From `failed`, `stopped` or `hibernated`; the restart budget is whole again. */
  restore(worker: Worker): void {
    worker.store.saveRest('hibernated', null);
    worker.apply('restored');
    worker.forgetDeaths();
    worker.forgetFailure();
    worker.stopping = null;
    this.start(worker);
  }

  // --- hibernation ---

  /**
   * Puts idle workers of one host away; what comes for them meanwhile waits and wakes them. Those that are not idle are left alone.
   * Resolves when the others have left their host.
   */
  async hibernate(slot: HostSlot, workers: readonly Worker[]): Promise<void> {
    const leaving = workers.filter((worker) => worker.host === slot && worker.isIdle);
    for (const worker of leaving) worker.presence = 'leaving';
    // A `stopped` may take its time, so its worker goes alone; all others are one call.
    const quiet = leaving.filter(({ actor }) => actor.definition.stopped === undefined);
    const others = leaving.filter(({ actor }) => actor.definition.stopped !== undefined).map((worker) => [worker]);
    await Promise.all((quiet.length > 0 ? [quiet, ...others] : others).map((group) => this.#putAway(slot, group)));
  }

  /** At the end of the runtime: has its `stopped` run, whatever waits for it in the store. Not if it is in the middle of an input. */
  async leave(worker: Worker): Promise<void> {
    const { host } = worker;
    if (host === null || !worker.isLoaded || worker.stopping !== null || worker.mailbox.lent > 0) return;
    worker.presence = 'leaving';
    await this.#unload(host, [worker]);
  }

  /** All hosts were closed, at the end of the runtime: what had begun there is settled, what had not runs after the next start. */
  settleClosed(worker: Worker): void {
    if (worker.inputs > 0) this.#settleInterrupted(worker, closedDeath());
    if (worker.status === 'stopping') {
      this.#delivery.failWaiting(worker, 'cancelled', 'cancelled');
      this.#finishStop(worker);
    }
    worker.settleStart();
  }

  async #putAway(slot: HostSlot, workers: readonly Worker[]): Promise<void> {
    const isClean = await this.#unload(slot, workers);
    for (const worker of workers) {
      // If its host died meanwhile, it is starting again, or has stopped.
      if (worker.host !== slot || worker.presence !== 'leaving') continue;
      this.#unseat(slot, worker, isClean);
      if (worker.status === 'stopping') this.#stopPutAway(worker);
      else this.#rest(worker);
    }
  }

  #rest(worker: Worker): void {
    worker.apply('rested');
    if (worker.inputs > 0) this.#delivery.lending.offer(worker);
    else this.#events.onRested(worker);
  }

  /** A stop came while it was leaving. What it is to run first needs it back. */
  #stopPutAway(worker: Worker): void {
    if (worker.inputs > 0) this.start(worker);
    else this.#finishStop(worker);
  }

  // --- death ---

  onDied(slot: HostSlot, exit: HostExit): void {
    if (exit.type === 'killed') this.kills++;
    const death = whatDied(slot, exit);
    const hit = slot.workers.filter((worker) => worker !== undefined);
    this.#logDeath(slot, exit, death, hit);
    for (const worker of hit) {
      const isSuspect = death.culprits.includes(worker);
      if (worker.inputs > 0) this.#settleInterrupted(worker, death);
      this.#unseat(slot, worker, false);
      // A kill that somebody ordered to end an input is not the worker's failure.
      this.#afterDeath(worker, death, isSuspect && death.cause !== 'cancel_grace');
      worker.settleStart();
    }
  }

  /** What had started ends as the actor says; what had not goes back into the line. */
  #settleInterrupted(worker: Worker, death: Death): void {
    const lent = [...worker.mailbox.lentMessages()];
    const lastStarted = lent.findIndex((record) => worker.hasStarted(record));
    lent.forEach((record, at) => {
      if (at > lastStarted) this.#delivery.reclaim(record);
      else if (record.cancelReason !== null) {
        const details = {
          reason: record.cancelReason,
          ...(death.cause === 'cancel_grace' && { killed: true, ...death.details }),
        };
        this.#delivery.endInterrupted(
          worker,
          record,
          'cancelled',
          GreenroomError.of('cancelled', { details }).toWire(),
        );
      } else if (worker.actor.definition.onInterrupt === 'retry' && worker.stopping === null && !record.isExpired) {
        record.attempt++;
        this.#delivery.lending.waitAgain(record);
      } else {
        this.#delivery.endInterrupted(worker, record, 'unknown', death.error);
      }
    });
    worker.mailbox.recall();
  }

  #afterDeath(worker: Worker, death: Death, isCharged: boolean): void {
    worker.failure = death.error;
    if (worker.status === 'stopping') {
      this.#delivery.failWaiting(worker, 'cancelled', 'cancelled');
      this.#finishStop(worker);
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
    worker.store.append('restarted', Date.now(), 0, data);
    if (decision.delayMs === 0) this.start(worker);
    else worker.restartTimer = setTimeout(() => this.#restartAfterPause(worker), decision.delayMs);
  }

  #restartAfterPause(worker: Worker): void {
    worker.restartTimer = null;
    this.start(worker);
  }

  #giveUp(worker: Worker, death: Death, isWorthWaiting: boolean): void {
    worker.apply('gaveUp');
    worker.clearRestart();
    this.#events.onEnding(worker);
    this.#log.error(
      { worker_id: worker.workerId, kind: worker.kind, cause: death.cause, deaths: worker.deathsMs.length },
      'worker failed',
    );
    worker.store.saveRest('failed', death.error);
    worker.store.append('failed', Date.now(), 0, JSON.stringify({ ...death.error, deaths: worker.deathsMs.length }));
    this.#delivery.failWaiting(worker, 'worker_failed', 'failed', isWorthWaiting);
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
    this.#log.error(fields, exit.type === 'killed' ? 'host killed' : 'host died');
  }

  // --- stop ---

  /** Resolves once the worker has stopped. The caller has looked at the state table. */
  stop(worker: Worker, request: StopRequest): Promise<StopAck> {
    const stopping = newStopping(request);
    const { isLoaded } = worker;
    worker.stopping = stopping;
    worker.apply('stopRequested');
    worker.clearRestart();
    this.#events.onEnding(worker);
    if (!isLoaded && worker.host === null) {
      this.#delivery.failWaiting(worker, 'cancelled', 'cancelled');
      this.#finishStop(worker);
    } else if (request.drain === true) {
      const deadlineMs = request.deadlineMs ?? this.#limits.stopTimeoutMs;
      stopping.timer = setTimeout(() => this.#delivery.cancelling.cancelAll(worker, 'stop deadline'), deadlineMs);
      this.#delivery.lending.offer(worker);
    } else {
      this.#delivery.cancelling.cancelAll(worker, request.reason ?? 'stop');
    }
    this.#finishStopIfDrained(worker);
    return stopping.ack;
  }

  onDrained(worker: Worker): void {
    this.#finishStopIfDrained(worker);
  }

  #finishStopIfDrained(worker: Worker): void {
    const { stopping, host } = worker;
    if (worker.status !== 'stopping' || stopping === null || worker.inputs > 0) return;
    if (!worker.isLoaded || host === null || stopping.isUnloading) return;
    stopping.isUnloading = true;
    void this.#stopOnHost(worker, host);
  }

  async #stopOnHost(worker: Worker, slot: HostSlot): Promise<void> {
    const isClean = await this.#unload(slot, [worker]);
    if (worker.host !== slot || worker.status !== 'stopping') return;
    this.#unseat(slot, worker, isClean);
    this.#finishStop(worker);
  }

  /** False if their places on the host are not to be used again: `stopped` does not end, or the host died, which is told elsewhere. */
  async #unload(slot: HostSlot, workers: readonly Worker[]): Promise<boolean> {
    try {
      await slot.host.stopWorkers(workers.map((worker) => worker.slot));
      return true;
    } catch (thrown) {
      if (asGreenroomError(thrown).code === 'timeout')
        this.#log.warn({ worker_id: workers[0]?.workerId, workers: workers.length }, 'stopped() did not end in time');
      return false;
    }
  }

  #unseat(slot: HostSlot, worker: Worker, mayReuse: boolean): void {
    slot.unseat(worker, mayReuse);
    this.#events.onLeft(worker.workerId);
  }

  #finishStop(worker: Worker): void {
    const { stopping } = worker;
    if (stopping === null) return;
    if (stopping.timer !== null) clearTimeout(stopping.timer);
    worker.apply('stopFinished');
    worker.settleStart();
    const { drained, cancelled, refused, reason } = stopping;
    const ack: StopAck = {
      workerId: worker.workerId,
      status: worker.status,
      drained,
      cancelled,
      refused,
      ...(reason !== null && { reason }),
    };
    worker.store.saveRest('stopped', null);
    worker.store.append('stopped', Date.now(), 0, JSON.stringify({ drained, cancelled, refused, reason }));
    stopping.resolve(ack);
  }
}

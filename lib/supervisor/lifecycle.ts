// The life of a worker: start, hibernation, stop, by the state table. What a death means is in dying.ts; the inputs that are concerned are
// settled by the delivery.
//
//    createAll ─▶ hibernated ◀─────┐ idle for long
//                 │ input          │
//    create ─▶ starting ─▶ idle ───┴⇄ running ─▶ stopping ─▶ stopped ─▶ (restore) starting
//                 │          └──────┬──────────▲
//                 └──── host died ──▼          │ stop
//                              restarting ─────┤
//                                   ├─ too often ─▶ failed ─▶ (restore) starting
//                                   └─ it wants no restart ─▶ stopped

import { asGreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import type { Crash, HostExit, StartedState } from '../host/host.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { epochNow, now } from '../protocol/clock.ts';
import type { StopAck } from '../protocol/views.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { Delivery } from './delivery.ts';
import type { HostSlot } from './host-slot.ts';
import type { HostListener, Hosts } from './hosts.ts';
import { Dying } from './dying.ts';
import type { DeathListener } from './dying.ts';
import type { SupervisorOptions } from './options.ts';
import { Renewing } from './renewing.ts';
import { newStopping, stoppedEntry } from './stopping.ts';
import type { StopRequest } from './stopping.ts';
import type { Worker } from './worker.ts';

/** What others have to know. */
export interface LifecycleEvents extends DeathListener {
  /** A worker has left its host: it was stopped or hibernates, could not start, or its host has died. */
  onLeft(workerId: string): void;
  /** A worker is being stopped, or has failed. */
  onEnding(worker: Worker): void;
  /** A worker has stopped. */
  onStopped(worker: Worker): void;
  /** A worker hibernates, and has nothing to do. */
  onRested(worker: Worker): void;
  /** A worker did not end in an orderly way: its `stopped` did not end, it was cancelled at a deadline, or its host died. */
  onUnclean(worker: Worker, reason: 'stop_timeout' | 'cancelled' | 'killed'): void;
}

export class Lifecycle implements HostListener {
  readonly #limits: Limits;
  readonly #log: Logger;
  readonly #wheel: Wheel;
  readonly #events: LifecycleEvents;
  readonly dying: Dying;
  readonly renewing: Renewing;
  #hosts!: Hosts;
  #delivery!: Delivery;

  /** `random`: for the jitter of pauses. */
  constructor(
    { limits, log, wheel, random }: Pick<SupervisorOptions, 'limits' | 'log' | 'wheel' | 'random'>,
    events: LifecycleEvents,
  ) {
    this.#wheel = wheel;
    this.#events = events;
    this.#limits = limits;
    this.#log = log;
    this.renewing = new Renewing({
      limits,
      wheel,
      delivery: () => this.#delivery,
      putAway: (worker, next) => void (worker.host !== null && this.#putAway(worker.host, [worker], next)),
      afterDeath: (worker, death, isCharged) => this.dying.afterDeath(worker, death, isCharged),
    });
    this.dying = new Dying({
      limits,
      log,
      wheel,
      random,
      delivery: () => this.#delivery,
      start: (worker) => this.start(worker),
      unseat: (slot, worker, mayReuse) => this.#unseat(slot, worker, mayReuse),
      finishStop: (worker) => this.#finishStop(worker),
      onEnding: (worker) => events.onEnding(worker),
      onRestarting: (worker, death) => events.onRestarting?.(worker, death),
      onRetired: (worker) => events.onRetired?.(worker),
      onGaveUp: (worker, error) => events.onGaveUp?.(worker, error),
    });
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
    const details = { host_id: worker.host?.host.hostId ?? null };
    if (worker.host !== null) this.#unseat(worker.host, worker, true);
    this.dying.afterDeath(worker, { cause: 'start_failed', error, culprits: [worker], details }, true);
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
    const idle = workers.filter((worker) => worker.host === slot && worker.isIdle);
    await this.#putAwayAll(slot, idle, (worker) => this.#rest(worker));
  }

  /**
   * Takes workers of one host away between two inputs: those that have something to do, or are to stay awake, start on another host, the
   * others hibernate. Those that are in the middle of an input are left alone. Resolves when the others have left their host.
   */
  async move(slot: HostSlot, workers: readonly Worker[], staysAwake: (worker: Worker) => boolean): Promise<void> {
    const leaving = workers.filter((worker) => worker.host === slot && worker.isBetweenInputs);
    // Asked now: what keeps a worker awake is forgotten when it leaves.
    const awake = new Set(leaving.filter(staysAwake));
    await this.#putAwayAll(slot, leaving, (worker) => {
      if (worker.status === 'idle' && worker.inputs === 0 && !awake.has(worker)) this.#rest(worker);
      else this.#startElsewhere(worker);
    });
  }

  #startElsewhere(worker: Worker): void {
    worker.apply('moved');
    this.start(worker);
  }

  /** Those that have left, and are not to be stopped, go on with `next`. */
  async #putAwayAll(slot: HostSlot, leaving: readonly Worker[], next: (worker: Worker) => void): Promise<void> {
    for (const worker of leaving) worker.presence = 'leaving';
    // A `stopped` may take its time, so its worker goes alone; all others are one call.
    const quiet = leaving.filter(({ actor }) => actor.definition.stopped === undefined);
    const others = leaving.filter(({ actor }) => actor.definition.stopped !== undefined).map((worker) => [worker]);
    const groups = quiet.length > 0 ? [quiet, ...others] : others;
    await Promise.all(groups.map((group) => this.#putAway(slot, group, next)));
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
    this.dying.settleClosed(worker);
    if (worker.status === 'stopping') this.releaseStop(worker, 0);
    worker.settleStart();
  }

  async #putAway(slot: HostSlot, workers: readonly Worker[], next: (worker: Worker) => void): Promise<void> {
    const isClean = await this.#unload(slot, workers);
    for (const worker of workers) {
      // If its host died meanwhile, it is starting again, or has stopped.
      if (worker.host !== slot || worker.presence !== 'leaving') continue;
      this.#unseat(slot, worker, isClean);
      if (worker.status === 'stopping') this.#stopPutAway(worker);
      else next(worker);
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

  onDied(slot: HostSlot, exit: HostExit): void {
    if (exit.type !== 'closed')
      for (const worker of slot.workers) if (worker !== undefined) this.#events.onUnclean(worker, 'killed');
    this.dying.onDied(slot, exit);
  }

  onCrashed(slot: HostSlot, worker: Worker, crash: Crash): void {
    this.#events.onUnclean(worker, 'killed');
    this.dying.crashed(slot, worker, crash);
  }

  // --- stop ---

  /**
   * Resolves once the worker has stopped. The caller has looked at the state table. `isHeld`: it stays where it is until `releaseStop` is
   * called, whatever becomes of its inputs meanwhile.
   */
  stop(worker: Worker, request: StopRequest, isHeld = false): Promise<StopAck> {
    const stopping = newStopping(request, isHeld);
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
      stopping.timer = this.#wheel.after(deadlineMs, () => this.#endDrain(worker));
      this.#delivery.lending.offer(worker);
    } else {
      this.#delivery.cancelling.cancelAll(worker, request.reason ?? 'stop');
    }
    this.#finishStopIfDrained(worker);
    return stopping.ack;
  }

  /** Those below it have stopped. */
  releaseStop(worker: Worker, children: number): void {
    const { stopping } = worker;
    if (stopping === null || worker.status !== 'stopping') return;
    stopping.isHeld = false;
    stopping.children = children;
    if (worker.host !== null) this.#finishStopIfDrained(worker);
    else {
      this.#delivery.failWaiting(worker, 'cancelled', 'cancelled');
      this.#finishStop(worker);
    }
  }

  #endDrain(worker: Worker): void {
    this.#events.onUnclean(worker, 'cancelled');
    this.#delivery.cancelling.cancelAll(worker, 'stop deadline');
  }

  onDrained(worker: Worker): void {
    this.renewing.proceed(worker);
    this.#finishStopIfDrained(worker);
  }

  #finishStopIfDrained(worker: Worker): void {
    const { stopping, host } = worker;
    if (worker.status !== 'stopping' || stopping === null || worker.inputs > 0) return;
    if (!worker.isLoaded || host === null || stopping.isUnloading || stopping.isHeld) return;
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
      if (asGreenroomError(thrown).code === 'timeout') {
        for (const worker of workers) this.#events.onUnclean(worker, 'stop_timeout');
        this.#log.warn({ worker_id: workers[0]?.workerId, workers: workers.length }, 'stopped() did not end in time');
      }
      return false;
    }
  }

  #unseat(slot: HostSlot, worker: Worker, mayReuse: boolean): void {
    slot.unseat(worker, mayReuse);
    this.renewing.forget(worker);
    this.#hosts.onLeft(slot);
    this.#events.onLeft(worker.workerId);
  }

  #finishStop(worker: Worker): void {
    const { stopping } = worker;
    if (stopping === null || stopping.isHeld) return;
    stopping.timer?.cancel();
    worker.apply('stopFinished');
    worker.settleStart();
    const { drained, cancelled, refused, reason, children } = stopping;
    const ack: StopAck = {
      workerId: worker.workerId,
      status: worker.status,
      drained,
      cancelled,
      refused,
      ...(children > 0 && { children }),
      ...(reason !== null && { reason }),
    };
    worker.store.saveRest('stopped', null);
    worker.store.append('stopped', epochNow(), 0, stoppedEntry(stopping));
    stopping.resolve(ack);
    this.#events.onStopped(worker);
  }
}

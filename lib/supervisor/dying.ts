// What a death means for a worker: what becomes of the inputs that were at its host, and whether it comes back. The policy is in
// restarts.ts; starting and stopping are the lifecycle's.
//
//    host died ─▶ who was it? (deaths.ts) ─▶ each worker on it: its inputs settled ─▶ comes back, after a pause, or is stopped, or given up

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import type { Crash, HostExit } from '../host/host.ts';
import type { Limits } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { epochNow, monotonicMs } from '../protocol/clock.ts';
import type { KillCertificate } from '../protocol/views.ts';
import { toSnakeCase } from '../protocol/views.ts';
import type { Wheel } from '../protocol/wheel.ts';
import { crashDeath, mayGivePlace } from './crashing.ts';
import { closedDeath, whatDied } from './deaths.ts';
import type { Death } from './deaths.ts';
import type { Delivery } from './delivery.ts';
import type { HostSlot } from './host-slot.ts';
import type { InputRecord } from './input.ts';
import { promote } from './promotion.ts';
import { decideRestart, ruleOf, withChain, withDeath } from './restarts.ts';
import type { RestartDecision } from './restarts.ts';
import type { Worker } from './worker.ts';

/** What became of an input that a dead host held. */
export interface SettledInput {
  readonly inputId: string;
  /** `again`: it runs once more. `waiting`: it had not started, and waits as before. */
  readonly became: KillCertificate['inputs'][number]['became'];
}

/** What others have to know of deaths. */
export interface DeathListener {
  /** It has died and will be started again, at once or after a pause. Called before it is started. */
  onRestarting?(worker: Worker, death: Death): void;
  /** It has ended itself as it should, and is `stopped` now. */
  onRetired?(worker: Worker): void;
  /** It is `failed` now: its restarts are used up, or its actor wants none. */
  onGaveUp?(worker: Worker, error: WireError): void;
}

/** What follows a death elsewhere. */
export interface DyingParts extends DeathListener {
  readonly limits: Limits;
  readonly log: Logger;
  readonly wheel: Wheel;
  /** From 0 to below 1, for the jitter of pauses. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
  delivery(): Delivery;
  start(worker: Worker): void;
  /** `mayReuse`: its place on the host may be given to another. */
  unseat(slot: HostSlot, worker: Worker, mayReuse: boolean): void;
  /** It was stopping: its death is as good an end. */
  finishStop(worker: Worker): void;
  /** It has failed. */
  onEnding(worker: Worker): void;
}

/** Kills that are no failure of a worker: somebody wanted an input to end, or the host, or could not reach it. */
const ORDERED: ReadonlySet<string> = new Set(['cancel_grace', 'recycle', 'close', 'link_fault']);

export class Dying {
  readonly #parts: DyingParts;
  /** Hosts that were killed since the start. */
  kills = 0;

  constructor(parts: DyingParts) {
    this.#parts = parts;
  }

  onDied(slot: HostSlot, exit: HostExit): void {
    if (exit.type === 'killed') this.kills++;
    const death = whatDied(slot, exit);
    const hit = slot.seated();
    for (const worker of hit) {
      const inputs = worker.inputs > 0 ? this.settleInterrupted(worker, death) : [];
      for (const { inputId, became } of inputs) death.kill?.note(worker.workerId, inputId, became);
      const isSuspect = death.culprits.includes(worker);
      if (death.kill && isSuspect) worker.store.append('killed', epochNow(), 0, death.kill.entryOf(worker));
      this.#parts.unseat(slot, worker, false);
      if (isSuspect) promote(worker, death, this.#parts.log);
      this.afterDeath(worker, death, isSuspect && !ORDERED.has(death.cause));
      worker.settleStart();
    }
    // Last: the certificate of a kill says what became of the inputs.
    this.#logDeath(slot, exit, death, hit);
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
      // That the runtime is closed is not the input's doing.
      if (death.cause === 'close') delivery.keepForNextStart(worker, record);
      else if (delivery.deadLetters.isPoison(worker, record.attempt)) {
        delivery.endPoisoned(worker, record, death.cause);
        return 'poison';
      } else {
        record.attempt++;
        delivery.lending.waitAgain(record);
      }
      return 'again';
    }
    delivery.endInterrupted(worker, record, 'unknown', death.error);
    return 'unknown';
  }

  /** `isCharged`: it is held against the worker. A death that is not costs it neither its budget nor its place, whatever its policy is. */
  afterDeath(worker: Worker, death: Death, isCharged: boolean): void {
    worker.failure = death.error;
    if (worker.status === 'stopping') {
      this.#delivery.failWaiting(worker, 'cancelled', 'cancelled');
      this.#parts.finishStop(worker);
      return;
    }
    const decision: RestartDecision = isCharged ? this.#charge(worker, death) : { type: 'restart', delayMs: 0 };
    if (decision.type === 'restart') this.#restart(worker, death, decision.delayMs);
    else if (decision.type === 'stopped') this.#retire(worker, death);
    else this.#giveUp(worker, death);
  }

  #charge(worker: Worker, death: Death): RestartDecision {
    const { limits, random = Math.random } = this.#parts;
    const rule = ruleOf(worker.actor.definition.restart, limits);
    const hostId = death.details?.['host_id'];
    worker.deaths = withDeath(
      worker.deaths,
      {
        atMs: monotonicMs(),
        isAtStart: worker.isStarting,
        at: new Date(epochNow()).toISOString(),
        cause: death.cause,
        hostId: typeof hostId === 'string' ? hostId : null,
      },
      rule,
    );
    // The same state and the same code would fail again: the worker, and what the store keeps for it, wait for somebody to mend one of
    // them and to restore it.
    if (death.error.code === 'migration_failed') return { type: 'failed' };
    return decideRestart(rule, worker.deaths, isNormal(death), random);
  }

  #restart(worker: Worker, death: Death, delayMs: number): void {
    worker.apply('died');
    worker.restarts++;
    const data = { cause: death.cause, restarts: worker.restarts, delay_ms: delayMs, ...death.details };
    worker.store.append('restarted', epochNow(), 0, JSON.stringify(data));
    this.#parts.onRestarting?.(worker, death);
    // Whoever heard of it may have stopped it.
    if (worker.status !== 'restarting') return;
    if (delayMs === 0) this.#parts.start(worker);
    else worker.restartTimer = this.#parts.wheel.after(delayMs, () => this.#restartAfterPause(worker));
  }

  #restartAfterPause(worker: Worker): void {
    worker.restartTimer = null;
    this.#parts.start(worker);
  }

  /** It has ended itself as it should: it is stopped, as if somebody had stopped it without drain. */
  #retire(worker: Worker, death: Death): void {
    worker.apply('exited');
    worker.clearRestart();
    worker.forgetFailure();
    worker.forgetDeaths();
    this.#parts.onEnding(worker);
    this.#parts.log.info({ worker_id: worker.workerId, kind: worker.kind, cause: death.cause }, 'worker ended itself');
    worker.store.saveRest('stopped', null);
    worker.store.append('stopped', epochNow(), 0, JSON.stringify({ cause: death.cause, ...death.details }));
    this.#delivery.failWaiting(worker, 'worker_stopped', 'cancelled');
    this.#parts.onRetired?.(worker);
  }

  #giveUp(worker: Worker, death: Death): void {
    const error = withChain(death.error, worker.deaths);
    const deaths = worker.deaths.length;
    worker.failure = error;
    worker.apply('gaveUp');
    worker.clearRestart();
    this.#parts.onEnding(worker);
    this.#parts.log.error(
      { worker_id: worker.workerId, kind: worker.kind, cause: death.cause, deaths },
      'worker failed',
    );
    worker.store.saveRest('failed', error);
    worker.store.append('failed', epochNow(), 0, JSON.stringify(error));
    this.#delivery.failWaiting(worker, 'worker_failed', 'failed', death.error.code === 'migration_failed');
    this.#parts.onGaveUp?.(worker, error);
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
      ...(death.kill && { certificate: toSnakeCase(death.kill.certificate) }),
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

/** The worker itself has ended its host, with exit code 0. */
function isNormal({ cause, culprits, details }: Death): boolean {
  return cause === 'exited' && details?.['exit_code'] === 0 && culprits.length <= 1;
}

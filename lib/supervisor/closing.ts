// The end of a runtime: new work is refused, what was accepted runs until the deadline, workers stop or are put away, hosts are closed, and
// what does not end is killed. The report says which workers did not end in an orderly way.

import { GreenroomError } from '../errors.ts';
import { KILL_DEADLINE_MS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { Slices } from '../protocol/slices.ts';
import type { CloseReport, StopAck } from '../protocol/views.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { Store } from '../store/store.ts';
import type { Delivery } from './delivery.ts';
import type { Directory } from './directory.ts';
import type { Hosts } from './hosts.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { StopRequest } from './stopping.ts';
import type { Worker } from './worker.ts';

/** Workers that the report of a close names; the count is always given. */
const MAX_UNCLEAN = 100;
/** How long a refused caller is told to wait: another runtime may take over at once. */
const RETRY_AFTER_MS = 1_000;

export interface ClosingParts {
  readonly limits: Limits;
  readonly store: Store;
  readonly directory: Directory<Worker>;
  readonly delivery: Delivery;
  readonly lifecycle: Lifecycle;
  readonly wheel: Wheel;
  hosts(): Hosts;
  stop(worker: Worker, request: StopRequest): Promise<StopAck>;
  /** What goes on by itself ends: recovery, timers, hibernation. */
  stopRest(): void;
}

export class Closing {
  readonly #parts: ClosingParts;
  status: 'running' | 'draining' | 'stopped' = 'running';
  #report: Promise<CloseReport> | null = null;
  /** Why each worker that did not end in an orderly way did not; the first reason counts. */
  readonly #unclean = new Map<string, string>();

  constructor(parts: ClosingParts) {
    this.#parts = parts;
  }

  /** Why nothing new is taken; null while something is. */
  get refusal(): GreenroomError | null {
    const { status } = this;
    if (status === 'running') return this.#parts.store.trouble;
    return GreenroomError.of('runtime_unavailable', {
      message: `The runtime is ${status}.`,
      details: { reason: status, retry_after_ms: RETRY_AFTER_MS },
    });
  }

  /** Draining, cancelling, killing and `stopped` have their bounds. What they do not account for ends with its host. */
  #longestStopMs(deadlineMs: number): number {
    const { cancelGraceMs, stopTimeoutMs } = this.#parts.limits;
    return deadlineMs + cancelGraceMs + KILL_DEADLINE_MS + stopTimeoutMs;
  }

  /** The first one decides: whoever closes again gets its report. */
  close(deadlineMs: number): Promise<CloseReport> {
    return (this.#report ??= this.#close(deadlineMs));
  }

  /** A worker did not end as it should have. Before the runtime closes that is nobody's concern here. */
  note(worker: Worker, reason: string): void {
    if (this.status === 'running' || this.#unclean.has(worker.workerId)) return;
    this.#unclean.set(worker.workerId, reason);
  }

  async #close(deadlineMs: number): Promise<CloseReport> {
    this.status = 'draining';
    const { store, directory, delivery, lifecycle, wheel } = this.#parts;
    this.#parts.stopRest();
    const { counts, capacity } = delivery;
    const before = { ...counts, refused: capacity.refused, kills: lifecycle.dying.kills };
    if (store.isDurable) await putAway(directory.loaded(), delivery, lifecycle, deadlineMs, wheel);
    else {
      const stop = (worker: Worker, request: StopRequest): Promise<StopAck> => this.#parts.stop(worker, request);
      await stopAll(directory.loaded(), stop, deadlineMs, this.#longestStopMs(deadlineMs), wheel);
    }
    const killedAtClose = await this.#parts.hosts().close();
    for (const worker of directory.loaded()) {
      if (worker.inputs > 0 && worker.mailbox.lent > 0) this.note(worker, 'killed');
      lifecycle.settleClosed(worker);
    }
    await store.close();
    const kept = delivery.close();
    wheel.stop();
    this.status = 'stopped';
    return {
      finished: counts.finished - before.finished,
      refused: capacity.refused - before.refused,
      cancelled: counts.cancelled - before.cancelled,
      killed: lifecycle.dying.kills - before.kills + killedAtClose,
      kept,
      unclean: Array.from(this.#unclean, ([workerId, reason]) => ({ workerId, reason })).slice(0, MAX_UNCLEAN),
      uncleanTotal: this.#unclean.size,
    };
  }
}

/** Stops all of them: nothing of them is kept. What waits runs until the deadline, then it is cancelled. */
async function stopAll(
  workers: Iterable<Worker>,
  stop: (worker: Worker, request: StopRequest) => Promise<StopAck>,
  deadlineMs: number,
  longestMs: number,
  wheel: Wheel,
): Promise<void> {
  const stops: Promise<unknown>[] = [];
  const slices = new Slices();
  for (const worker of workers) {
    if (needsStop(worker)) stops.push(stop(worker, { drain: true, reason: 'close', deadlineMs }));
    else worker.clearRestart();
    if (slices.isOver) await slices.next();
  }
  await wheel.within(longestMs, Promise.all(stops));
}

/** Of the others there is nothing to wait for and nothing to run: their hosts end anyway, so they need not be unloaded one by one. */
function needsStop(worker: Worker): boolean {
  if (worker.status === 'stopped' || worker.status === 'failed' || worker.status === 'hibernated') return false;
  return worker.status !== 'idle' || worker.inputs > 0 || worker.actor.definition.stopped !== undefined;
}

/**
 * Puts all of them away: the store keeps them. What is at a host may end until the deadline; what waits goes on waiting, in the store,
 * and what is volatile is cancelled. What is left at the deadline ends with its host, as in a crash.
 */
async function putAway(
  workers: Iterable<Worker>,
  delivery: Delivery,
  lifecycle: Lifecycle,
  deadlineMs: number,
  wheel: Wheel,
): Promise<void> {
  let deadline: WheelTimer | undefined;
  const over = new Promise<void>((resolve) => (deadline = wheel.after(deadlineMs, resolve)));
  const quiet = delivery.lending.halt();
  const loaded = [...workers];
  for (const worker of loaded) if (worker.inputs > 0) delivery.failWaiting(worker, 'cancelled', 'cancelled', true);
  await Promise.race([quiet, over]);
  const leaving: Promise<void>[] = [];
  for (const worker of loaded) {
    worker.clearRestart();
    if (worker.actor.definition.stopped !== undefined) leaving.push(lifecycle.leave(worker));
  }
  await Promise.race([Promise.all(leaving), over]);
  deadline?.cancel();
}

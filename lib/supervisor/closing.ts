// The end of a runtime: what becomes of its workers before their hosts are closed.

import { Slices } from '../protocol/slices.ts';
import type { StopAck } from '../protocol/views.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { Delivery } from './delivery.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { StopRequest } from './stopping.ts';
import type { Worker } from './worker.ts';

/** Stops all of them: nothing of them is kept. What waits runs until the deadline, then it is cancelled. */
export async function stopAll(
  workers: Iterable<Worker>,
  stop: (worker: Worker, request: StopRequest) => Promise<StopAck>,
  deadlineMs: number,
): Promise<void> {
  const stops: Promise<unknown>[] = [];
  const slices = new Slices();
  for (const worker of workers) {
    if (needsStop(worker)) stops.push(stop(worker, { drain: true, reason: 'close', deadlineMs }));
    else worker.clearRestart();
    if (slices.isOver) await slices.next();
  }
  await Promise.all(stops);
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
export async function putAway(
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

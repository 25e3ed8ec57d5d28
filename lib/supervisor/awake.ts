// Why a worker is not hibernated: what its actor has asked for (`ctx.keepAwake`), and what everybody can see of it.

import { GreenroomError } from '../errors.ts';
import { KEEP_AWAKE_REASONS } from '../limits.ts';
import { now, toEpochMs } from '../protocol/clock.ts';
import type { AwakeReason, AwakeView } from '../protocol/views.ts';
import type { Worker } from './worker.ts';

/** What actors have asked for, until they take it back or their worker leaves its host. Few do, so it is not a field of each worker. */
export class KeptAwake {
  readonly #reasons = new Map<string, Map<string, string>>();

  /** `handle` is the asker's name for it. Throws `worker_busy` for too many. */
  keep(workerId: string, handle: string, reason: string): void {
    const reasons = this.#reasons.get(workerId) ?? new Map<string, string>();
    if (reasons.size >= KEEP_AWAKE_REASONS)
      throw GreenroomError.of('worker_busy', { message: 'The worker has too many reasons to stay awake.' });
    this.#reasons.set(workerId, reasons.set(handle, reason));
  }

  /** Does nothing when it was released before. */
  release(workerId: string, handle: string): void {
    const reasons = this.#reasons.get(workerId);
    if (reasons?.delete(handle) === true && reasons.size === 0) this.#reasons.delete(workerId);
  }

  /** The worker has left its host. */
  forget(workerId: string): void {
    this.#reasons.delete(workerId);
  }

  has(workerId: string): boolean {
    return this.#reasons.has(workerId);
  }

  of(workerId: string): string[] {
    return [...(this.#reasons.get(workerId)?.values() ?? [])];
  }
}

/** Null for a worker that is not awake. */
export function awakeOf(worker: Worker, kept: string[], hasChannels: boolean): AwakeView | null {
  const { status, host, actor } = worker;
  if (status === 'hibernated' || status === 'stopped' || status === 'failed') return null;
  const reasons: AwakeReason[] = [];
  if (worker.isStarting) reasons.push('starting');
  if (status === 'stopping') reasons.push('stopping');
  if (worker.inputs > 0) reasons.push('inputs');
  if (kept.length > 0) reasons.push('kept');
  if (hasChannels) reasons.push('channels');
  if (actor.idleAfterMs === 0) reasons.push('always');
  if (reasons.length > 0 || host === null) return { reasons, kept, hibernatesAt: null };
  const nowMs = now();
  const leftMs = Math.max(0, host.restTimes.leftMs(worker.slot, nowMs));
  return { reasons: ['recent'], kept, hibernatesAt: new Date(toEpochMs(nowMs + leftMs)).toISOString() };
}

// What a host's death was: its cause, who may have caused it, and the error that its callers get. The shared memory of the
// host outlives it, so the worker whose handler was on the stack is known even if the thread could say nothing.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import type { Crash, HostExit } from '../host/host.ts';
import { now } from '../protocol/clock.ts';
import type { HostSlot, KillOrder } from './host-slot.ts';
import type { Worker } from './worker.ts';

/** Workers that a record of a death lists by id; the count is always given. */
const MAX_LISTED = 20;

export interface Death {
  readonly cause: KillOrder['reason'] | Crash['cause'] | 'exited' | 'threw' | 'start_failed';
  readonly culprits: readonly Worker[];
  readonly error: WireError;
  /** For transcript and log: how long a kill took, who else was hit, the exit code. */
  readonly details?: Record<string, unknown>;
}

export function whatDied(slot: HostSlot, exit: HostExit): Death {
  const { killOrder } = slot;
  const hit = slot.workers.filter((worker) => worker !== undefined);
  const culprits = killOrder !== null && killOrder.culprits.length > 0 ? killOrder.culprits : suspects(slot, hit);
  const bystanders = hit.filter((worker) => !culprits.includes(worker));
  const exitCode = /exited with code: (\d+)/.exec(exit.error?.message ?? '')?.[1];
  const cause = killOrder?.reason ?? (exitCode === undefined ? 'threw' : 'exited');
  const details = {
    host_id: slot.host.hostId,
    ...(killOrder !== null && { took_ms: now() - killOrder.orderedAt }),
    ...(killOrder === null && exitCode !== undefined && { exit_code: Number(exitCode) }),
    culprits: culprits.slice(0, MAX_LISTED).map((worker) => worker.workerId),
    also_hit: bystanders.slice(0, MAX_LISTED).map((worker) => worker.workerId),
    workers_hit: hit.length,
  };
  return {
    cause,
    culprits,
    error: GreenroomError.of('host_lost', { details: { cause, ...details } }).toWire(),
    details,
  };
}

/** For hosts that were closed at the end of the runtime: nobody is to blame. */
export function closedDeath(): Death {
  const cause = 'close';
  return { cause, culprits: [], error: GreenroomError.of('host_lost', { details: { cause } }).toWire() };
}

/**
 * The worker whose handler was on the stack. If none was (the crash came from a timer or a callback), everybody who was
 * starting or had an input running: idle ones are innocent.
 */
function suspects(slot: HostSlot, hit: readonly Worker[]): Worker[] {
  const current = slot.workers[slot.host.current()];
  if (current !== undefined) return [current];
  return hit.filter((worker) => !worker.isLoaded || worker.runningInput() !== null);
}

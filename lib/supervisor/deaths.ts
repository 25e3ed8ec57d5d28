// What a host's death was: its cause, who may have caused it, and the error that its callers get. The shared memory of the
// host outlives it, so the worker whose handler was on the stack is known even if the thread could say nothing.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { endingOf } from '../host/endings.ts';
import type { Ending } from '../host/endings.ts';
import type { Crash, HostExit } from '../host/host.ts';
import { LinkFault } from '../protocol/batches.ts';
import { now } from '../protocol/clock.ts';
import type { Kill } from './certificates.ts';
import type { HostSlot, KillOrder } from './host-slot.ts';
import type { Worker } from './worker.ts';

/** Workers that a record of a death lists by id; the count is always given. */
const MAX_LISTED = 20;

/** Nothing is wrong with the worker itself: one that it was created with, that it has created, or that has created it has died. */
export type FamilyCause = 'sibling_died' | 'child_failed' | 'parent_restarted';

export interface Death {
  readonly cause: KillOrder['reason'] | Ending['cause'] | Crash['cause'] | 'start_failed' | FamilyCause;
  readonly culprits: readonly Worker[];
  readonly error: WireError;
  /** For transcript and log: how long a kill took, who else was hit, the exit code. */
  readonly details?: Record<string, unknown>;
  /** If it was killed. */
  readonly kill?: Kill | undefined;
}

export function whatDied(slot: HostSlot, exit: HostExit): Death {
  const { killOrder, killed } = slot;
  const hit = slot.seated();
  const isFault = killOrder === null && exit.error instanceof LinkFault;
  // Of a kill they were told at the order: since then the host may have gone on.
  const culprits = killed?.culprits ?? (isFault ? [] : suspectsOn(slot));
  const bystanders = hit.filter((worker) => !culprits.includes(worker));
  const ending = endingOf(exit.error);
  const cause = killOrder?.reason ?? (isFault ? 'link_fault' : ending.cause);
  const details = {
    host_id: slot.host.hostId,
    ...(killOrder !== null && { took_ms: now() - killOrder.orderedAt }),
    ...(killOrder === null && evidenceOf(ending)),
    culprits: culprits.slice(0, MAX_LISTED).map((worker) => worker.workerId),
    also_hit: bystanders.slice(0, MAX_LISTED).map((worker) => worker.workerId),
    workers_hit: hit.length,
  };
  return {
    cause,
    culprits,
    error: GreenroomError.of('host_lost', { details: { cause, ...details } }).toWire(),
    details,
    kill: killed ?? undefined,
  };
}

function evidenceOf({ exitCode, signal, heapLimitBytes }: Ending): Record<string, unknown> {
  return {
    ...(exitCode !== undefined && { exit_code: exitCode }),
    ...(signal !== undefined && { signal }),
    ...(heapLimitBytes !== undefined && { heap_limit_bytes: heapLimitBytes }),
  };
}

/** For hosts that were closed at the end of the runtime: nobody is to blame. */
export function closedDeath(): Death {
  const cause = 'close';
  return { cause, culprits: [], error: GreenroomError.of('host_lost', { details: { cause } }).toWire() };
}

/**
 * The worker whose handler was on the stack. If none was (the crash came from a timer or a callback), everybody who was
 * starting or had started an input: those that are idle, or waited for their turn, are innocent.
 */
export function suspectsOn(slot: HostSlot): Worker[] {
  // Whatever happens on a host of its own is its own.
  if (slot.isOwn) return slot.seated();
  const current = slot.workers[slot.host.current()];
  if (current !== undefined) return [current];
  return slot.seated().filter((worker) => !worker.isLoaded || worker.startedInput() !== null);
}

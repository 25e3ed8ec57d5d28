// The crash of one worker whose host lives on, as a death like any other.

import { GreenroomError } from '../errors.ts';
import type { Crash } from '../host/host.ts';
import type { Death } from './deaths.ts';
import type { HostSlot } from './host-slot.ts';
import type { Worker } from './worker.ts';

/** What has failed is for the log: its message may be anybody's. */
export function crashDeath(slot: HostSlot, worker: Worker, { cause }: Crash): Death {
  const details = { host_id: slot.host.hostId };
  const error = GreenroomError.of('worker_crashed', { details: { cause, ...details } }).toWire();
  return { cause, culprits: [worker], error, details };
}

/** Whether its place on the host may be given away: not while the host owes an answer about its start or its end. */
export function mayGivePlace({ isLoaded, stopping }: Worker): boolean {
  return isLoaded && stopping?.isUnloading !== true;
}

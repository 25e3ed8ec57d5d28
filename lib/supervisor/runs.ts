// Runs of inputs at hosts: how many a host may have of a worker, what is reserved there, and what is said of those that did not come to an end.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { CREDIT_BYTES_PER_WORKER, CREDITS_PER_QUICK_WORKER, CREDITS_PER_WORKER, SLICE_MS } from '../limits.ts';
import type { HostSlot } from './hosts.ts';
import type { InputRecord } from './input.ts';
import type { Worker } from './worker.ts';

/** Whether the worker's host may be handed one more of its inputs. */
export function hasCredit({ mailbox, serviceMs }: Worker): boolean {
  const { lent, lentBytes } = mailbox;
  if (lent === 0) return true;
  if (lentBytes >= CREDIT_BYTES_PER_WORKER) return false;
  return lent < CREDITS_PER_WORKER || (lent < CREDITS_PER_QUICK_WORKER && lent * serviceMs < SLICE_MS);
}

export const INTERRUPTED = GreenroomError.of('host_lost', {
  message: 'The runtime ended while the input was at its host.',
  details: { cause: 'runtime_restart' },
});

export function closedError({ inputId }: InputRecord): GreenroomError {
  return GreenroomError.of('timeout', {
    message: 'The runtime was closed before the input ended.',
    details: { input_id: inputId },
  });
}

export function cancelledError(reason: string): WireError {
  return GreenroomError.of('cancelled', { details: { reason } }).toWire();
}

export const EXPIRED = GreenroomError.of('expired');
export const EXPIRED_LATER = GreenroomError.of('host_lost', {
  message: 'The deadline passed after an attempt that was interrupted, before the next one.',
});

/** What an earlier process had started runs again. */
export function retryAfterRestart(worker: Worker, record: InputRecord): void {
  record.attempt++;
  const data = JSON.stringify({ cause: 'runtime_restart', attempt: record.attempt });
  worker.store.append('restarted', Date.now(), record.seq, data);
}

/** Does not wait for its run any longer. Returns where it would have run. */
export function unreserve(record: InputRecord): HostSlot | null {
  const slot = record.reservedOn;
  if (slot === null) return null;
  record.reservedOn = null;
  slot.reserved--;
  return slot;
}

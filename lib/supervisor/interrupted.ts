// What is said of inputs that did not come to an end of their own, and what an earlier process had started.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { epochNow, now } from '../protocol/clock.ts';
import type { InputRecord } from './input.ts';
import type { Worker } from './worker.ts';

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

/** It never ran. */
export function expiredError({ acceptedAt, deadline }: InputRecord): WireError {
  const details = { waited_ms: now() - acceptedAt, deadline_ms: deadline - acceptedAt };
  return GreenroomError.of('expired', { details }).toWire();
}

export const EXPIRED_LATER = GreenroomError.of('host_lost', {
  message: 'The deadline passed after an attempt that was interrupted, before the next one.',
});

/** What an earlier process had started runs again. */
export function retryAfterRestart(worker: Worker, record: InputRecord): void {
  record.attempt++;
  const data = JSON.stringify({ cause: 'runtime_restart', attempt: record.attempt });
  worker.store.append('restarted', epochNow(), record.seq, data);
}

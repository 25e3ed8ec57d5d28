// Inputs of a worker's own making after a time (`ctx.after`). Each waits for room when its time has come, and all are forgotten when the
// worker stops.

import { GreenroomError } from '../errors.ts';
import { TIMERS_PER_WORKER } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { requireValid } from '../protocol/issues.ts';
import type { Worker } from './worker.ts';

/** After a refusal that may pass. */
const RETRY_MS = 100;

/** @param deliver throws what the input is refused with. Throws `invalid_input` or `worker_busy` (too many timers). */
export function startTimer(worker: Worker, value: unknown, delayMs: number, deliver: () => void, log: Logger): void {
  requireValid(worker.actor.definition.input, value, 'invalid_input');
  const { timers } = worker;
  if (timers.size >= TIMERS_PER_WORKER)
    throw GreenroomError.of('worker_busy', { message: 'The worker has too many timers.' });
  const timer = setTimeout(() => {
    timers.delete(timer);
    try {
      deliver();
    } catch (thrown) {
      const { retryable, code } = thrown as GreenroomError;
      if (retryable && worker.timers === timers) startTimer(worker, value, RETRY_MS, deliver, log);
      else log.warn({ worker_id: worker.workerId, code }, 'timer input refused');
    }
  }, delayMs);
  timers.add(timer);
}

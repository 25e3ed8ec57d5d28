// Waiting for the outcome of an input: what `ask` is on top of a delivery, for callers in process and for actors.

import { GreenroomError } from '../errors.ts';
import { MAX_WAIT_MS } from '../limits.ts';
import type { Payload } from '../protocol/payload.ts';
import type { InputRecord, Supervisor } from './supervisor.ts';

/** The time at which an ask ends, for `deadlineAtMs`. Throws `invalid_request`. */
export function askDeadline(timeoutMs: number): number {
  if (!(timeoutMs > 0) || timeoutMs > MAX_WAIT_MS) {
    throw GreenroomError.of('invalid_request', { message: `timeoutMs must be above 0 and at most ${MAX_WAIT_MS}.` });
  }
  return Date.now() + timeoutMs;
}

/**
 * The encoded output of an accepted input. Rejects with the error of any other outcome; with `timeout` when the input's
 * deadline passes while it is running (it runs on, and its receipt tells how it ended); with `cancelled` when the signal
 * aborts, which cancels the input.
 */
export function awaitOutput(supervisor: Supervisor, record: InputRecord, signal?: AbortSignal): Promise<Payload> {
  return new Promise<Payload>((resolve, reject) => {
    const onAbort = () => {
      const { workerId, inputId } = record;
      supervisor.cancel(workerId, { inputId, reason: 'aborted by the caller' });
      settle(() => reject(GreenroomError.of('cancelled', { details: { input_id: inputId }, cause: signal?.reason })));
    };
    const onEnded = () => settle(() => (record.outcome === 'completed' ? resolve(record.output ?? 'null') : reject(errorOf(record))));
    const settle = (act: () => void) => {
      signal?.removeEventListener('abort', onAbort);
      record.removeListener(onEnded);
      act();
    };
    record.onDeadline = () => settle(() => reject(GreenroomError.of('timeout', { details: { input_id: record.inputId } })));
    record.whenEnded(onEnded);
    if (signal === undefined) return;
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

function errorOf(record: InputRecord): GreenroomError {
  return record.error === null ? GreenroomError.of('internal') : GreenroomError.fromWire(record.error);
}

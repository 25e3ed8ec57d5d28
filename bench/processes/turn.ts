// The turns of one contender, in a process of its own: what the others compiled, allocated and left behind is not its affair.

import { contenderOf } from '../contenders/all.ts';
import { takeTurn } from '../contenders/contender.ts';
import type { TurnOptions } from '../contenders/contender.ts';
import { answerRequests } from '../support/child.ts';
import { oneByOne, onSchedule } from '../support/load.ts';

export interface TurnRequest extends TurnOptions {
  /** How long the latency of one question at a time is measured after it. Default: not at all. */
  readonly latencyForMs?: number;
  /** How long half of the first load's rate is sent on a schedule after that. Default: not at all. */
  readonly scheduleForMs?: number;
}

const SHARE_OF_CAPACITY = 0.5;
const contender = contenderOf(process.argv[2] ?? '');

answerRequests((request) => {
  const { latencyForMs = 0, scheduleForMs = 0, ...options } = request as TurnRequest;
  return takeTurn(contender, options, async (ask, rates) => {
    const measured: Record<string, number> = {};
    if (latencyForMs > 0) {
      const { p50, p99 } = await oneByOne(ask, latencyForMs);
      Object.assign(measured, { 'p50 in µs, 1 in flight': p50, 'p99 in µs, 1 in flight': p99 });
    }
    if (scheduleForMs > 0) {
      const capacity = rates[options.loads[0]?.quantity ?? ''] ?? NaN;
      const { p50, p99, p999 } = await onSchedule(ask, capacity * SHARE_OF_CAPACITY, scheduleForMs);
      Object.assign(measured, {
        'p50 in µs, half of the capacity': p50,
        'p99 in µs, half of the capacity': p99,
        'p99.9 in µs, half of the capacity': p999,
      });
    }
    return measured;
  });
});

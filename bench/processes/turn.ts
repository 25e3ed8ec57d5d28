// The turns of one contender, in a process of its own: what the others compiled, allocated and left behind is not its affair.

import { contenderOf } from '../contenders/all.ts';
import { takeTurn } from '../contenders/contender.ts';
import { answerRequests } from '../support/child.ts';
import { oneByOne } from '../support/load.ts';

export interface TurnRequest {
  readonly inFlight: number;
  readonly warmUpMs: number;
  readonly forMs: number;
  /** How long the latency of one question at a time is measured after it; 0 for not at all. */
  readonly latencyForMs: number;
}

const contender = contenderOf(process.argv[2] ?? '');

answerRequests(
  (request) => {
    const { latencyForMs, ...load } = request as TurnRequest;
    return takeTurn(contender, load, async (ask) => {
      if (latencyForMs === 0) return {};
      const { p50Us, p99Us } = await oneByOne(ask, latencyForMs);
      return { 'p50 in µs, 1 in flight': p50Us, 'p99 in µs, 1 in flight': p99Us };
    });
  },
  () => Promise.resolve(),
);

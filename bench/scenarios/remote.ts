// What does a call of a remote's function cost next to the bare socket that it travels on?

import { loadOf, rateQuantity } from '../contenders/contender.ts';
import { bareSocket, rawRemote, sdkRemote } from '../contenders/remotes.ts';
import { roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';
import { measureInProcesses } from '../support/turns.ts';

const EFFORTS = {
  quick: { rounds: 3, warmUpMs: 600, forMs: 600, latencyForMs: 500 },
  full: { rounds: 9, warmUpMs: 1_000, forMs: 1_500, latencyForMs: 1_000 },
} as const satisfies Record<Effort, unknown>;

const IN_FLIGHT = 256;
const ALONE = 'p50 in µs, 1 in flight';
const RATE_GOAL = 0.5;
const LATENCY_GOAL = 1.5;

export const remote: Scenario = {
  name: 'remote',
  question: `echoes per second by another process over one WebSocket, ${IN_FLIGHT} in flight, and the latency of one at a time`,
  run: async (effort): Promise<Findings> => {
    const { rounds, ...times } = EFFORTS[effort];
    const request = { ...times, loads: [loadOf(IN_FLIGHT)] };
    const measures = await measureInProcesses([bareSocket, rawRemote, sdkRemote], rounds, request);
    const rate = rateQuantity(IN_FLIGHT);
    const ratios = [rawRemote, sdkRemote].flatMap((ours) => {
      const isGoal = ours === rawRemote;
      const ratioOf = (quantity: string) => ({
        label: `${ours.name} : ${bareSocket.name}, ${quantity}`,
        perRound: pairwise(roundsOf(measures, ours.name, quantity), roundsOf(measures, bareSocket.name, quantity)),
      });
      return [
        { ...ratioOf(rate), ...(isGoal && { atLeast: RATE_GOAL }) },
        { ...ratioOf(ALONE), ...(isGoal && { atMost: LATENCY_GOAL }) },
      ];
    });
    return { measures, ratios, chart: { of: 'measures', scale: 'linear' } };
  },
};

// What does a function over HTTP cost next to the client that it is called with? The guard, the registry and the documented headers included.

import { loadOf, rateQuantity } from '../contenders/contender.ts';
import { bareUndici, httpFunction, IN_FLIGHT } from '../contenders/http.ts';
import { roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';
import { measureInProcesses } from '../support/turns.ts';

const EFFORTS = {
  quick: { rounds: 3, warmUpMs: 600, forMs: 600, latencyForMs: 500 },
  full: { rounds: 9, warmUpMs: 1_500, forMs: 2_000, latencyForMs: 1_000 },
} as const satisfies Record<Effort, unknown>;

const GOAL = 0.8;

export const httpFunctions: Scenario = {
  name: 'http-function',
  question: `echoes per second by an HTTP server in another process, ${IN_FLIGHT} in flight`,
  run: async (effort): Promise<Findings> => {
    const { rounds, ...times } = EFFORTS[effort];
    const request = { ...times, loads: [loadOf(IN_FLIGHT)] };
    const measures = await measureInProcesses([bareUndici, httpFunction], rounds, request);
    const [bare, ours] = [bareUndici, httpFunction].map(({ name }) =>
      roundsOf(measures, name, rateQuantity(IN_FLIGHT)),
    );
    const ratio = { label: `${httpFunction.name} : ${bareUndici.name}`, perRound: pairwise(ours ?? [], bare ?? []) };
    return { measures, ratios: [{ ...ratio, atLeast: GOAL }], chart: { of: 'measures', scale: 'linear' } };
  },
};

// How many asks per second, and how long does one take, next to thread pools that do the same echo?

import { comlink } from './contenders/ports.ts';
import { pools } from './contenders/pools.ts';
import { greenroom } from './contenders/greenroom.ts';
import { roundsOf } from './support/rounds.ts';
import type { Effort, Findings, Scenario } from './support/scenario.ts';
import { median, pairwise } from './support/statistics.ts';
import { measureInProcesses } from './support/turns.ts';

const EFFORTS = {
  quick: { rounds: 3, warmUpMs: 250, forMs: 250, latencyForMs: 40 },
  full: { rounds: 9, warmUpMs: 500, forMs: 1_000, latencyForMs: 500 },
} as const satisfies Record<Effort, unknown>;

const IN_FLIGHT = 1_024;
/** At least this many times the best of the pools. */
const GOAL = 3;

export const ask: Scenario = {
  name: 'ask',
  question: `asks per second on one host, ${IN_FLIGHT} in flight, and the latency of one at a time`,
  run: async (effort): Promise<Findings> => {
    const { rounds, ...times } = EFFORTS[effort];
    const ours = [greenroom(100), greenroom(1)];
    const others = [...pools, comlink];
    const measures = await measureInProcesses([...others, ...ours], rounds, { ...times, inFlight: IN_FLIGHT });
    const rate = (name: string): readonly number[] => roundsOf(measures, name, 'asks/s');
    const byRate = others.map(({ name }) => name).toSorted((a, b) => median(rate(b)) - median(rate(a)));
    const ratios = ours.flatMap(({ name }, at) =>
      byRate.slice(0, 1).map((best) => ({
        label: `${name} : ${best}, the best of the pools`,
        perRound: pairwise(rate(name), rate(best)),
        // One worker takes one input at a time, which no pool promises: for it there is a figure and no goal.
        ...(at === 0 && { atLeast: GOAL }),
      })),
    );
    return { measures, ratios, chart: { of: 'measures', scale: 'linear' } };
  },
};

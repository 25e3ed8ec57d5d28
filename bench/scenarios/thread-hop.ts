// What does it cost to have a question answered by another thread, and what does our wire add to that?

import { bareLoops, batchesOfTexts, comlink, postMessage } from '../contenders/ports.ts';
import { piscinaDefault, pools } from '../contenders/pools.ts';
import { loadOf, rateQuantity } from '../contenders/contender.ts';
import { linkAlone } from '../contenders/greenroom.ts';
import { roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';
import { measureInProcesses } from '../support/turns.ts';

const EFFORTS = {
  quick: { rounds: 2, warmUpMs: 100, forMs: 150 },
  full: { rounds: 5, warmUpMs: 300, forMs: 500 },
} as const satisfies Record<Effort, unknown>;

const IN_FLIGHT = 1_024;

export const threadHop: Scenario = {
  name: 'thread-hop',
  question: `echoes per second by one thread, ${IN_FLIGHT} in flight`,
  run: async (effort): Promise<Findings> => {
    const { rounds, ...times } = EFFORTS[effort];
    const contenders = [postMessage, ...bareLoops, comlink, piscinaDefault, ...pools, linkAlone];
    const request = { ...times, loads: [loadOf(IN_FLIGHT)] };
    const measures = await measureInProcesses(contenders, rounds, request);
    const rate = rateQuantity(IN_FLIGHT);
    const link = roundsOf(measures, linkAlone.name, rate);
    const ratios = [postMessage, batchesOfTexts, ...pools.slice(0, 1)].map(({ name }) => ({
      label: `link alone : ${name}`,
      perRound: pairwise(link, roundsOf(measures, name, rate)),
    }));
    return { measures, ratios, chart: { of: 'measures', scale: 'linear' } };
  },
};

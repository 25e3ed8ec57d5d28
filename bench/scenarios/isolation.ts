// What does each tier of isolation cost: until a worker answers, in memory, and per ask?

import { ISOLATIONS } from '../../lib/protocol/views.ts';
import type { IsolationRequest } from '../processes/isolation.ts';
import { askNewProcess } from '../support/child.ts';
import { interleave } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';

const EFFORTS = {
  quick: { rounds: 1, workers: 4, asks: 1_000 },
  full: { rounds: 7, workers: 8, asks: 5_000 },
} as const satisfies Record<Effort, unknown>;

const WITHIN_MS = 120_000;

export const isolation: Scenario = {
  name: 'isolation',
  question: 'time until a new worker answers, memory of each, and asks one at a time, by tier of isolation',
  run: async (effort): Promise<Findings> => {
    const { rounds, workers, asks } = EFFORTS[effort];
    const subjects = ISOLATIONS.map((tier) => ({
      name: tier,
      turn: async () => {
        const request: IsolationRequest = { isolation: tier, workers, asks };
        return (await askNewProcess('isolation', request, WITHIN_MS)) as Record<string, number>;
      },
    }));
    const measures = await interleave(subjects, rounds);
    const notes = ['memory that was made, without pages of files, of the runtime and its processes'];
    return { measures, ratios: [], notes, chart: { of: 'measures', scale: 'log' } };
  },
};

// What does it cost to have a question answered by another thread, and what does our wire add to that?

import { batchedPostMessage, comlink, postMessage } from './contenders/ports.ts';
import { piscinaDefault, pools } from './contenders/pools.ts';
import { linkAlone } from './contenders/greenroom.ts';
import { roundsOf } from './support/rounds.ts';
import type { Effort, Findings, Scenario } from './support/scenario.ts';
import { pairwise } from './support/statistics.ts';
import { measureInProcesses } from './support/turns.ts';

const EFFORTS = {
  quick: { rounds: 3, warmUpMs: 100, forMs: 200 },
  full: { rounds: 9, warmUpMs: 500, forMs: 1_000 },
} as const satisfies Record<Effort, unknown>;

const IN_FLIGHT = 1_024;

export const threadHop: Scenario = {
  name: 'thread-hop',
  question: `echoes per second by one thread, ${IN_FLIGHT} in flight`,
  run: async (effort): Promise<Findings> => {
    const { rounds, ...times } = EFFORTS[effort];
    const batchedTexts = batchedPostMessage('JSON texts');
    const contenders = [
      postMessage,
      batchedPostMessage('values'),
      batchedTexts,
      comlink,
      piscinaDefault,
      ...pools,
      linkAlone,
    ];
    const measures = await measureInProcesses(contenders, rounds, { ...times, inFlight: IN_FLIGHT, latencyForMs: 0 });
    const link = roundsOf(measures, linkAlone.name, 'asks/s');
    const ratios = [postMessage, batchedTexts, ...pools.slice(0, 1)].map(({ name }) => ({
      label: `link alone : ${name}`,
      perRound: pairwise(link, roundsOf(measures, name, 'asks/s')),
    }));
    return { measures, ratios, chart: { of: 'measures', scale: 'linear' } };
  },
};

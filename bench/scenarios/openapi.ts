// What does it take to make functions of a large OpenAPI document: time, the longest stall of the main thread, and memory that stays?

import { askNewProcess } from '../support/child.ts';
import { interleave } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import type { SourceCost, SourceRequest } from '../processes/openapi-source.ts';

const EFFORTS = { quick: { rounds: 2 }, full: { rounds: 9 } } as const satisfies Record<Effort, unknown>;

const KiB = 1_024;
const REQUEST: SourceRequest = { operations: 900, bytes: 10 * KiB * KiB };
const WITHIN_MS = 60_000;
const [SECONDS, STALL, KEPT] = ['seconds to register', 'longest stall in ms', 'KiB kept, per operation'];
const GOALS: Readonly<Record<string, number>> = { [SECONDS]: 5, [STALL]: 50, [KEPT]: 20 };

export const openapi: Scenario = {
  name: 'openapi',
  question: `what a document of ${REQUEST.operations} operations and 10 MiB costs as a source`,
  run: async (effort): Promise<Findings> => {
    const subject = { name: 'greenroom, OpenAPI source', turn: () => inProcess() };
    const found = await interleave([subject], EFFORTS[effort].rounds);
    const measures = found.map((measure) => ({ ...measure, atMost: GOALS[measure.quantity] as number }));
    return { measures, ratios: [], chart: { of: 'measures', scale: 'log' } };
  },
};

/** In a process that has done nothing else. */
async function inProcess(): Promise<Record<string, number>> {
  const answer = (await askNewProcess('openapi-source', REQUEST, WITHIN_MS)) as SourceCost;
  const { seconds, longestStallMs, bytesEach } = answer;
  return { [SECONDS]: seconds, [STALL]: longestStallMs, [KEPT]: bytesEach / KiB };
}

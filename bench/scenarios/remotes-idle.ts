// What does a remote cost that is connected, has registered a function, and does nothing?

import { askNewProcess } from '../support/child.ts';
import { interleave } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import type { Idle, IdleRequest } from '../processes/remotes-idle.ts';

const EFFORTS = { quick: { rounds: 1 }, full: { rounds: 5 } } as const satisfies Record<Effort, unknown>;

const COUNT = 2_000;
const WITHIN_MS = 180_000;
const KiB = 1_024;
const GOAL_KIB = 30;
const OURS = 'greenroom, idle remotes';

export const remotesIdle: Scenario = {
  name: 'remotes-idle',
  question: `memory of the server for each of ${COUNT.toLocaleString('en')} remotes that are connected and idle`,
  run: async (effort): Promise<Findings> => {
    const subjects = [
      { name: 'ws, idle sockets', turn: () => inProcess({ how: 'bare', count: COUNT }) },
      { name: OURS, turn: () => inProcess({ how: 'raw', count: COUNT }) },
    ];
    const found = await interleave(subjects, EFFORTS[effort].rounds);
    const measures = found.map((measure) => ({ ...measure, ...(measure.subject === OURS && { atMost: GOAL_KIB }) }));
    return { measures, ratios: [], chart: { of: 'measures', scale: 'linear' } };
  },
};

/** In a process that has done nothing else. */
async function inProcess(request: IdleRequest): Promise<Record<string, number>> {
  const { bytesEach } = (await askNewProcess('remotes-idle', request, WITHIN_MS)) as Idle;
  return { 'KiB of RSS each': bytesEach / KiB };
}

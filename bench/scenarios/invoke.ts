// What does the call of an actor's function over REST cost next to an input of the same worker, both waited for?

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONNECTIONS, HTTP_EFFORTS, openHttpLoad } from '../support/http-load.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import { benchActor } from '../support/runtime.ts';
import type { Findings, Scenario } from '../support/scenario.ts';
import { openStandalone } from '../support/standalone.ts';
import { pairwise } from '../support/statistics.ts';

const GOAL = 0.85;
/** The worker that calls of the functions of its kind go to. */
const KIND = 'serve';

export const invoke: Scenario = {
  name: 'invoke',
  question: `answered POSTs per second over ${CONNECTIONS} connections to one worker: an input with Prefer: wait, and a call of its function`,
  run: async (effort): Promise<Findings> => {
    const { rounds, warmUpSeconds, seconds } = HTTP_EFFORTS[effort];
    const closers: (() => Promise<void>)[] = [];
    try {
      const load = await openHttpLoad();
      closers.push(() => load.close());
      const dataDir = await mkdtemp(join(tmpdir(), 'greenroom-invoke-'));
      closers.push(() => rm(dataDir, { recursive: true }));
      const runtime = await openStandalone({ actor: benchActor(KIND), hosts: 1, dataDir });
      closers.push(() => runtime.close());
      await runtime.create(KIND, KIND);
      const { url, headers } = runtime;
      const targets = [
        {
          name: 'input',
          target: { url: `${url}/v1/workers/${KIND}/input`, headers: { ...headers, prefer: 'wait=5' } },
        },
        { name: 'invoke', target: { url: `${url}/v1/functions/${KIND}::echo/invoke`, headers } },
      ] as const;
      for (const { target } of targets) await load.run(target, warmUpSeconds);
      const subjects = targets.map(({ name, target }) => ({
        name,
        turn: async () => {
          const { perSecond, p50Us, p99Us } = await load.run(target, seconds);
          return { [`answers/s (${load.name})`]: perSecond, 'p50 in µs': p50Us, 'p99 in µs': p99Us };
        },
      }));
      const measures = await interleave(subjects, rounds);
      const [input, call] = targets.map(({ name }) => roundsOf(measures, name, `answers/s (${load.name})`));
      const ratios = [{ label: 'invoke : input', perRound: pairwise(call ?? [], input ?? []), atLeast: GOAL }];
      return { measures, ratios, chart: { of: 'measures', scale: 'linear' } };
    } finally {
      for (const close of closers.reverse()) await close();
    }
  },
};

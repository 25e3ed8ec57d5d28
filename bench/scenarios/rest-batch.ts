// What does it save to send inputs over HTTP many at a time? Every acknowledged input is proven to have been handled.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forkPeer, processUrl } from '../support/child.ts';
import { countedSubject, createCounters, HANDLED, sendBatches } from '../support/counters.ts';
import type { Sent } from '../support/counters.ts';
import { CONNECTIONS, openHttpLoad } from '../support/http-load.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import { counterActor } from '../support/runtime.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { openStandalone } from '../support/standalone.ts';
import { pairwise } from '../support/statistics.ts';

/** Wrk runs for whole seconds. */
const EFFORTS = { quick: { rounds: 2, seconds: 1 }, full: { rounds: 7, seconds: 2 } } as const satisfies Record<
  Effort,
  unknown
>;

const WORKERS = 100;
const GOAL = 8;
const SINGLE = 'POST …/input, one each';
const BATCHES = [
  { name: 'POST …/workers/ID/inputs, 256 each', to: 'worker' },
  { name: 'POST …/inputs, 256 each', to: 'any' },
] as const;

export const restBatch: Scenario = {
  name: 'rest-batch',
  question: `inputs handled per second by ${WORKERS} counters: one per request over ${CONNECTIONS} connections, and 256 per request`,
  run: async (effort): Promise<Findings> => {
    const { rounds, seconds } = EFFORTS[effort];
    const closers: (() => Promise<void>)[] = [];
    try {
      const dataDir = await mkdtemp(join(tmpdir(), 'greenroom-rest-batch-'));
      closers.push(() => rm(dataDir, { recursive: true }));
      const standalone = await openStandalone({ actor: counterActor, hosts: 1, dataDir });
      closers.push(() => standalone.close());
      const counters = await createCounters(standalone, WORKERS);
      const load = await openHttpLoad();
      closers.push(() => load.close());
      const peer = forkPeer(processUrl('http-batches'));
      closers.push(() => peer.close());
      const { url, headers } = standalone;
      const single = async (): Promise<Sent> => {
        const { answered, perSecond } = await load.run({ url, headers, counters: counters.ids }, seconds);
        // Wrk cuts off what is open at the end, so that it may or may not have been accepted.
        return {
          least: answered,
          most: answered + CONNECTIONS,
          refused: 0,
          seconds: answered / perSecond,
          isPaced: true,
        };
      };
      const forMs = seconds * 1_000;
      const subjects = [
        countedSubject(SINGLE, counters, single),
        ...BATCHES.map(({ name, to }) =>
          countedSubject(name, counters, () => sendBatches(peer, standalone, { to, workerIds: counters.ids, forMs })),
        ),
      ];
      for (const subject of subjects) await subject.turn();
      const measures = await interleave(subjects, rounds);
      const rate = (name: string): readonly number[] => roundsOf(measures, name, HANDLED);
      const ratios = BATCHES.map(({ name }) => ({
        label: `${name} : ${SINGLE}`,
        perRound: pairwise(rate(name), rate(SINGLE)),
        atLeast: GOAL,
      }));
      const notes = [`one per request is sent by ${load.name}, batches by undici`];
      return { measures, ratios, notes, chart: { of: 'measures', scale: 'linear' } };
    } finally {
      for (const close of closers.reverse()) await close();
    }
  },
};

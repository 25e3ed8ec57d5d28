// What does it save to send inputs over HTTP many at a time? Every acknowledged input is proven to have been handled.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BatchRequest, BatchResult } from '../processes/http-batches.ts';
import { forkPeer, processUrl } from '../support/child.ts';
import { CONNECTIONS, openHttpLoad } from '../support/http-load.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Subject } from '../support/rounds.ts';
import { counterActor } from '../support/runtime.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { openStandalone } from '../support/standalone.ts';
import type { Standalone } from '../support/standalone.ts';
import { pairwise } from '../support/statistics.ts';

/** Wrk runs for whole seconds. */
const EFFORTS = { quick: { rounds: 2, seconds: 1 }, full: { rounds: 7, seconds: 2 } } as const satisfies Record<
  Effort,
  unknown
>;

const WORKERS = 100;
const GOAL = 8;
const SLACK_MS = 60_000;
const RATE = 'handled/s';
const REFUSED = 'refused/s';
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
      const counters = await createCounters(standalone);
      const load = await openHttpLoad();
      closers.push(() => load.close());
      const peer = forkPeer(processUrl('http-batches'));
      closers.push(() => peer.close());
      const { url, headers } = standalone;
      const single = async (): Promise<Sent> => {
        const { answered, perSecond } = await load.run({ url, headers, counters: counters.ids }, seconds);
        // Wrk cuts off what is open at the end, so that it may or may not have been accepted.
        return { least: answered, most: answered + CONNECTIONS, refused: 0, seconds: answered / perSecond };
      };
      const batches = async (to: BatchRequest['to']): Promise<Sent> => {
        const forMs = seconds * 1_000;
        const ndjson = { ...headers, 'content-type': 'application/x-ndjson' };
        const request: BatchRequest = { url, headers: ndjson, to, workerIds: counters.ids, forMs };
        const { acknowledged, refused } = (await peer.request(request, forMs + SLACK_MS)) as BatchResult;
        return { least: acknowledged, most: acknowledged, refused };
      };
      const subjects = [
        subjectOf(SINGLE, counters, single),
        ...BATCHES.map(({ name, to }) => subjectOf(name, counters, () => batches(to))),
      ];
      for (const subject of subjects) await subject.turn();
      const measures = await interleave(subjects, rounds);
      const rate = (name: string): readonly number[] => roundsOf(measures, name, RATE);
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

/** Acknowledged. */
interface Sent {
  readonly least: number;
  readonly most: number;
  readonly refused: number;
  /** Default: until the totals say that all were handled. */
  readonly seconds?: number;
}

interface Counters {
  readonly ids: readonly string[];
  /** Waits for what was accepted before; what all of them have added up since the last look. */
  added(): Promise<number>;
}

async function createCounters(standalone: Standalone): Promise<Counters> {
  const ids = Array.from({ length: WORKERS }, (_, at) => `counter-${at}`);
  await Promise.all(ids.map((id) => standalone.create('counter', id)));
  let last = 0;
  return {
    ids,
    added: async () => {
      const totals = await Promise.all(ids.map((id) => standalone.ask(id, { add: 0 })));
      const total = totals.reduce<number>((sum, one) => sum + (one as number), 0);
      const added = total - last;
      last = total;
      return added;
    },
  };
}

function subjectOf(name: string, counters: Counters, send: () => Promise<Sent>): Subject {
  return {
    name,
    turn: async () => {
      const startMs = performance.now();
      const { least, most, refused, seconds } = await send();
      const handled = await counters.added();
      if (handled < least || handled > most) throw new Error(`${least} were acknowledged, ${handled} were handled`);
      const tookSeconds = seconds ?? (performance.now() - startMs) / 1_000;
      return { [RATE]: least / tookSeconds, [REFUSED]: refused / tookSeconds };
    },
  };
}

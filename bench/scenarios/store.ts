// What does it cost that nothing acknowledged is lost? The same asks, and the same batches over HTTP, with the store in memory
// and on disk; and what the disk has to do for them.

import { rm } from 'node:fs/promises';
import type { DiskUse, StoreRequest, StoreTurn } from '../processes/store.ts';
import { askNewProcess, forkPeer, processUrl } from '../support/child.ts';
import { ACKNOWLEDGED, countedSubject, createCounters, sendBatches } from '../support/counters.ts';
import { describeDisk, makeDataDir } from '../support/data-dir.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Subject } from '../support/rounds.ts';
import { counterActor } from '../support/runtime.ts';
import type { Effort, Findings, Measure, Ratio, Scenario } from '../support/scenario.ts';
import { openStandalone } from '../support/standalone.ts';
import { pairwise } from '../support/statistics.ts';
import { countSyncs } from '../support/syncs.ts';

type Shape = Pick<StoreRequest, 'kind' | 'workers' | 'bytes'>;

const KiB = 1_024;
const STORES = ['memory', 'lmdb'] as const;
/** The first one has the goals. */
const SHAPES: readonly Shape[] = [
  { kind: 'echo', workers: 1_000, bytes: 64 },
  { kind: 'counter', workers: 1_000, bytes: null },
  { kind: 'echo', workers: 1_000, bytes: KiB },
  { kind: 'echo', workers: 1, bytes: 64 },
  { kind: 'echo', workers: 100, bytes: 64 },
  { kind: 'echo', workers: 10_000, bytes: 64 },
];
const EFFORTS = {
  quick: { rounds: 1, warmUpMs: 400, forMs: 600, shapes: SHAPES.slice(0, 2), batchRounds: 1, batchMs: 1_000 },
  full: { rounds: 5, warmUpMs: 1_000, forMs: 2_000, shapes: SHAPES, batchRounds: 5, batchMs: 2_000 },
} as const satisfies Record<Effort, unknown>;

const IN_FLIGHT = 1_024;
const RATE = `asks/s, ${IN_FLIGHT.toLocaleString('en')} in flight`;
const RATE_GOAL = 50_000;
const RATIO_GOAL = 0.4;
const BATCH_GOAL = 100_000;
const BATCH_WORKERS = 100;
const WITHIN_MS = 120_000;

export const store: Scenario = {
  name: 'store',
  question:
    'asks per second, and inputs per second over HTTP, with the store in memory and on disk; what the disk does',
  run: async (effort): Promise<Findings> => {
    const { rounds, shapes, batchRounds, batchMs, ...times } = EFFORTS[effort];
    const subjects = shapes.flatMap((shape) => STORES.map((kept) => asked({ ...shape, store: kept, ...times })));
    const [headline] = SHAPES;
    if (headline === undefined) throw new Error('there is a headline');
    const asks = await interleave(subjects, rounds);
    const batches = await measureBatches(batchRounds, batchMs);
    const syncs = await syncsPerCommit({ ...headline, store: 'lmdb', ...times });
    const measures = [...asks, ...batches, ...(syncs === null ? [] : [syncs])].map((measure) =>
      measure.subject === nameOf(headline, 'lmdb') && measure.quantity === RATE
        ? { ...measure, atLeast: RATE_GOAL }
        : measure,
    );
    const ratios = shapes.map((shape): Ratio => {
      const [memory, lmdb] = STORES.map((kept) => nameOf(shape, kept));
      const [under, over] = [memory, lmdb].map((name = '') => roundsOf(asks, name, RATE));
      const perRound = pairwise(over ?? [], under ?? []);
      return { label: `${lmdb} : ${memory}`, perRound, ...(shape === headline && { atLeast: RATIO_GOAL }) };
    });
    const notes = [await describeDisk(), ...(syncs === null ? ['fdatasync is not counted: there is no strace'] : [])];
    return { measures, ratios, notes, chart: { of: 'measures', scale: 'linear' } };
  },
};

function nameOf({ kind, workers, bytes }: Shape, kept: StoreRequest['store']): string {
  const what = bytes === null ? kind : `${kind} of ${bytes === KiB ? '1 KiB' : `${bytes} B`}`;
  return `${kept}, ${what}, ${workers.toLocaleString('en')} worker${workers === 1 ? '' : 's'}`;
}

/** Each turn in a process of its own. */
function asked(request: Omit<StoreRequest, 'inFlight'>): Subject {
  return {
    name: nameOf(request, request.store),
    turn: async () => {
      const turn = (await askNewProcess('store', { ...request, inFlight: IN_FLIGHT }, WITHIN_MS)) as StoreTurn;
      return { [RATE]: turn.perSecond, ...(turn.disk !== null && diskQuantities(turn.disk)) };
    },
  };
}

function diskQuantities(disk: DiskUse): Record<string, number> {
  return {
    'commits/s': disk.commitsPerSecond,
    'asks per commit': disk.asksPerCommit,
    'KiB per commit': disk.bytesPerCommit / KiB,
    'bytes of journal per ask': disk.bytesPerAsk,
    ...(disk.writtenBytesPerAsk !== null && { 'bytes written per ask, with the tables': disk.writtenBytesPerAsk }),
    'p50 of a commit in ms': disk.commitP50Ms,
    'p99 of a commit in ms': disk.commitP99Ms,
  };
}

/** Commits of the journal; the tables take some of their own when nobody asks. */
async function syncsPerCommit(request: Omit<StoreRequest, 'inFlight'>): Promise<Measure | null> {
  const counted = await countSyncs<StoreTurn>('store', { ...request, inFlight: IN_FLIGHT }, WITHIN_MS);
  const disk = counted?.answer.disk ?? null;
  if (counted === null || disk === null) return null;
  const perRound = [counted.syncs / disk.commitsInAll];
  return { subject: nameOf(request, 'lmdb'), quantity: 'fdatasync per commit, by strace', perRound };
}

async function measureBatches(rounds: number, forMs: number): Promise<Measure[]> {
  const closers: (() => Promise<void>)[] = [];
  try {
    const peer = forkPeer(processUrl('http-batches'));
    closers.push(() => peer.close());
    const subjects: Subject[] = [];
    for (const kept of STORES) {
      const dataDir = await makeDataDir('store-batch');
      closers.push(() => rm(dataDir, { recursive: true }));
      const standalone = await openStandalone({ actor: counterActor, hosts: 1, dataDir, store: kept });
      closers.push(() => standalone.close());
      const counters = await createCounters(standalone, BATCH_WORKERS);
      const request = { to: 'worker', workerIds: counters.ids, forMs } as const;
      const send = () => sendBatches(peer, standalone, request);
      subjects.push(countedSubject(`${kept}, POST …/workers/ID/inputs, 256 each`, counters, send));
    }
    for (const subject of subjects) await subject.turn();
    const found = await interleave(subjects, rounds);
    return found.map((measure) =>
      measure.quantity === ACKNOWLEDGED && measure.subject.startsWith('lmdb')
        ? { ...measure, atLeast: BATCH_GOAL }
        : measure,
    );
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

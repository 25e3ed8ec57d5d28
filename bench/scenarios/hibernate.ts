// What do a million workers cost that hibernate in a durable store, and how long does it take to wake one?

import { rm } from 'node:fs/promises';
import type { Filled, FillRequest, WakeRequest, Woken } from '../processes/hibernate.ts';
import { askNewProcess } from '../support/child.ts';
import { describeDisk, makeDataDir } from '../support/data-dir.ts';
import type { ProcessMemory } from '../support/process.ts';
import type { Effort, Findings, Measure, Scenario } from '../support/scenario.ts';
import type { Percentiles } from '../support/statistics.ts';

/** They are created once, and started on as often as there are rounds. */
const EFFORTS = {
  quick: { rounds: 1, workers: 50_000, alone: 1_000, together: 5_000 },
  full: { rounds: 3, workers: 1_000_000, alone: 10_000, together: 50_000 },
} as const satisfies Record<Effort, unknown>;

const MiB = 1_024 * 1_024;
const FILL_WITHIN_MS = 600_000;
const WAKE_WITHIN_MS = 180_000;
const RSS = 'RSS in MiB';
const P99 = 'p99 in ms';
const [STARTED, LISTED, ALONE] = ['after the start', 'after three pages of them', 'hibernated, one at a time'];
const GOALS = new Map([
  [`${STARTED} ${RSS}`, 400],
  [`${LISTED} ${RSS}`, 400],
  [`${ALONE} ${P99}`, 5],
]);

export const hibernate: Scenario = {
  name: 'hibernate',
  question: 'memory of a process whose workers all hibernate in a durable store, and the time until one has answered',
  run: async (effort): Promise<Findings> => {
    const { rounds, workers, alone, together } = EFFORTS[effort];
    const dataDir = await makeDataDir('hibernate');
    try {
      const filled = (await ask({ step: 'fill', dataDir, workers }, FILL_WITHIN_MS)) as Filled;
      const turns: Woken[] = [];
      for (let round = 0; round < rounds; round++) {
        const skipped = round * (alone + together);
        const request = { step: 'wake', dataDir, workers, skipped, alone, together } as const;
        turns.push((await ask(request, WAKE_WITHIN_MS)) as Woken);
      }
      const size = `${workers.toLocaleString('en')} workers, each has handled one input`;
      const notes = [await describeDisk(), `${size}; ${(filled.fileBytes / MiB).toFixed(0)} MiB on disk`];
      const measures = measuresOf(filled, turns).map((measure) => {
        const atMost = GOALS.get(`${measure.subject} ${measure.quantity}`);
        return atMost === undefined ? measure : { ...measure, atMost };
      });
      return { measures, ratios: [], notes, chart: { of: 'measures', scale: 'linear' } };
    } finally {
      await rm(dataDir, { recursive: true });
    }
  },
};

function ask(request: FillRequest | WakeRequest, withinMs: number): Promise<unknown> {
  return askNewProcess('hibernate', request, withinMs);
}

function measuresOf(filled: Filled, turns: readonly Woken[]): Measure[] {
  const all = 'all workers';
  return [
    { subject: all, quantity: 'created/s by createAll', perRound: [filled.createdPerSecond] },
    { subject: all, quantity: 'first inputs/s', perRound: [filled.handledPerSecond] },
    { subject: all, quantity: 'ms to start again', perRound: turns.map(({ startMs }) => startMs) },
    ...memoryOf(STARTED, turns, ({ started }) => started),
    ...memoryOf(LISTED, turns, ({ listed }) => listed),
    ...memoryOf('after waking', turns, ({ woken }) => woken),
    ...timesOf(ALONE, turns, ({ alone }) => alone),
    ...timesOf('hibernated, 64 in flight', turns, ({ together }) => together),
    ...timesOf('awake, one at a time', turns, ({ awake }) => awake),
  ];
}

function memoryOf(subject: string, turns: readonly Woken[], of: (turn: Woken) => ProcessMemory | null): Measure[] {
  const found = turns.map(of).filter((memory) => memory !== null);
  if (found.length === 0) return [];
  const each = (pick: (memory: ProcessMemory) => number): number[] => found.map((memory) => pick(memory) / MiB);
  return [
    { subject, quantity: RSS, perRound: each(({ rss }) => rss) },
    { subject, quantity: 'of it anonymous', perRound: each(({ anon }) => anon) },
    { subject, quantity: 'of it pages of files', perRound: each(({ file }) => file) },
  ];
}

function timesOf(subject: string, turns: readonly Woken[], of: (turn: Woken) => Percentiles): Measure[] {
  return [
    { subject, quantity: 'p50 in ms', perRound: turns.map((turn) => of(turn).p50) },
    { subject, quantity: P99, perRound: turns.map((turn) => of(turn).p99) },
  ];
}

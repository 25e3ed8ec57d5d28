// How long does a store with many waiting inputs take to come back after a crash, in how much memory, and how long until all
// of them have run?

import { constants } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FOLD_BYTES } from '../../lib/lmdb/fold.ts';
import { WINDOW_PER_HOST } from '../../lib/limits.ts';
import { FILE_NAME } from '../../lib/open-store.ts';
import type { BuildRequest, Built } from '../processes/store-build.ts';
import { INPUTS_EACH, requireAllRun, untilAllRun, untilRun } from '../support/built.ts';
import { askNewProcess } from '../support/child.ts';
import { describeDisk, makeDataDir } from '../support/data-dir.ts';
import { memoryOf, watchMemory } from '../support/process.ts';
import { interleave } from '../support/rounds.ts';
import type { Subject } from '../support/rounds.ts';
import { counterActor } from '../support/runtime.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { openStandalone } from '../support/standalone.ts';
import type { Standalone } from '../support/standalone.ts';

const EFFORTS = {
  quick: { rounds: 1, workers: 10_000 },
  full: { rounds: 3, workers: 100_000 },
} as const satisfies Record<Effort, unknown>;

const MiB = 1_024 * 1_024;
/** Just below what is put into the tables without waiting for a quiet moment; a small store has less in all. */
const JOURNAL_BYTES = FOLD_BYTES - MiB;
const QUICK_JOURNAL_BYTES = 2 * MiB;
const BUILD_WITHIN_MS = 300_000;
const READY = 'ms to the ready line';
const MOST_UNTIL_READY = 'RSS in MiB, most until ready';
const GOALS = new Map([
  [READY, 5_000],
  [MOST_UNTIL_READY, 400],
]);

interface Case {
  readonly name: string;
  readonly from: 'tables' | 'journal';
  /** Ended by a SIGKILL when half of the workers were through, and started once more. */
  readonly isKilled: boolean;
}

const CASES: readonly Case[] = [
  { name: 'all in the tables', from: 'tables', isKilled: false },
  { name: 'the end of it in the journal', from: 'journal', isKilled: false },
  { name: 'killed when half had run', from: 'tables', isKilled: true },
];

export const recovery: Scenario = {
  name: 'recovery',
  question: `a start of the command line on a store of many workers with ${INPUTS_EACH} waiting inputs each: time and memory until it is ready, and until all have run`,
  run: async (effort): Promise<Findings> => {
    const { rounds, workers } = EFFORTS[effort];
    const dataDir = await makeDataDir('recovery');
    try {
      const notes = [await describeDisk(), 'the file was copied just before and is in the cache of the system'];
      for (const from of ['tables', 'journal'] as const) {
        const inJournal = effort === 'full' ? JOURNAL_BYTES : QUICK_JOURNAL_BYTES;
        const journalBytes = from === 'tables' ? 0 : inJournal;
        const built = await build({ dataDir: join(dataDir, from), workers, journalBytes });
        const sizes = `${mib(built.fileBytes)} MiB on disk, ${mib(built.journalBytes)} MiB of it in the journal`;
        notes.push(`${from}: ${workers.toLocaleString('en')} workers, ${sizes}`);
      }
      const found = await interleave(
        CASES.map((one) => recovered(one, dataDir, workers)),
        rounds,
      );
      const measures = found.map((measure) => {
        const atMost = GOALS.get(measure.quantity);
        return atMost === undefined ? measure : { ...measure, atMost };
      });
      return { measures, ratios: [], notes, chart: { of: 'measures', scale: 'linear' } };
    } finally {
      await rm(dataDir, { recursive: true });
    }
  },
};

function mib(bytes: number): string {
  return (bytes / MiB).toFixed(0);
}

async function build(request: BuildRequest): Promise<Built> {
  await mkdir(request.dataDir);
  return (await askNewProcess('store-build', request, BUILD_WITHIN_MS)) as Built;
}

function recovered({ name, from, isKilled }: Case, dataDir: string, workers: number): Subject {
  return {
    name,
    turn: async () => {
      const copy = join(dataDir, 'copy');
      await mkdir(copy);
      try {
        await copyFile(join(dataDir, from, FILE_NAME), join(copy, FILE_NAME), constants.COPYFILE_FICLONE);
        if (isKilled) await killHalfway(copy, workers);
        return await measure(copy, workers, isKilled ? WINDOW_PER_HOST : 0);
      } finally {
        await rm(copy, { recursive: true });
      }
    },
  };
}

function open(dataDir: string): Promise<Standalone> {
  return openStandalone({ actor: counterActor, hosts: 1, dataDir, store: 'lmdb' });
}

async function killHalfway(dataDir: string, workers: number): Promise<void> {
  const standalone = await open(dataDir);
  try {
    await untilRun(standalone, Math.floor(workers / 2));
  } finally {
    await standalone.kill();
  }
}

async function measure(dataDir: string, workers: number, maxUnknown: number): Promise<Record<string, number>> {
  const startMs = performance.now();
  const standalone = await open(dataDir);
  try {
    const readyMs = performance.now() - startMs;
    const ready = memoryOf(standalone.pid);
    const watch = watchMemory(standalone.pid);
    let runMs = 0;
    try {
      await untilAllRun(standalone, workers);
      runMs = performance.now() - startMs;
    } finally {
      watch.end();
    }
    const most = watch.most();
    await requireAllRun(standalone, workers, maxUnknown);
    return {
      [READY]: readyMs,
      ...(ready !== null && {
        [MOST_UNTIL_READY]: ready.mostRss / MiB,
        'RSS in MiB when ready': ready.rss / MiB,
        'of it anonymous': ready.anon / MiB,
        'of it pages of files': ready.file / MiB,
      }),
      'ms until all inputs have run': runMs,
      ...(most !== null && {
        'RSS in MiB, most until all have run': most.mostRss / MiB,
        'anonymous, most until then': most.anon / MiB,
        'pages of files, most until then': most.file / MiB,
      }),
    };
  } finally {
    await standalone.close();
  }
}

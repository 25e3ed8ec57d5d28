// The store scenario: asks to a runtime with a store in memory or on disk, in a process that does nothing else, and what the
// disk had to do for them.

import { rm } from 'node:fs/promises';
import { createRuntime } from '../../lib/index.ts';
import type { Runtime, StorageView, WorkerHandle } from '../../lib/index.ts';
import { answerRequests } from '../support/child.ts';
import { makeDataDir } from '../support/data-dir.ts';
import { holdInFlight } from '../support/load.ts';
import type { Ask } from '../support/load.ts';
import { writtenBytes } from '../support/process.ts';
import { nextQuestion, questionOf } from '../support/question.ts';
import { closeRuntime, counterActor, createWorkers, drawFrom, echoActor, touchAll } from '../support/runtime.ts';

export interface StoreRequest {
  readonly store: 'memory' | 'lmdb';
  /** `counter` has a state, and takes no payload but a number. */
  readonly kind: 'echo' | 'counter';
  readonly workers: number;
  /** Of each question, as JSON. Null: about 64, see `nextQuestion`. */
  readonly bytes: number | null;
  readonly inFlight: number;
  readonly warmUpMs: number;
  readonly forMs: number;
}

export interface StoreTurn {
  readonly perSecond: number;
  /** Null for a store in memory. */
  readonly disk: DiskUse | null;
}

export interface DiskUse {
  /** Since the process began. */
  readonly commitsInAll: number;
  readonly commitsPerSecond: number;
  readonly asksPerCommit: number;
  /** Of the journal. */
  readonly bytesPerCommit: number;
  /** Of the journal. */
  readonly bytesPerAsk: number;
  /** All that was written, in whole pages: journal and tables. Null where the system does not say. */
  readonly writtenBytesPerAsk: number | null;
  readonly commitP50Ms: number;
  readonly commitP99Ms: number;
}

const LOOK_EVERY_MS = 20;

async function measure(request: StoreRequest): Promise<StoreTurn> {
  const { store, kind, workers, bytes, inFlight, warmUpMs, forMs } = request;
  const dataDir = await makeDataDir('store');
  try {
    const actors = [kind === 'echo' ? echoActor : counterActor];
    const runtime = await createRuntime({ actors, hosts: 1, store, dataDir });
    const handles = await createWorkers(runtime, workers, { kind });
    await touchAll(handles, kind === 'echo' ? nextQuestion : () => ({ add: 0 }));
    const { ask, check } = kind === 'echo' ? echoes(handles) : counts(handles);
    const load = { inFlight, question: bytes === null ? nextQuestion : () => questionOf(bytes) };
    await holdInFlight(ask, { ...load, forMs: warmUpMs });
    const watch = await watchDisk(runtime);
    const { asked, perSecond } = await holdInFlight(ask, { ...load, forMs });
    const disk = await watch.end(asked, asked / perSecond);
    await check();
    await closeRuntime(runtime);
    return { perSecond, disk };
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

interface Load {
  readonly ask: Ask;
  /** Rejects unless all that was asked has been kept. */
  readonly check: () => Promise<void>;
}

function echoes(handles: readonly WorkerHandle[]): Load {
  const draw = drawFrom(handles);
  return { ask: (question) => draw().ask(question), check: () => Promise.resolve() };
}

/** A total cannot be told to be right by itself: the sum of all of them in the end is. */
function counts(handles: readonly WorkerHandle[]): Load {
  const draw = drawFrom(handles);
  let answered = 0;
  return {
    ask: async (question) => {
      const total = await draw().ask({ add: 1 });
      if (typeof total !== 'number') throw new Error(`a counter has answered ${JSON.stringify(total)}`);
      answered++;
      return { ...question };
    },
    check: async () => {
      const totals = await Promise.all(handles.map((handle) => handle.ask({ add: 0 })));
      const sum = totals.reduce<number>((all, one) => all + (one as number), 0);
      if (sum !== answered) throw new Error(`${answered} were counted, the totals are ${sum}`);
    },
  };
}

interface DiskWatch {
  end(asks: number, seconds: number): Promise<DiskUse | null>;
}

/** The journal shrinks when it is put into the tables, so it is looked at often, and counted where it grows. */
async function watchDisk(runtime: Runtime): Promise<DiskWatch> {
  const look = async (): Promise<StorageView | null> => (await runtime.describe()).storage;
  const first = await look();
  if (first === null) return { end: () => Promise.resolve(null) };
  const firstWritten = writtenBytes();
  let [last, bytes, commits] = [first, 0, 0];
  const add = (next: StorageView | null): void => {
    if (next === null) return;
    if (next.journalBytes > last.journalBytes) {
      bytes += next.journalBytes - last.journalBytes;
      commits += next.commits - last.commits;
    }
    last = next;
  };
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = look().then(add);
  }, LOOK_EVERY_MS);
  return {
    end: async (asks, seconds) => {
      clearInterval(timer);
      await looking;
      add(await look());
      const written = writtenBytes();
      const made = last.commits - first.commits;
      const bytesPerCommit = bytes / commits;
      return {
        commitsInAll: last.commits,
        commitsPerSecond: made / seconds,
        asksPerCommit: asks / made,
        bytesPerCommit,
        bytesPerAsk: (bytesPerCommit * made) / asks,
        writtenBytesPerAsk: written === null || firstWritten === null ? null : (written - firstWritten) / asks,
        commitP50Ms: last.commitMs.p50,
        commitP99Ms: last.commitMs.p99,
      };
    },
  };
}

answerRequests((request) => measure(request as StoreRequest));

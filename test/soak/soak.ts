// One soak: a runtime with real threads and processes under a mixed load, faults that are real as well, and an end at which nothing may be
// left. The seed decides what is done in which order; what that meets depends on the time, so a run can be repeated but not replayed.

import { setTimeout as wait } from 'node:timers/promises';
import { collectGarbage } from '../../bench/support/machine.ts';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import type { CloseReport } from '../../lib/protocol/views.ts';
import { randomFrom } from '../support/random.ts';
import { runBatches } from './batches.ts';
import { Book } from './book.ts';
import { FAULTS, runFaults } from './faults.ts';
import { countChildren, handles, moreHandles, Threads } from './leftovers.ts';
import { runLane } from './load.ts';
import { ASK_MS, COMMAND_MS, statusOf } from './scene.ts';
import type { Place, Scene } from './scene.ts';
import { Watch } from './watch.ts';
import type { Sample } from './watch.ts';
import type { Worked } from './work.ts';

const ACTORS = [new URL('./actors/', import.meta.url), new URL('../fixtures/actors/', import.meta.url)];
const MiB = 1_024 * 1_024;
/** After the last fault, until everything is as it should be. */
const SETTLE_MS = 60_000;
const LOOK_EVERY_MS = 50;
const CLOSE_MS = 20_000;

export interface SoakOptions extends Pick<RuntimeOptions, 'store' | 'dataDir' | 'log'> {
  readonly seed: number;
  readonly durationMs: number;
  /** Shared hosts. */
  readonly hosts: number;
  /** Only faults that cost little, and fewer workers. */
  readonly isQuick: boolean;
  /** Names of those that are to happen. Default: all. */
  readonly only?: readonly string[] | undefined;
  readonly onSample?: (sample: Sample) => void;
}

export interface FaultFigures {
  count: number;
  /** Until a good answer came again, of those where that is told. */
  readonly againMs: number[];
}

export interface SoakReport {
  readonly samples: readonly Sample[];
  readonly counts: Record<string, number>;
  readonly outcomes: Record<string, number>;
  readonly faults: Record<string, FaultFigures>;
  readonly loopDelayMs: { readonly p99: number; readonly max: number };
  readonly close: CloseReport;
  /** Timers that were set and did not come: they went with a worker that was stopped, or ended as unknown with a host. */
  readonly timersLost: number;
  /** Heap of the main thread in the end, with all workers, after a collection. */
  readonly livingMiB: number;
  readonly violations: number;
  readonly examples: readonly string[];
}

const POPULATION = { soaked: 120, 'soaked-again': 40, 'soaked-apart': 4, 'soaked-alone': 3 } as const;
const QUICK_POPULATION = { soaked: 20, 'soaked-again': 10, 'soaked-apart': 2, 'soaked-alone': 1 } as const;
const LANES = 24;
const FAULT_LANES = 2;
const FAULT_PAUSE_MS = [200, 1_500] as const;

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const before = handles();
  const threads = new Threads();
  const book = new Book();
  const runtime = await createRuntime({
    actors: ACTORS,
    hosts: options.hosts,
    store: options.store,
    dataDir: options.dataDir,
    log: options.log,
    limits: {
      stuckAfterMs: 1_000,
      cancelGraceMs: 500,
      sharedHeapBytes: 160 * MiB,
      dedicatedHeapBytes: 160 * MiB,
      processHeapBytes: 128 * MiB,
    },
  });
  const watch = new Watch(runtime, book, threads, options.hosts);
  const faults: Record<string, FaultFigures> = {};
  const timersLost = await work(options, runtime, book, watch, faults);
  const livingMiB = livingHeapMiB();
  await settled(book, 'hosts', () => isWhole(runtime, threads, options.hosts));
  await clear(runtime, book);
  const close = await closed(runtime, book);
  if (close.killed > 0 || close.uncleanTotal > 0) book.violated(`the end was not clean: ${JSON.stringify(close)}`);
  await settled(book, 'the end', () => leftovers(runtime, threads, before));
  threads.stop();
  const { counts, outcomes, violations, examples } = book;
  const { samples, loopDelayMs } = watch;
  return { samples, counts, outcomes, faults, loopDelayMs, close, timersLost, livingMiB, violations, examples };
}

function livingHeapMiB(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / MiB;
}

/** Everything that goes on at once, until the time is over and all of it has ended. Returns how many timers did not come. */
async function work(
  { seed, durationMs, isQuick, only, onSample, log, store }: SoakOptions,
  runtime: Runtime,
  book: Book,
  watch: Watch,
  faults: Record<string, FaultFigures>,
): Promise<number> {
  const random = randomFrom(seed);
  let lastId = 0;
  const nextId = (prefix: string): string => `${prefix}-${++lastId}`;
  const places = await populate(runtime, isQuick ? QUICK_POPULATION : POPULATION, nextId);
  const endMs = performance.now() + durationMs;
  const isOver = (): boolean => performance.now() >= endMs;
  const isDurable = store === 'lmdb';
  const scene: Scene = { runtime, book, random, isDurable, places, children: new Set(), nextId, isOver };
  const onFault = async (name: string, again: Promise<number | undefined>): Promise<void> => {
    log?.info({ fault: name }, 'fault');
    const tookMs = await again;
    watch.faults++;
    const figures = (faults[name] ??= { count: 0, againMs: [] });
    figures.count++;
    if (tookMs !== undefined) figures.againMs.push(tookMs);
  };
  const chosen = FAULTS.filter((fault) => (fault.isQuick || !isQuick) && (only?.includes(fault.name) ?? true));
  let hasEnded = false;
  const lanes = Promise.all([
    runBatches(scene),
    ...Array.from({ length: LANES }, () => runLane(scene)),
    ...Array.from({ length: FAULT_LANES }, () => runFaults(scene, chosen, FAULT_PAUSE_MS, onFault)),
  ]).finally(() => (hasEnded = true));
  await Promise.all([lanes, watch.run(() => hasEnded, onSample ?? (() => undefined))]);
  await settled(book, 'inputs', () => {
    book.sweep();
    return book.waiting + book.open === 0 ? null : `${book.waiting} inputs and ${book.open} promises`;
  });
  return countLostTimers(scene);
}

async function populate(
  runtime: Runtime,
  population: Record<string, number>,
  nextId: (prefix: string) => string,
): Promise<Place[]> {
  const kinds = Object.entries(population).flatMap(([kind, count]) => Array.from({ length: count }, () => kind));
  return Promise.all(
    kinds.map(async (kind) => ({
      kind,
      handle: await runtime.create({ kind, workerId: nextId(kind) }),
      no: 0,
      extraTimers: 0,
    })),
  );
}

/** Asks every worker for the last time. */
async function countLostTimers({ book, places }: Scene): Promise<number> {
  let lost = 0;
  for (const place of places) {
    const no = ++place.no;
    if (['failed', 'stopped'].includes(statusOf(place.handle)))
      await book.settle('restore', COMMAND_MS, place.handle.restore());
    const answer = await book.settle('last ask', ASK_MS, place.handle.ask({ op: 'work', no }, { timeoutMs: ASK_MS }));
    if (answer === undefined) {
      book.violated(`${place.handle.workerId} did not answer at the end`);
      continue;
    }
    book.answered(place.handle.workerId, no, answer as Worked, place.extraTimers);
    const { armed, ticked } = (answer as Worked).state;
    lost += armed - ticked;
  }
  return lost;
}

/** Whether as many threads live as there should, all of them ready; otherwise why not. */
function isWhole(runtime: Runtime, threads: Threads, wanted: number): string | null {
  const hosts = runtime.hosts();
  const shared = hosts.filter(({ isolation, status }) => isolation === 'shared' && status === 'ready').length;
  const ofThreads = hosts.filter(({ isolation }) => isolation !== 'process').length;
  const others = hosts.filter(({ status }) => status !== 'ready').map(({ hostId, status }) => `${hostId} ${status}`);
  if (shared === wanted && threads.alive === ofThreads && others.length === 0) return null;
  return `${shared} shared hosts of ${wanted}, ${threads.alive} threads for ${ofThreads} hosts, ${others.join()}`;
}

/** Forgets every worker; then there is none, and no process or thread of one. */
async function clear(runtime: Runtime, book: Book): Promise<void> {
  for (const { workerId } of [...runtime.workers({ origin: 'actor' })]) {
    // With its parent it may be gone already.
    await book.settle('last delete', COMMAND_MS, runtime.supervisor.delete(workerId, { force: true }));
  }
  await settled(book, 'workers', async () => {
    const { workers, mailbox } = await runtime.describe();
    const own = runtime.hosts().filter(({ isolation }) => isolation !== 'shared').length;
    const processes = countChildren() ?? 0;
    const left = { workers: workers.total, mailbox: mailbox.messages, own, processes };
    return Object.values(left).every((count) => count === 0) ? null : JSON.stringify(left);
  });
}

async function closed(runtime: Runtime, book: Book): Promise<CloseReport> {
  const report = await book.settle('close', CLOSE_MS, runtime.close({ deadlineMs: CLOSE_MS }));
  book.stop();
  if (report === undefined) throw new Error('the runtime does not close');
  return report;
}

function leftovers(runtime: Runtime, threads: Threads, before: Record<string, number>): string | null {
  const handlesLeft = moreHandles(before);
  const left = { threads: threads.alive, processes: countChildren() ?? 0, timers: runtime.supervisor.wheel.size };
  const isNone = Object.values(left).every((count) => count === 0) && Object.keys(handlesLeft).length === 0;
  return isNone ? null : JSON.stringify({ ...left, handles: handlesLeft });
}

/** Until `look` has nothing to say; what it still says after a while is a violation. */
async function settled(book: Book, what: string, look: () => string | null | Promise<string | null>): Promise<void> {
  let left: string | null = null;
  for (const endMs = performance.now() + SETTLE_MS; performance.now() < endMs; await wait(LOOK_EVERY_MS)) {
    left = await look();
    if (left === null) return;
  }
  book.violated(`after ${SETTLE_MS / 1_000} s, ${what}: ${left ?? ''}`);
}

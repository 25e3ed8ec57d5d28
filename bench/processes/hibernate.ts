// The hibernate scenario, in processes that do nothing else: one that creates the workers and has each handle an input, and
// one that starts on what the first has left, looks at them, and wakes some.

import { createRuntime } from '../../lib/index.ts';
import type { Runtime, WorkerHandle } from '../../lib/index.ts';
import { builtId } from '../support/built.ts';
import { answerRequests } from '../support/child.ts';
import { collectGarbage } from '../support/machine.ts';
import { memoryOf } from '../support/process.ts';
import type { ProcessMemory } from '../support/process.ts';
import { closeRuntime, counterActor } from '../support/runtime.ts';
import { percentiles } from '../support/statistics.ts';
import type { Percentiles } from '../support/statistics.ts';

interface Common {
  readonly dataDir: string;
  /** All there are. */
  readonly workers: number;
}

export interface FillRequest extends Common {
  readonly step: 'fill';
}

export interface Filled {
  readonly createdPerSecond: number;
  /** Each worker has handled one. */
  readonly handledPerSecond: number;
  readonly fileBytes: number;
  readonly journalBytes: number;
}

export interface WakeRequest extends Common {
  readonly step: 'wake';
  /** Workers that were woken before, by other processes: others are woken now. */
  readonly skipped: number;
  /** Workers that are woken one at a time. */
  readonly alone: number;
  /** Workers that are woken with 64 in flight. */
  readonly together: number;
}

export interface Woken {
  readonly startMs: number;
  /** Null on other systems than Linux. */
  readonly started: ProcessMemory | null;
  readonly listed: ProcessMemory | null;
  readonly woken: ProcessMemory | null;
  /** In ms. */
  readonly alone: Percentiles;
  /** In ms, with 64 in flight. */
  readonly together: Percentiles;
  /** In ms: workers that are awake, one at a time. */
  readonly awake: Percentiles;
}

const ADDED = 7;
const IN_FLIGHT = 64;
/** The last that were woken are asked once more. */
const AWAKE = 1_000;
const FILLED_AT_ONCE = 1_024;
const START_TIMEOUT_MS = 120_000;
const PAGES = 3;
const PAGE = 1_000;
/** Coprime to every number of workers that is a power of ten: no worker comes twice, and none next to the one before. */
const STRIDE = 617_161;

async function open({ dataDir, workers }: Common): Promise<Runtime> {
  const limits = { maxWorkers: workers, startTimeoutMs: START_TIMEOUT_MS };
  return createRuntime({ actors: [counterActor], hosts: 1, store: 'lmdb', dataDir, limits });
}

async function fill(request: FillRequest): Promise<Filled> {
  const { workers } = request;
  const runtime = await open(request);
  const startMs = performance.now();
  let created = 0;
  for await (const { error } of runtime.createAll(requests(workers))) {
    if (error !== null) throw error;
    created++;
  }
  const createdMs = performance.now() - startMs;
  if (created !== workers) throw new Error(`${workers} workers were wanted, ${created} were created`);
  await askEach(numbersTo(workers), FILLED_AT_ONCE, (number) => addTo(runtime, number, ADDED, ADDED));
  const handledMs = performance.now() - startMs - createdMs;
  const { storage } = await runtime.describe();
  await closeRuntime(runtime);
  return {
    createdPerSecond: (created / createdMs) * 1_000,
    handledPerSecond: (workers / handledMs) * 1_000,
    fileBytes: storage?.fileBytes ?? NaN,
    journalBytes: storage?.journalBytes ?? NaN,
  };
}

function* requests(workers: number): Generator<{ kind: string; workerId: string }> {
  for (let number = 0; number < workers; number++) yield { kind: 'counter', workerId: builtId(number) };
}

function* numbersTo(end: number): Generator<number> {
  for (let number = 0; number < end; number++) yield number;
}

async function wake(request: WakeRequest): Promise<Woken> {
  const { workers, skipped, alone, together } = request;
  const startMs = performance.now();
  const runtime = await open(request);
  const startedMs = performance.now() - startMs;
  const started = memory();
  await listSome(runtime, workers);
  const listed = memory();
  const drawn = Array.from({ length: alone + together }, (_, at) => ((skipped + at) * STRIDE) % workers);
  const [numbersAlone, numbersTogether] = [drawn.slice(0, alone), drawn.slice(alone)];
  const wakeAgain = (number: number): Promise<void> => addTo(runtime, number, 1, ADDED + 1);
  const wokenAlone = await timed(numbersAlone, 1, wakeAgain);
  const awake = await timed(numbersAlone.slice(-AWAKE), 1, (number) => addTo(runtime, number, 1, ADDED + 2));
  const wokenTogether = await timed(numbersTogether, IN_FLIGHT, wakeAgain);
  const woken = memory();
  await closeRuntime(runtime);
  return { startMs: startedMs, started, listed, woken, alone: wokenAlone, together: wokenTogether, awake };
}

function memory(): ProcessMemory | null {
  collectGarbage();
  return memoryOf(process.pid);
}

/** Pages of the listing; throws unless all that are listed are hibernated, and the count says so of all. */
async function listSome(runtime: Runtime, workers: number): Promise<void> {
  let left = PAGES * PAGE;
  for (const { workerId, status } of runtime.workers()) {
    if (status !== 'hibernated') throw new Error(`${workerId} is ${status}`);
    if (--left === 0) break;
  }
  const { hibernated } = (await runtime.describe()).workers;
  if (hibernated !== workers) throw new Error(`${hibernated} of ${workers} workers are hibernated`);
}

async function addTo(runtime: Runtime, number: number, add: number, expected: number): Promise<void> {
  const worker: WorkerHandle = runtime.worker(builtId(number));
  const total = await worker.ask({ add });
  if (total !== expected) throw new Error(`a total should be ${expected} and is ${JSON.stringify(total)}`);
}

async function askEach(
  numbers: Iterable<number>,
  inFlight: number,
  ask: (number: number) => Promise<void>,
): Promise<void> {
  const left = numbers[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) await ask(next.value);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

async function timed(
  numbers: readonly number[],
  inFlight: number,
  ask: (number: number) => Promise<void>,
): Promise<Percentiles> {
  const tookMs: number[] = [];
  await askEach(numbers, inFlight, async (number) => {
    const askedMs = performance.now();
    await ask(number);
    tookMs.push(performance.now() - askedMs);
  });
  return percentiles(tookMs);
}

answerRequests((request) => {
  const wanted = request as FillRequest | WakeRequest;
  return wanted.step === 'fill' ? fill(wanted) : wake(wanted);
});

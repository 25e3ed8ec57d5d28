// The density scenario: a fresh process that creates so many workers, and then has each of them handle one input. Memory
// is that of the whole process, after garbage was collected on both sides; nobody keeps a handle.

import { setTimeout as pause } from 'node:timers/promises';
import { createRuntime } from '../../lib/index.ts';
import type { Runtime, WorkerHandle } from '../../lib/index.ts';
import { answerRequests } from '../support/child.ts';
import { collectGarbage } from '../support/machine.ts';
import { nextQuestion, requireAnswer } from '../support/question.ts';
import { benchActor, closeRuntime, createEach, echoActor } from '../support/runtime.ts';

export interface DensityRequest {
  readonly workers: number;
  /** `createAll`, or `create` with many at once. */
  readonly by: 'createAll' | 'create';
}

export interface Density {
  readonly createdPerSecond: number;
  readonly idleBytesEach: number;
  readonly usedBytesEach: number;
  /** Of the new workers: whether they are started, or wait for their first input. */
  readonly status: string;
}

/** The one that collects the garbage. */
const OTHERS = 1;
const USED_AT_ONCE = 1_024;
const COLLECTIONS = 3;
/** The allocator gives pages back a little later. */
const SETTLE_MS = 50;
const START_TIMEOUT_MS = 120_000;

async function measure({ workers, by }: DensityRequest): Promise<Density> {
  const limits = { maxWorkers: workers + OTHERS, startTimeoutMs: START_TIMEOUT_MS };
  const runtime = await createRuntime({ actors: [echoActor, benchActor('collect')], hosts: 1, limits });
  try {
    const collector = await runtime.create({ kind: 'collect' });
    const before = await rssBytes(collector);
    const createdPerSecond = await createIdle(runtime, workers, by);
    const status = await statusOfMost(runtime);
    const idleBytesEach = ((await rssBytes(collector)) - before) / workers;
    await useAll(runtime, workers);
    const usedBytesEach = ((await rssBytes(collector)) - before) / workers;
    return { createdPerSecond, idleBytesEach, usedBytesEach, status };
  } finally {
    await closeRuntime(runtime);
  }
}

async function rssBytes(collector: WorkerHandle): Promise<number> {
  for (let round = 0; round < COLLECTIONS; round++) {
    await collector.ask(null);
    collectGarbage();
    await pause(SETTLE_MS);
  }
  return process.memoryUsage.rss();
}

async function createIdle(runtime: Runtime, workers: number, by: DensityRequest['by']): Promise<number> {
  const startMs = performance.now();
  let created = 0;
  for await (const worker of createEach(runtime, workers, { kind: 'echo' }, by)) if (worker.workerId !== '') created++;
  const perSecond = created / ((performance.now() - startMs) / 1_000);
  if (created !== workers) throw new Error(`${workers} workers were wanted, ${created} were created`);
  return perSecond;
}

async function statusOfMost(runtime: Runtime): Promise<string> {
  const { total, ...counts } = (await runtime.describe()).workers;
  const [most] = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
  return most === undefined ? `none of ${total}` : most[0];
}

async function useAll(runtime: Runtime, workers: number): Promise<void> {
  let answered = 0;
  const use = async (workerId: string): Promise<void> => {
    const question = nextQuestion();
    requireAnswer(question, await runtime.worker(workerId).ask(question));
    answered++;
  };
  let asks: Promise<void>[] = [];
  for (const { workerId } of runtime.workers({ kind: 'echo' })) {
    asks.push(use(workerId));
    if (asks.length < USED_AT_ONCE) continue;
    await Promise.all(asks);
    asks = [];
  }
  await Promise.all(asks);
  if (answered !== workers) throw new Error(`${answered} of ${workers} workers have answered`);
}

answerRequests((request) => measure(request as DensityRequest));

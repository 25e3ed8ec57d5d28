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
}

export interface Density {
  readonly createdPerSecond: number;
  readonly idleBytesEach: number;
  readonly usedBytesEach: number;
}

/** The one that collects the garbage. */
const OTHERS = 1;
const USED_AT_ONCE = 1_024;
const COLLECTIONS = 3;
/** The allocator gives pages back a little later. */
const SETTLE_MS = 50;
const START_TIMEOUT_MS = 120_000;

async function measure({ workers }: DensityRequest): Promise<Density> {
  const limits = { maxWorkers: workers + OTHERS, startTimeoutMs: START_TIMEOUT_MS };
  const runtime = await createRuntime({ actors: [echoActor, benchActor('collect')], hosts: 1, limits });
  try {
    const collector = await runtime.create({ kind: 'collect' });
    const before = await rssBytes(collector);
    const createdPerSecond = await createIdle(runtime, workers);
    const idleBytesEach = ((await rssBytes(collector)) - before) / workers;
    await useAll(runtime, workers);
    return { createdPerSecond, idleBytesEach, usedBytesEach: ((await rssBytes(collector)) - before) / workers };
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

async function createIdle(runtime: Runtime, workers: number): Promise<number> {
  const startMs = performance.now();
  let created = 0;
  for await (const worker of createEach(runtime, workers, { kind: 'echo' })) if (worker.workerId !== '') created++;
  const perSecond = created / ((performance.now() - startMs) / 1_000);
  const { idle = 0 } = (await runtime.describe()).workers;
  if (created !== workers || idle < workers) throw new Error(`${idle} of ${workers} workers are there and idle`);
  return perSecond;
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

answerRequests(
  (request) => measure(request as DensityRequest),
  () => Promise.resolve(),
);

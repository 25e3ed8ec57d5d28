// A runtime of our own for scenarios: its actors, many workers at once, and an end that has to be clean.

import type { Runtime, WorkerHandle } from '../../lib/index.ts';
import { nextQuestion } from './question.ts';

export const echoActor = new URL('../../actors/echo.js', import.meta.url);
export const counterActor = new URL('../../actors/counter.js', import.meta.url);

/** URL of a compiled actor that only benchmarks use. */
export function benchActor(name: string): URL {
  return new URL(`../actors/${name}.js`, import.meta.url);
}

export interface WorkerRequest {
  readonly kind: string;
  readonly config?: unknown;
}

const CREATE_AT_ONCE = 1_024;

/** In order. Rejects when a single one cannot be created. */
export async function createWorkers(
  runtime: Runtime,
  workers: number,
  request: WorkerRequest,
): Promise<WorkerHandle[]> {
  const handles: WorkerHandle[] = [];
  for await (const worker of createEach(runtime, workers, request, 'createAll')) handles.push(worker);
  if (handles.length !== workers) throw new Error(`${workers} workers were wanted, ${handles.length} were created`);
  return handles;
}

/** The same without keeping them. */
export async function* createEach(
  runtime: Runtime,
  workers: number,
  request: WorkerRequest,
  by: 'createAll' | 'create',
): AsyncGenerator<WorkerHandle> {
  const requests = repeat(request, workers);
  if (by === 'create') {
    yield* createOneByOne(runtime, requests);
    return;
  }
  for await (const { worker, error } of runtime.createAll(requests)) {
    if (worker === null) throw error;
    yield worker;
  }
}

async function* createOneByOne(runtime: Runtime, requests: Iterable<WorkerRequest>): AsyncGenerator<WorkerHandle> {
  let batch: Promise<WorkerHandle>[] = [];
  for (const request of requests) {
    batch.push(runtime.create(request));
    if (batch.length < CREATE_AT_ONCE) continue;
    yield* await Promise.all(batch);
    batch = [];
  }
  yield* await Promise.all(batch);
}

function* repeat(request: WorkerRequest, times: number): Generator<WorkerRequest> {
  for (let made = 0; made < times; made++) yield request;
}

const TOUCHED_AT_ONCE = 1_024;

/** The first input of a worker costs more than the next ones; the `density` scenario says what stays. */
export async function touchAll(workers: readonly WorkerHandle[], input: () => unknown = nextQuestion): Promise<void> {
  for (let from = 0; from < workers.length; from += TOUCHED_AT_ONCE) {
    const slice = workers.slice(from, from + TOUCHED_AT_ONCE);
    await Promise.all(slice.map((worker) => worker.ask(input())));
  }
}

/** One after the other in an order without a pattern, each as likely as the others; costs a few nanoseconds. */
export function drawFrom<T>(items: readonly T[]): () => T {
  let state = 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const item = items[(state >>> 0) % items.length];
    if (item === undefined) throw new Error('there is nothing to draw from');
    return item;
  };
}

/** Rejects when inputs had to be cancelled: then an outcome is not what it should have been. */
export async function closeRuntime(runtime: Runtime): Promise<void> {
  const { cancelled } = await runtime.close();
  if (cancelled > 0) throw new Error(`${cancelled} inputs were cancelled`);
}

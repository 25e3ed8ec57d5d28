// Workers of one tier in a process that has done nothing else: how long the first takes to be there and to answer, what each further one
// takes of memory, here and in a process of its own, and how fast one of them answers one question after the other.

import { createRuntime } from '../../lib/index.ts';
import type { Runtime } from '../../lib/index.ts';
import type { Isolation } from '../../lib/protocol/views.ts';
import { answerRequests } from '../support/child.ts';
import { childProcesses, memoryOf } from '../support/process.ts';
import { benchActor, closeRuntime, createWorkers } from '../support/runtime.ts';

export interface IsolationRequest {
  readonly isolation: Isolation;
  readonly workers: number;
  readonly asks: number;
}

const MiB = 1_024 * 1_024;

answerRequests(async (request) => {
  const { isolation, workers, asks } = request as IsolationRequest;
  const kind = `tier-${isolation}`;
  const runtime = await createRuntime({ actors: [benchActor(kind)], hosts: 1 });
  const startMs = performance.now();
  const first = await runtime.create({ kind });
  await first.ask(0);
  const answerMs = performance.now() - startMs;
  const rate = await askOneByOne(first, asks);
  const before = memoryOfAll();
  const others = await createWorkers(runtime, workers, { kind });
  await Promise.all(others.map((worker) => worker.ask(0)));
  const after = memoryOfAll();
  await closeRuntime(runtime);
  return {
    'ms from create to the first answer': answerMs,
    'asks/s, 1 in flight': rate,
    ...(before !== null && after !== null && { 'MiB of each further worker': (after - before) / workers / MiB }),
  };
});

async function askOneByOne(worker: Awaited<ReturnType<Runtime['create']>>, asks: number): Promise<number> {
  const startMs = performance.now();
  for (let question = 1; question <= asks; question++) {
    const answer = await worker.ask(question);
    if (answer !== question) throw new Error(`${question} was answered with ${JSON.stringify(answer)}`);
  }
  return (asks / (performance.now() - startMs)) * 1_000;
}

/** What this process and its children have made of memory: pages of files, such as Node itself, are shared. Null where it cannot be told. */
function memoryOfAll(): number | null {
  const own = memoryOf(process.pid);
  if (own === null) return null;
  return childProcesses().reduce((sum, pid) => sum + (memoryOf(pid)?.anon ?? 0), own.anon);
}

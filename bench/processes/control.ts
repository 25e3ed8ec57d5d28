// The control scenario: other workers keep one host saturated; inputs that run until they are cancelled are started one
// after the other among them, and cancelled, or their worker is stopped.

import { createRuntime } from '../../lib/index.ts';
import type { GreenroomError, Runtime, WorkerHandle } from '../../lib/index.ts';
import { answerRequests } from '../support/child.ts';
import { holdInFlight, within } from '../support/load.ts';
import { benchActor, closeRuntime, createWorkers, drawFrom } from '../support/runtime.ts';
import { percentiles } from '../support/statistics.ts';
import type { Percentiles } from '../support/statistics.ts';

export interface ControlRequest {
  readonly verb: 'cancel' | 'stop';
  readonly how: 'wait' | 'compute';
  /** Work of each handler of the other workers, and between two checkpoints of the cancelled one. */
  readonly workRounds: number;
  readonly samples: number;
}

/** Few, so that the turn of the one that is cancelled comes soon. */
const BUSY_WORKERS = 16;
const BUSY_IN_FLIGHT = 1_024;
/** Behind the running input when its worker is stopped. */
const WAITING = 8;
const WITHIN_MS = 20_000;

async function measure({ verb, how, workRounds: rounds, samples }: ControlRequest): Promise<Percentiles> {
  const runtime = await createRuntime({ actors: [benchActor('work'), benchActor('hold')], hosts: 1 });
  const busy = drawFrom(await createWorkers(runtime, BUSY_WORKERS, { kind: 'work', config: { rounds } }));
  const over = new AbortController();
  const load = (async () => {
    while (!over.signal.aborted) {
      await holdInFlight((question) => busy().ask(question), { inFlight: BUSY_IN_FLIGHT, forMs: 500 });
    }
  })();
  const samplesMs: number[] = [];
  const sampling = (async () => {
    for (let sample = 0; sample < samples; sample++) samplesMs.push(await sampleOnce(runtime, { verb, how, rounds }));
  })();
  try {
    await Promise.race([sampling, load]);
    await sampling;
  } finally {
    over.abort();
    await load;
    await closeRuntime(runtime);
  }
  return percentiles(samplesMs);
}

/** From the command to its effect: the end of the input that was cancelled, the acknowledgement of the stop. In ms. */
async function sampleOnce(
  runtime: Runtime,
  { verb, how, rounds }: { verb: string; how: string; rounds: number },
): Promise<number> {
  const worker = await runtime.create({ kind: 'hold', config: { rounds } });
  const outcome = codeOf(worker.ask(how));
  await running(worker);
  const waiting = verb === 'stop' ? Array.from({ length: WAITING }, () => codeOf(worker.ask(how))) : [];
  const startMs = performance.now();
  if (verb === 'cancel') {
    await worker.cancel();
    await within(outcome, WITHIN_MS, () => 'the cancelled input does not end');
  } else {
    const { cancelled } = await within(worker.stop(), WITHIN_MS, () => 'the stopped worker does not end');
    if (cancelled !== 1 + WAITING) throw new Error(`${cancelled} inputs were cancelled, not ${1 + WAITING}`);
  }
  const tookMs = performance.now() - startMs;
  for (const code of await Promise.all([outcome, ...waiting])) {
    if (code !== 'cancelled') throw new Error(`an input that was cancelled ended as ${code}`);
  }
  await worker.delete({ force: true });
  return tookMs;
}

async function running(worker: WorkerHandle): Promise<void> {
  const giveUpAtMs = performance.now() + WITHIN_MS;
  while (worker.view().running === null) {
    if (performance.now() > giveUpAtMs) throw new Error('the input does not start');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function codeOf(asked: Promise<unknown>): Promise<string> {
  return asked.then(
    () => 'completed',
    (error: GreenroomError) => error.code,
  );
}

answerRequests((request) => measure(request as ControlRequest));

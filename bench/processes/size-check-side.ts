// One side of the size-check scenario: a runtime with the checks on or off, asked on request. Before anything is measured
// it proves on which side it is: in a runtime whose limit is tiny, an ask over the limit is refused with checks and
// answered without them, and the answer passes the checks of the host's thread too.

import { createRuntime } from '../../lib/index.ts';
import type { GreenroomError, WorkerHandle } from '../../lib/index.ts';
import { createWorkers, drawFrom, echoActor } from '../support/runtime.ts';
import { answerRequests } from '../support/child.ts';
import { holdInFlight } from '../support/load.ts';
import { collectGarbage } from '../support/machine.ts';
import { questionOf, requireAnswer } from '../support/question.ts';
import type { Question } from '../support/question.ts';

export interface SideRequest {
  readonly bytes: number;
  readonly inFlight: number;
  readonly forMs: number;
}

const WORKERS = 100;
const TINY_LIMIT_BYTES = 64;

async function proveSide(checks: string): Promise<void> {
  await using runtime = await createRuntime({
    actors: [echoActor],
    hosts: 1,
    limits: { maxMessageBytes: TINY_LIMIT_BYTES },
  });
  const worker = await runtime.create({ kind: 'echo' });
  const question = questionOf(TINY_LIMIT_BYTES * 2);
  const outcome = await worker.ask(question).then(
    (answer) => {
      requireAnswer(question, answer);
      return 'off';
    },
    (error: GreenroomError) => (error.code === 'payload_too_large' ? 'on' : error.code),
  );
  if (outcome !== checks) throw new Error(`the checks should be ${checks}, and are ${outcome}`);
}

const checks = process.argv[2] ?? '';
const opening = open();

async function open(): Promise<{ close: () => Promise<unknown>; workers: WorkerHandle[] }> {
  await proveSide(checks);
  const runtime = await createRuntime({ actors: [echoActor], hosts: 1 });
  const workers = await createWorkers(runtime, WORKERS, { kind: 'echo' });
  return { close: () => runtime.close(), workers };
}

answerRequests(
  async (request) => {
    const { bytes, inFlight, forMs } = request as SideRequest;
    const { workers } = await opening;
    collectGarbage();
    const draw = drawFrom(workers);
    const load = { inFlight, question: () => questionOf(bytes) };
    const ask = (question: Question): Promise<unknown> => draw().ask(question);
    // The other sides had their turns meanwhile: caches, and on some machines memory, have to come back first.
    await holdInFlight(ask, { ...load, forMs: forMs / 2 });
    return (await holdInFlight(ask, { ...load, forMs })).perSecond;
  },
  async () => {
    await (await opening).close();
  },
);

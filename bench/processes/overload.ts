// The overload scenario: a runtime with a small total bound whose handlers take a while. First a closed loop that asks no
// more than it can; then ten times that rate on a schedule, whatever becomes of it. Every input that was sent has an
// outcome: an answer that is checked, or a refusal of one of the codes that say "full".

import { createRuntime } from '../../lib/index.ts';
import type { GreenroomError, WorkerHandle } from '../../lib/index.ts';
import { answerRequests } from '../support/child.ts';
import { holdInFlight, within } from '../support/load.ts';
import { questionOf, requireAnswerTo } from '../support/question.ts';
import type { Question } from '../support/question.ts';
import { watchRss } from '../support/rss.ts';
import { benchActor, closeRuntime, createWorkers, drawFrom } from '../support/runtime.ts';

export interface OverloadRequest {
  /** Of each handler. */
  readonly workRounds: number;
  readonly timesCapacity: number;
  readonly maxTotalBytes: number;
  readonly calmForMs: number;
  readonly overloadedForMs: number;
}

export interface Overload {
  readonly calmPerSecond: number;
  readonly overloadedPerSecond: number;
  /** Sent on the schedule, and what became of it. */
  readonly sent: number;
  readonly completed: number;
  readonly refused: Readonly<Record<string, number>>;
  /** The most under the sustainable load. */
  readonly rssBeforeBytes: number;
  readonly maxRssBytes: number;
}

const WORKERS = 200;
const IN_FLIGHT = 1_024;
const INPUT_BYTES = 1_024;
const WITHIN_MS = 60_000;
const REFUSALS: readonly string[] = ['worker_busy', 'runtime_overloaded'];

async function measure(request: OverloadRequest): Promise<Overload> {
  const { workRounds: rounds, timesCapacity, maxTotalBytes, calmForMs, overloadedForMs } = request;
  const limits = { maxTotalBytes, askTimeoutMs: WITHIN_MS };
  const runtime = await createRuntime({ actors: [benchActor('work')], hosts: 1, limits });
  try {
    const draw = drawFrom(await createWorkers(runtime, WORKERS, { kind: 'work', config: { rounds } }));
    const calm = { inFlight: IN_FLIGHT, forMs: calmForMs, question: () => questionOf(INPUT_BYTES) };
    const ask = (question: Question): Promise<unknown> => draw().ask(question);
    await holdInFlight(ask, calm);
    const before = watchRss();
    const { perSecond } = await holdInFlight(ask, calm);
    const rssBeforeBytes = before.most();
    const during = watchRss();
    const thrown = await throwAt(draw, perSecond * timesCapacity, overloadedForMs);
    return { calmPerSecond: perSecond, rssBeforeBytes, maxRssBytes: during.most(), ...thrown };
  } finally {
    await closeRuntime(runtime);
  }
}

/** Of the question only the number is kept here: a copy of ours would count as memory of the runtime. */
function askNew(worker: WorkerHandle): { readonly id: number; readonly answer: Promise<unknown> } {
  const question = questionOf(INPUT_BYTES);
  return { id: question.id, answer: worker.ask(question) };
}

type Thrown = Pick<Overload, 'sent' | 'completed' | 'refused' | 'overloadedPerSecond'>;

async function throwAt(draw: () => WorkerHandle, perSecond: number, forMs: number): Promise<Thrown> {
  const refused: Record<string, number> = {};
  let [sent, completed, completedInTime] = [0, 0, 0];
  const startMs = performance.now();
  const send = async (): Promise<void> => {
    const { id, answer } = askNew(draw());
    try {
      requireAnswerTo(id, INPUT_BYTES, await answer);
      completed++;
      if (performance.now() - startMs <= forMs) completedInTime++;
    } catch (thrown) {
      const { code } = thrown as GreenroomError;
      if (!REFUSALS.includes(code)) throw thrown;
      refused[code] = (refused[code] ?? 0) + 1;
    }
  };
  const settled = new Promise<void>((resolve, reject) => {
    let [ended, isOver] = [0, false];
    const end = (): void => {
      ended++;
      if (isOver && ended === sent) resolve();
    };
    const sendDue = (): void => {
      const tookMs = performance.now() - startMs;
      isOver = tookMs >= forMs;
      const due = Math.floor((Math.min(tookMs, forMs) * perSecond) / 1_000);
      for (; sent < due; sent++) send().then(end, reject);
      if (!isOver) setImmediate(sendDue);
    };
    sendDue();
  });
  await within(settled, forMs + WITHIN_MS, () => `of ${sent} inputs only ${completed} were answered`);
  const outcomes = Object.values(refused).reduce((sum, count) => sum + count, completed);
  if (outcomes !== sent) throw new Error(`${sent} inputs, ${outcomes} outcomes`);
  return { sent, completed, refused, overloadedPerSecond: (completedInTime * 1_000) / forMs };
}

answerRequests((request) => measure(request as OverloadRequest));

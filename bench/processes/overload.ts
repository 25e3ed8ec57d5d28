// The overload scenario: a runtime with a small total bound whose handlers take a while. First a closed loop that asks no
// more than it can; then ten times that rate on a schedule, whatever becomes of it. Every input that was sent has an
// outcome: an answer that is checked, or a refusal of one of the codes that say "full".

import { createRuntime } from '../../lib/index.ts';
import type { GreenroomError, WorkerHandle } from '../../lib/index.ts';
import { answerRequests } from '../support/child.ts';
import { holdInFlight, within } from '../support/load.ts';
import { collectGarbage } from '../support/machine.ts';
import { questionOf, requireAnswer } from '../support/question.ts';
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
  readonly rssBeforeBytes: number;
  readonly maxRssBytes: number;
}

const WORKERS = 200;
const IN_FLIGHT = 1_024;
const INPUT_BYTES = 1_024;
const LOOK_EVERY_MS = 20;
const WITHIN_MS = 60_000;
const REFUSALS: readonly string[] = ['worker_busy', 'runtime_overloaded'];

async function measure(request: OverloadRequest): Promise<Overload> {
  const { workRounds: rounds, timesCapacity, maxTotalBytes, calmForMs, overloadedForMs } = request;
  const limits = { maxTotalBytes, askTimeoutMs: WITHIN_MS };
  const runtime = await createRuntime({ actors: [benchActor('work')], hosts: 1, limits });
  try {
    const draw = drawFrom(await createWorkers(runtime, WORKERS, { kind: 'work', config: { rounds } }));
    const calm = { inFlight: IN_FLIGHT, question: () => questionOf(INPUT_BYTES) };
    // As long as the measurement itself: what is kept of ended inputs has to be there before, on both sides.
    await holdInFlight((question) => draw().ask(question), { ...calm, forMs: calmForMs });
    const { perSecond } = await holdInFlight((question) => draw().ask(question), { ...calm, forMs: calmForMs });
    collectGarbage();
    const rssBeforeBytes = process.memoryUsage.rss();
    const thrown = await throwAt(draw, perSecond * timesCapacity, overloadedForMs);
    return { calmPerSecond: perSecond, rssBeforeBytes, ...thrown };
  } finally {
    await closeRuntime(runtime);
  }
}

type Thrown = Omit<Overload, 'calmPerSecond' | 'rssBeforeBytes'>;

async function throwAt(draw: () => WorkerHandle, perSecond: number, forMs: number): Promise<Thrown> {
  const refused: Record<string, number> = {};
  let [sent, completed, completedInTime, maxRssBytes] = [0, 0, 0, 0];
  const startMs = performance.now();
  const send = async (): Promise<void> => {
    const question = questionOf(INPUT_BYTES);
    try {
      requireAnswer(question, await draw().ask(question));
      completed++;
      if (performance.now() - startMs <= forMs) completedInTime++;
    } catch (thrown) {
      const { code } = thrown as GreenroomError;
      if (!REFUSALS.includes(code)) throw thrown;
      refused[code] = (refused[code] ?? 0) + 1;
    }
  };
  const look = setInterval(() => (maxRssBytes = Math.max(maxRssBytes, process.memoryUsage.rss())), LOOK_EVERY_MS);
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
  try {
    await within(settled, forMs + WITHIN_MS, () => `of ${sent} inputs only ${completed} were answered`);
  } finally {
    clearInterval(look);
  }
  const outcomes = Object.values(refused).reduce((sum, count) => sum + count, completed);
  if (outcomes !== sent) throw new Error(`${sent} inputs, ${outcomes} outcomes`);
  return { sent, completed, refused, maxRssBytes, overloadedPerSecond: (completedInTime * 1_000) / forMs };
}

answerRequests(
  (request) => measure(request as OverloadRequest),
  () => Promise.resolve(),
);

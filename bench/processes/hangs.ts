// Hangs and deaths in a process that has done nothing else, one after the other, each timed from where the runtime may act to the next good
// answer. What is asked for afterwards waits in the mailbox meanwhile, so nothing is measured by asking again and again.

import { setTimeout as pause } from 'node:timers/promises';
import { createRuntime } from '../../lib/index.ts';
import type { Logger, Runtime, WorkerHandle } from '../../lib/index.ts';
import type { JsHang } from '../actors/hangs.ts';
import { answerRequests } from '../support/child.ts';
import { within } from '../support/load.ts';
import { benchActor, closeRuntime, createWorkers } from '../support/runtime.ts';

export type HangsRequest =
  | { readonly what: 'js'; readonly hang: JsHang; readonly by: 'stuck' | 'cancel'; readonly times: number }
  | { readonly what: 'native'; readonly rounds: number; readonly times: number }
  | { readonly what: 'overflow'; readonly times: number };

export interface Hung {
  /** From the end of the grace until the worker answers, of each. */
  readonly againMs: readonly number[];
  /** From the end of the grace until the kill was ordered, of each. */
  readonly orderedMs: readonly number[];
}

export interface Blocked {
  /** From `stuckAfterMs` after it began until its host was quarantined. */
  readonly recognisedMs: readonly number[];
  /** From then until a neighbour that had waited was answered. */
  readonly neighbourMs: readonly number[];
}

export interface Overflowed {
  /** From the error of the input until the next answer. */
  readonly againMs: readonly number[];
  readonly neighbourAsks: number;
  readonly neighbourFailures: number;
}

const STUCK_AFTER_MS = 500;
const CANCEL_GRACE_MS = 300;
const WITHIN_MS = 60_000;
const MiB = 1_024 * 1_024;
const NEIGHBOURS = 50;
/** By then an input that was sent to an idle host is running. */
const RUNS_AFTER_MS = 100;
const LOOK_EVERY_MS = 20;

answerRequests(async (asked) => {
  const request = asked as HangsRequest;
  const quarantines: number[] = [];
  const log = logOf('host quarantined', () => quarantines.push(performance.now()));
  const runtime = await createRuntime({
    actors: [benchActor('hangs'), benchActor('overflows'), benchActor('tier-shared')],
    hosts: 1,
    log,
    limits: { stuckAfterMs: STUCK_AFTER_MS, cancelGraceMs: CANCEL_GRACE_MS, processHeapBytes: 256 * MiB },
  });
  const found = await measure(request, runtime, quarantines);
  await closeRuntime(runtime);
  return found;
});

function measure(request: HangsRequest, runtime: Runtime, quarantines: number[]): Promise<unknown> {
  switch (request.what) {
    case 'js':
      return hangAll(runtime, request);
    case 'native':
      return blockAll(runtime, request, quarantines);
    case 'overflow':
      return overflowAll(runtime, request.times);
  }
}

/** Calls back for each line that begins so. */
function logOf(beginning: string, onLine: () => void): Logger {
  const write = (_fields: unknown, message: string): void => {
    if (message.startsWith(beginning)) onLine();
  };
  return { debug: write, info: write, warn: write, error: write };
}

/** A worker of its own each: a second death soon after would be followed by a pause. */
async function freshWorker(runtime: Runtime, kind: string): Promise<WorkerHandle> {
  const [worker] = await createWorkers(runtime, 1, { kind });
  if (worker === undefined) throw new Error('there is no worker');
  return worker;
}

async function hangAll(runtime: Runtime, { hang, by, times }: Extract<HangsRequest, { what: 'js' }>): Promise<Hung> {
  const [againMs, orderedMs]: [number[], number[]] = [[], []];
  for (let time = 1; time <= times; time++) {
    const worker = await freshWorker(runtime, 'hangs');
    requireIs(await worker.ask({ answer: time }), time);
    const hostId = worker.view().hostId;
    const [startMs, startedAtMs] = [performance.now(), Date.now()];
    const hung = lost(worker.ask({ hang }, { timeoutMs: WITHIN_MS }));
    // Before it is cancelled it has to run: what waits would only be taken out of the line.
    if (by === 'cancel') await pause(RUNS_AFTER_MS);
    const cancelledMs = performance.now();
    if (by === 'cancel') await worker.cancel();
    const again = worker.ask({ answer: -time }, { timeoutMs: WITHIN_MS });
    requireIs(await within(again, WITHIN_MS, () => `no answer after a hang (${hang})`), -time);
    const answeredMs = performance.now();
    await hung;
    const grace = by === 'cancel' ? cancelledMs - startMs + CANCEL_GRACE_MS : STUCK_AFTER_MS;
    againMs.push(answeredMs - startMs - grace);
    const { certificate } = runtime.host(hostId ?? '');
    if (certificate === null) throw new Error(`the host of a hang (${hang}) was not killed`);
    orderedMs.push(Date.parse(certificate.orderedAt) - startedAtMs - grace);
    await worker.delete({ force: true });
  }
  return { againMs, orderedMs };
}

async function blockAll(
  runtime: Runtime,
  { rounds, times }: Extract<HangsRequest, { what: 'native' }>,
  quarantines: readonly number[],
): Promise<Blocked> {
  const neighbour = await freshWorker(runtime, 'tier-shared');
  const [recognisedMs, neighbourMs]: [number[], number[]] = [[], []];
  for (let time = 1; time <= times; time++) {
    const worker = await freshWorker(runtime, 'hangs');
    requireIs(await worker.ask({ answer: time }), time);
    requireIs(await neighbour.ask(time), time);
    const startMs = performance.now();
    const blocked = lost(worker.ask({ nativeRounds: rounds }, { timeoutMs: WITHIN_MS }));
    requireIs(await within(neighbour.ask(-time), WITHIN_MS, () => 'a neighbour has no answer'), -time);
    const answeredMs = performance.now();
    await blocked;
    const quarantinedMs = quarantines[time - 1];
    if (quarantinedMs === undefined) throw new Error('no host was quarantined: the native code was too quick');
    recognisedMs.push(quarantinedMs - startMs - STUCK_AFTER_MS);
    neighbourMs.push(answeredMs - quarantinedMs);
    await worker.delete({ force: true });
    await untilEnded(runtime);
  }
  return { recognisedMs, neighbourMs };
}

/** The thread that nobody waited for takes a core until its native code returns. */
async function untilEnded(runtime: Runtime): Promise<void> {
  for (const endMs = performance.now() + WITHIN_MS; performance.now() < endMs;) {
    if (runtime.hosts().every(({ status }) => status !== 'quarantined')) return;
    await pause(LOOK_EVERY_MS);
  }
  throw new Error('a quarantined host does not end');
}

async function overflowAll(runtime: Runtime, times: number): Promise<Overflowed> {
  const neighbours = [
    ...(await createWorkers(runtime, NEIGHBOURS, { kind: 'tier-shared' })),
    await freshWorker(runtime, 'overflows'),
  ];
  const againMs: number[] = [];
  let [isOver, neighbourAsks, neighbourFailures] = [false, 0, 0];
  const askOn = async (neighbour: WorkerHandle, isOwn: boolean): Promise<void> => {
    while (!isOver) {
      neighbourAsks++;
      const answer = await neighbour.ask(isOwn ? { overflow: false } : neighbourAsks).catch(() => undefined);
      if (answer === undefined) neighbourFailures++;
    }
  };
  const asking = neighbours.map((neighbour, at) => askOn(neighbour, at === NEIGHBOURS));
  for (let time = 1; time <= times; time++) {
    const worker = await freshWorker(runtime, 'overflows');
    requireIs(await worker.ask({ overflow: false }), 0);
    const ended = lost(worker.ask({ overflow: true }, { timeoutMs: WITHIN_MS })).then(() => performance.now());
    requireIs(await within(worker.ask({ overflow: false }), WITHIN_MS, () => 'no answer after a death'), 0);
    againMs.push(performance.now() - (await ended));
    await worker.delete({ force: true });
  }
  isOver = true;
  await within(Promise.all(asking), WITHIN_MS, () => 'a neighbour has no answer');
  return { againMs, neighbourAsks, neighbourFailures };
}

/** Resolves when it has ended as it has to. */
async function lost(asked: Promise<unknown>): Promise<void> {
  const code = await asked.then(
    (answer) => `the answer ${JSON.stringify(answer)}`,
    (error: unknown) => (error as { code?: string }).code,
  );
  if (code !== 'host_lost' && code !== 'cancelled') throw new Error(`a hang ended with ${code}`);
}

function requireIs(answer: unknown, expected: number): void {
  if (answer !== expected) throw new Error(`${expected} was answered with ${JSON.stringify(answer)}`);
}

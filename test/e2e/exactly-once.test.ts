// Random commands on a few workers, with handlers that answer, throw, spin, wait and take their host down. Whatever happens,
// every accepted input ends exactly once, in the record as for its sender, and nothing hangs.
// The report shows the seed; `GREENROOM_SEED=n` repeats the commands of that run, though not the timing of the threads.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import type { InputView, TranscriptEntry } from '../../lib/protocol/views.ts';
import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { randomFrom } from '../support/random.ts';
import { codeOf, eventually, startRuntime, transcriptOf } from '../support/start-runtime.ts';
import { ALLOWED, Ledger, play } from './random-commands.ts';

const WORKERS = 6;
const HOSTS = 2;
const COMMANDS = 600;
/** Commands under way at the same time. */
const MAX_PENDING = 40;
/** For all that was begun to settle. */
const SETTLE_MS = 30_000;
/** No host dies so often within so short a window that a restart would be put off for long. */
const LIMITS = { maxRestarts: 1_000, restartWindowMs: 20, cancelGraceMs: 200, maxTranscriptEntries: 100_000 };

const ENDS: Readonly<Record<string, string>> = {
  output: 'completed',
  failed: 'failed or unknown',
  cancelled: 'cancelled or expired',
};

/** The receipt of an input; null when whoever asked was answered, and none is kept. */
function receiptOf(worker: WorkerHandle, inputId: string): InputView | null {
  try {
    return worker.input(inputId);
  } catch (refusal) {
    assert.equal((refusal as GreenroomError).code, 'input_not_found');
    return null;
  }
}

/** Asserts what the record of one worker must say. Returns how many inputs it accepted. */
function requireWhole(worker: WorkerHandle, entries: readonly TranscriptEntry[]): number {
  assert.deepEqual(
    entries.map(({ sequence }) => sequence),
    entries.map((_, at) => at + 1),
    'the sequence has no gap',
  );
  const accepted = entries.flatMap(({ type, inputId }) => (type === 'input' && inputId !== undefined ? inputId : []));
  const ends = new Map<string, string[]>(accepted.map((inputId) => [inputId, []]));
  for (const { type, inputId } of entries) {
    if (inputId !== undefined && type in ENDS) ends.get(inputId)?.push(ENDS[type] ?? '');
  }
  for (const [inputId, ended] of ends) {
    assert.equal(ended.length, 1, `${inputId} of ${worker.workerId}: ${ended.join()}`);
    const receipt = receiptOf(worker, inputId);
    if (receipt === null) continue;
    const { outcome = 'none', status } = receipt;
    assert.equal(status, 'ended');
    assert.ok(
      ended[0]?.split(' or ').includes(outcome),
      `${inputId} ended as ${outcome}, and in the record as ${ended[0]}`,
    );
  }
  const started = entries.flatMap(({ type, inputId }) => (type === 'emitted' && inputId !== undefined ? inputId : []));
  const startedInOrder = accepted.filter((inputId) => started.includes(inputId));
  assert.deepEqual(started, startedInOrder, 'inputs start in the order in which they were accepted, each once');
  const completed = accepted.filter((inputId) => ends.get(inputId)?.[0] === 'completed');
  assert.deepEqual(
    completed.filter((inputId) => !started.includes(inputId)),
    [],
    'what completed has started',
  );
  return accepted.length;
}

function describeStatus(workers: readonly WorkerHandle[]): string {
  return workers.map((worker) => JSON.stringify(worker.view())).join('\n');
}

/** Has one host after the other recycled until what is returned is called; that resolves to how many were. */
function recycleAllTheTime(runtime: Runtime): () => Promise<number> {
  let isOver = false;
  let count = 0;
  const loop = async () => {
    while (!isOver) {
      const ready = await eventually(() => runtime.hosts().find(({ status }) => status === 'ready'));
      const answer = await codeOf((async () => runtime.recycleHost(ready.hostId))());
      // It may have died before its turn.
      if (typeof answer !== 'string') count++;
      else assert.ok(['host_lost', 'unsupported_operation', 'not_found'].includes(answer), answer);
    }
    return count;
  };
  const over = loop();
  return () => {
    isOver = true;
    return over;
  };
}

async function run(t: TestContext, seed: number, areRecycled: boolean): Promise<void> {
  const runtime = await startRuntime(t, { hosts: HOSTS, limits: LIMITS });
  const endRecycling = areRecycled ? recycleAllTheTime(runtime) : () => Promise.resolve(0);
  const random = randomFrom(seed);
  const ledger = new Ledger();
  const ids = new Set<string>(['none-yet']);
  const workers: WorkerHandle[] = [];
  for (let n = 0; n < WORKERS; n++) workers.push(await runtime.create({ kind: 'moody', workerId: `w${n}` }));
  for (let n = 0; n < COMMANDS; n++) {
    play(random, workers[Math.floor(random() * WORKERS)] as WorkerHandle, n, ids, ledger);
    // Drawn in any case, so that a seed gives the same commands whatever the timing.
    const [comesBack, yields] = [random() < 0.5, random() < 0.5];
    // The hosts keep up with the commands, more or less: a stop is to meet a worker that has something to do, and only that.
    await ledger.pending(MAX_PENDING, SETTLE_MS, () => describeStatus(workers));
    // A worker that stays stopped refuses everything; most are brought back soon.
    const stopped = workers.find((worker) => worker.view().status === 'stopped');
    if (stopped !== undefined && comesBack)
      ledger.add(
        'restore',
        `#${n} back`,
        stopped.restore().then(({ status }) => status),
      );
    if (yields) await new Promise((resolve) => setImmediate(resolve));
  }
  await ledger.pending(0, SETTLE_MS, () => describeStatus(workers));
  const isQuiet = () =>
    workers.every(
      (worker) =>
        ['idle', 'stopped', 'hibernated'].includes(worker.view().status) && worker.view().mailbox.messages === 0,
    );
  const recycled = await endRecycling();
  // What a durable store has not written yet counts here, and nowhere else.
  const isSettled = async () => (await runtime.describe()).mailbox.messages === 0;
  await eventually(async () => isQuiet() && (await isSettled()), SETTLE_MS).catch(() =>
    assert.fail(`not quiet:\n${describeStatus(workers)}`),
  );

  let accepted = 0;
  for (const worker of workers) accepted += requireWhole(worker, await transcriptOf(worker));
  const odd = ledger.answers.filter(({ command, answer }) => !ALLOWED[command].includes(answer));
  assert.deepEqual(odd, []);
  const told = ledger.answers.filter(({ answer }) => answer === 'accepted').length;
  assert.equal(told, ids.size - 1);
  assert.ok(accepted > told, `${accepted} accepted`);
  assert.deepEqual((await runtime.describe()).mailbox, { messages: 0, bytes: 0 });
  const restarts = workers.reduce((sum, worker) => sum + worker.view().restarts, 0);
  t.diagnostic(`${accepted} inputs accepted, ${restarts} restarts, ${recycled} hosts recycled`);
  assert.equal(recycled > 0, areRecycled);
  await eventually(() => runtime.hosts().every(({ status }) => status === 'ready'));
  assert.equal(runtime.hosts().length, HOSTS);
}

for (const areRecycled of [false, true])
  test(
    `under random commands${areRecycled ? ', while hosts are recycled,' : ''} every accepted input ends exactly once, in order, and nothing hangs`,
    { timeout: 100_000 },
    async (t) => {
      const seed = Number(process.env['GREENROOM_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
      t.diagnostic(`seed ${seed}`);
      await run(t, seed, areRecycled);
    },
  );

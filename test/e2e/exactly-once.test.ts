// Random commands on a few workers, with handlers that answer, throw, spin, wait and take their host down. Whatever happens,
// every accepted input ends exactly once, in the record as for its sender, and nothing hangs.
// The report shows the seed; `GREENROOM_SEED=n` repeats the commands of that run, though not the timing of the threads.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { TranscriptEntry } from '../../lib/protocol/views.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { codeOf, eventually, startRuntime, transcriptOf } from '../support/start-runtime.ts';

const WORKERS = 6;
const COMMANDS = 600;
/** Commands under way at the same time. */
const MAX_PENDING = 40;
/** For all that was begun to settle. */
const SETTLE_MS = 30_000;
/** No host dies so often within so short a window that a restart would be put off for long. */
const LIMITS = { maxRestarts: 1_000, restartWindowMs: 20, cancelGraceMs: 200, maxTranscriptEntries: 100_000 };

/** The answers that a command may get when its worker is not in the right status for it, or its host dies. */
const ALLOWED = {
  tell: ['accepted', 'worker_stopping', 'worker_stopped'],
  ask: [
    'completed',
    'actor_error',
    'cancelled',
    'expired',
    'timeout',
    'host_lost',
    'worker_stopping',
    'worker_stopped',
  ],
  cancel: ['none', 'removed', 'aborting', 'ended'],
  stop: ['stopped'],
  restore: ['idle', 'running', 'stopped', 'stopping', 'restarting', 'worker_active', 'worker_stopping'],
};
type Command = keyof typeof ALLOWED;

/** Mulberry32: small, and the same everywhere. From 0 to 1, 1 not included. */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is under way, by a name for the report of what hangs; and what came of it. */
class Ledger {
  readonly #pending = new Map<string, Promise<unknown>>();
  readonly answers: { command: Command; answer: string }[] = [];

  get pendingCount(): number {
    return this.#pending.size;
  }

  add(command: Command, name: string, answering: Promise<unknown>): void {
    const done = codeOf(answering).then((answer) => {
      this.#pending.delete(name);
      this.answers.push({ command, answer: String(answer) });
    });
    this.#pending.set(name, done);
  }

  /** Rejects with the names of what is pending when it does not settle in time. */
  async settled(describe: () => string): Promise<void> {
    await eventually(() => this.#pending.size === 0, SETTLE_MS).catch(() => {
      throw new Error(`pending: ${[...this.#pending.keys()].join(', ')}\n${describe()}`);
    });
  }
}

function play(random: () => number, worker: WorkerHandle, n: number, ids: Set<string>, ledger: Ledger): void {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const acts = ['answer', 'answer', 'answer', 'answer', 'throw', 'spin', 'wait', 'wait', 'exit'];
  const input = { n, do: pick(acts), ms: Math.floor(random() * 20) };
  const name = `#${n} ${worker.workerId}`;
  const roll = random();
  if (roll < 0.45 || roll >= 0.955) {
    const options = random() < 0.2 ? { deadlineMs: 1 + Math.floor(random() * 30) } : {};
    const told = worker.tell(input, options).then(({ inputId }) => {
      ids.add(inputId);
      return 'accepted';
    });
    ledger.add('tell', `${name} tell ${input.do}`, told);
  } else if (roll < 0.75) {
    const timeoutMs = random() < 0.5 ? 20_000 : 1 + Math.floor(random() * 60);
    ledger.add(
      'ask',
      `${name} ask ${input.do}`,
      worker.ask(input, { timeoutMs }).then(() => 'completed'),
    );
  } else if (roll < 0.93) {
    const inputId = random() < 0.6 ? pick([...ids]) : undefined;
    const request = inputId === undefined ? {} : { inputId };
    // An id of another worker's input is as unknown as any.
    const cancelling = worker.cancel(request).then(
      ({ effect }) => effect,
      (error: { code: string }) => (error.code === 'input_not_found' ? 'none' : error.code),
    );
    ledger.add('cancel', `${name} cancel`, cancelling);
  } else if (roll < 0.945) {
    ledger.add(
      'stop',
      `${name} stop`,
      worker.stop({ drain: random() < 0.5 }).then(({ status }) => status),
    );
  } else if (roll < 0.955) {
    ledger.add(
      'restore',
      `${name} restore`,
      worker.restore().then(({ status }) => status),
    );
  }
}

const ENDS: Readonly<Record<string, string>> = {
  output: 'completed',
  failed: 'failed or unknown',
  cancelled: 'cancelled or expired',
};

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
    const { outcome = 'none', status } = worker.input(inputId);
    assert.deepEqual(
      { status, ends: ended.length },
      { status: 'ended', ends: 1 },
      `${inputId} of ${worker.workerId}: ${ended.join()}`,
    );
    assert.ok(
      ended[0]?.split(' or ').includes(outcome),
      `${inputId} ended as ${outcome}, and in the record as ${ended[0]}`,
    );
  }
  const started = entries.flatMap(({ type, inputId }) => (type === 'emitted' && inputId !== undefined ? inputId : []));
  const startedInOrder = accepted.filter((inputId) => started.includes(inputId));
  assert.deepEqual(started, startedInOrder, 'inputs start in the order in which they were accepted, each once');
  const completed = accepted.filter((inputId) => worker.input(inputId).outcome === 'completed');
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

async function run(t: TestContext, seed: number): Promise<void> {
  const runtime = await startRuntime(t, { hosts: 2, limits: LIMITS });
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
    await eventually(() => ledger.pendingCount < MAX_PENDING, SETTLE_MS).catch(() => undefined);
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
  await ledger.settled(() => describeStatus(workers));
  const isQuiet = () =>
    workers.every(
      (worker) => ['idle', 'stopped'].includes(worker.view().status) && worker.view().mailbox.messages === 0,
    );
  await eventually(isQuiet, SETTLE_MS).catch(() => assert.fail(`not quiet:\n${describeStatus(workers)}`));

  let accepted = 0;
  for (const worker of workers) accepted += requireWhole(worker, await transcriptOf(worker));
  const odd = ledger.answers.filter(({ command, answer }) => !ALLOWED[command].includes(answer));
  assert.deepEqual(odd, []);
  const told = ledger.answers.filter(({ answer }) => answer === 'accepted').length;
  assert.equal(told, ids.size - 1);
  assert.ok(accepted > told, `${accepted} accepted`);
  assert.deepEqual((await runtime.describe()).mailbox, { messages: 0, bytes: 0 });
  const restarts = workers.reduce((sum, worker) => sum + worker.view().restarts, 0);
  t.diagnostic(`${accepted} inputs accepted, ${restarts} restarts`);
}

test(
  'under random commands every accepted input ends exactly once, in order, and nothing hangs',
  { timeout: 100_000 },
  async (t) => {
    const seed = Number(process.env['GREENROOM_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    t.diagnostic(`seed ${seed}`);
    await run(t, seed);
  },
);

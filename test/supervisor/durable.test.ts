// What a durable runtime keeps, through kills and restarts: inputs, outcomes, order, states, keys.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { CREDIT_BYTES_PER_WORKER } from '../../lib/limits.ts';
import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { DurableRuntime } from '../support/durable.ts';
import { codeOf, emitted, eventually, openGate, transcriptOf } from '../support/start-runtime.ts';

const say = (name: string) => ({ name, steps: [{ do: 'say', value: name }] });
/** At its host it is alone: it is as large as all that a worker may have there. */
const wait = (name: string, gate: string) => ({
  name,
  steps: [{ do: 'wait', gate }, { do: 'attempt' }],
  fill: 'x'.repeat(CREDIT_BYTES_PER_WORKER),
});
const LOG = { name: 'log', steps: [{ do: 'log' }] };

async function outcomeOf(worker: WorkerHandle, inputId: string): Promise<unknown[]> {
  return eventually(() => {
    const { outcome, output, error, attempt } = worker.input(inputId);
    return outcome !== undefined && [outcome, output ?? error?.code, attempt];
  });
}

async function typesOf(worker: WorkerHandle): Promise<string[]> {
  return (await transcriptOf(worker)).map(({ type }) => type);
}

/** Nothing is left in flight: no count has leaked. */
async function requireEmpty(runtime: Runtime): Promise<void> {
  await eventually(async () => {
    const { mailbox } = await runtime.describe();
    return mailbox.messages === 0;
  });
  assert.deepEqual((await runtime.describe()).mailbox, { messages: 0, bytes: 0 });
}

async function twoWithAGate(t: TestContext, kind: string, gate: string) {
  const durable = new DurableRuntime(t);
  const worker = await (await durable.open()).create({ kind, workerId: 'w' });
  const running = await worker.tell(wait('first', gate));
  const waiting = await worker.tell(say('second'));
  await emitted(worker, 'waiting');
  return { durable, running: running.inputId, waiting: waiting.inputId };
}

describe('after a kill', () => {
  test('outcomes, outputs, transcript and state are what they were', async (t) => {
    const durable = new DurableRuntime(t);
    const worker = await (await durable.open()).create({ kind: 'errand', workerId: 'w', displayName: 'W' });
    await worker.ask(say('a'));
    const { inputId } = await worker.tell(say('b'));
    await codeOf(worker.ask({ name: 'c', steps: [{ do: 'emit', value: 1 }, { do: 'fail' }] }));
    const before = [await transcriptOf(worker), worker.input(inputId)];
    const again = (await durable.killAndOpen()).worker('w');
    assert.deepEqual([await transcriptOf(again), again.input(inputId)], before);
    assert.deepEqual([again.view().status, again.view().displayName], ['hibernated', 'W']);
    assert.deepEqual(await again.ask(LOG), [['a', 'b']]);
  });

  test('every acknowledged input runs, in the order of acknowledgement', async (t) => {
    const durable = new DurableRuntime(t);
    const worker = await (await durable.open()).create({ kind: 'errand', workerId: 'w' });
    const first = await worker.tell(wait('0', 'order'));
    const names = Array.from({ length: 200 }, (_, n) => String(n + 1));
    const receipts = await Promise.all(names.map((name) => worker.tell(say(name))));
    const runtime = await durable.killAndOpen();
    const again = runtime.worker('w');
    for (const [at, { inputId }] of receipts.entries())
      assert.deepEqual(await outcomeOf(again, inputId), ['completed', [names[at]], 1]);
    assert.equal((await outcomeOf(again, first.inputId))[0], 'unknown');
    assert.deepEqual(await again.ask(LOG), [names]);
    await requireEmpty(runtime);
  });

  test('what had started ends as unknown, once, and what waited runs', async (t) => {
    const { durable, running, waiting } = await twoWithAGate(t, 'errand', 'unknown');
    const worker = (await durable.killAndOpen()).worker('w');
    assert.deepEqual(await outcomeOf(worker, running), ['unknown', 'host_lost', 1]);
    assert.deepEqual(await outcomeOf(worker, waiting), ['completed', ['second'], 1]);
    assert.deepEqual(worker.input(running).error?.details, { cause: 'runtime_restart' });
    const again = (await durable.killAndOpen()).worker('w');
    assert.deepEqual(await outcomeOf(again, running), ['unknown', 'host_lost', 1]);
    const failed = (await transcriptOf(again)).filter(({ inputId, type }) => inputId === running && type === 'failed');
    assert.equal(failed.length, 1);
  });

  test('what had started runs again when its actor says so, with the next attempt, before what waited', async (t) => {
    const { durable, running, waiting } = await twoWithAGate(t, 'errand-again', 'retried');
    const worker = (await durable.killAndOpen()).worker('w');
    const restarted = await eventually(async () =>
      (await transcriptOf(worker)).find(({ type, inputId }) => type === 'restarted' && inputId === running),
    );
    assert.deepEqual(restarted.data, { cause: 'runtime_restart', attempt: 2 });
    await emitted(worker, 'waiting', restarted.sequence);
    openGate('retried');
    assert.deepEqual(await outcomeOf(worker, running), ['completed', [2], 2]);
    assert.deepEqual(await outcomeOf(worker, waiting), ['completed', ['second'], 1]);
    assert.deepEqual(await worker.ask(LOG), [['first', 'second']]);
  });

  test('each attempt that may have begun is counted, through several kills', async (t) => {
    const { durable, running } = await twoWithAGate(t, 'errand-again', 'thrice');
    let worker = (await durable.killAndOpen()).worker('w');
    let from = await eventually(async () =>
      (await transcriptOf(worker)).findLast(({ type }) => type === 'restarted')?.sequence,
    );
    await emitted(worker, 'waiting', from);
    worker = (await durable.killAndOpen()).worker('w');
    from = await eventually(async () =>
      (await transcriptOf(worker)).findLast(({ type, sequence }) => type === 'restarted' && sequence > from)?.sequence,
    );
    await emitted(worker, 'waiting', from);
    openGate('thrice');
    assert.deepEqual(await outcomeOf(worker, running), ['completed', [3], 3]);
  });

  test('ids go on: none is given twice', async (t) => {
    const durable = new DurableRuntime(t);
    const ids = new Set<string>();
    await (await durable.open()).create({ kind: 'errand', workerId: 'w' });
    for (let run = 0; run < 3; run++) {
      const worker = durable.runtime.worker('w');
      const told = [await worker.tell(say('kept')), await worker.tell(say('lost'), { durability: 'volatile' })];
      for (const { inputId } of told) ids.add(inputId);
      await durable.killAndOpen();
    }
    assert.equal(ids.size, 6);
  });
});

describe('an idempotency key', () => {
  test('finds its input after a kill, and refuses another one', async (t) => {
    const durable = new DurableRuntime(t);
    const worker = await (await durable.open()).create({ kind: 'errand', workerId: 'w' });
    const first = await worker.tell(say('once'), { idempotencyKey: 'k' });
    await outcomeOf(worker, first.inputId);
    const again = (await durable.killAndOpen()).worker('w');
    assert.equal((await again.tell(say('once'), { idempotencyKey: 'k' })).inputId, first.inputId);
    assert.deepEqual(await again.ask(say('once'), { idempotencyKey: 'k' }), ['once']);
    assert.equal(await codeOf(again.tell(say('other'), { idempotencyKey: 'k' })), 'idempotency_conflict');
    assert.deepEqual(await again.ask(LOG), [['once']]);
  });

  test('finds its input while that one waits, has started, or has ended as unknown', async (t) => {
    const durable = new DurableRuntime(t);
    const worker = await (await durable.open()).create({ kind: 'errand', workerId: 'w' });
    const started = await worker.tell(wait('a', 'keys'), { idempotencyKey: 'started' });
    await emitted(worker, 'waiting');
    const waiting = await worker.tell(say('b'), { idempotencyKey: 'waiting' });
    const again = (await durable.killAndOpen()).worker('w');
    assert.equal((await again.tell(wait('a', 'keys'), { idempotencyKey: 'started' })).inputId, started.inputId);
    assert.equal((await again.tell(say('b'), { idempotencyKey: 'waiting' })).inputId, waiting.inputId);
    assert.equal(await codeOf(again.ask(wait('a', 'keys'), { idempotencyKey: 'started' })), 'host_lost');
    assert.deepEqual(await again.ask(LOG), [['b']]);
  });

  test('used twice at once is one input, and both senders are told of the same', async (t) => {
    const worker = await (await new DurableRuntime(t).open()).create({ kind: 'errand', workerId: 'w' });
    const [one, two] = await Promise.all([
      worker.tell(say('x'), { idempotencyKey: 'k' }),
      worker.tell(say('x'), { idempotencyKey: 'k' }),
    ]);
    assert.equal(one.inputId, two.inputId);
    assert.deepEqual(await worker.ask(LOG), [['x']]);
  });

  test('is forgotten when its time is over', async (t) => {
    const durable = new DurableRuntime(t, { limits: { idempotencyTtlMs: 1_000 } });
    const worker = await (await durable.open()).create({ kind: 'errand', workerId: 'w' });
    const first = await worker.tell(say('x'), { idempotencyKey: 'k' });
    await outcomeOf(worker, first.inputId);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 1_001 });
    const again = (await durable.killAndOpen()).worker('w');
    assert.notEqual((await again.tell(say('x'), { idempotencyKey: 'k' })).inputId, first.inputId);
  });
});

describe('the rest of a worker', () => {
  test('that was stopped is stopped after a kill, and a second stop is told what the first was', async (t) => {
    const durable = new DurableRuntime(t);
    const worker = await (await durable.open()).create({ kind: 'errand', workerId: 'w' });
    await worker.ask(say('a'));
    const ack = await worker.stop({ reason: 'enough' });
    const again = (await durable.killAndOpen()).worker('w');
    assert.equal(again.view().status, 'stopped');
    assert.deepEqual(await again.stop({ reason: 'other' }), ack);
    assert.equal(await codeOf(again.tell(say('b'))), 'worker_stopped');
    await again.restore();
    assert.deepEqual(await again.ask(LOG), [['a']]);
    assert.equal((await durable.killAndOpen()).worker('w').view().status, 'hibernated');
  });

  test('that failed is failed after a kill, with its reason, until it is restored', async (t) => {
    const durable = new DurableRuntime(t, { limits: { maxRestarts: 1 } });
    const worker = await (await durable.open()).create({ kind: 'errand', workerId: 'w' });
    for (let death = 0; death < 2; death++)
      await codeOf(worker.ask({ name: 'x', steps: [{ do: 'exit', onAttempt: 1 }] }));
    const { failure } = await eventually(() => worker.view().status === 'failed' && worker.view());
    assert.equal(failure?.code, 'host_lost');
    const again = (await durable.killAndOpen()).worker('w');
    assert.deepEqual([again.view().status, again.view().failure], ['failed', failure]);
    assert.equal(await codeOf(again.tell(say('b'))), 'worker_failed');
    await again.restore();
    assert.deepEqual(await again.ask(say('b')), ['b']);
  });

  test('that was deleted is gone, and a new one of its id has nothing of it', async (t) => {
    const durable = new DurableRuntime(t);
    const worker = await (await durable.open()).create({ kind: 'errand', workerId: 'w' });
    const { inputId } = await worker.tell(say('a'), { idempotencyKey: 'k' });
    await worker.delete({ force: true });
    await durable.killAndOpen();
    assert.throws(() => durable.runtime.worker('w'), { code: 'worker_not_found' });
    const anew = await durable.runtime.create({ kind: 'errand', workerId: 'w' });
    assert.deepEqual(await typesOf(anew), ['created']);
    const again = (await durable.killAndOpen()).worker('w');
    assert.throws(() => again.input(inputId), { code: 'input_not_found' });
    assert.notEqual((await again.tell(say('a'), { idempotencyKey: 'k' })).inputId, inputId);
    assert.deepEqual(await again.ask(LOG), [['a']]);
    assert.equal([...durable.runtime.workers()].length, 1);
  });
});

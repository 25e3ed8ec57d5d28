// What a durable runtime takes up again when it is opened, and what it leaves alone.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { FILE_NAME } from '../../lib/open-store.ts';
import { Environment } from '../../lib/lmdb/environment.ts';
import { nameKey, TABLES } from '../../lib/lmdb/keys.ts';
import { LmdbStore } from '../../lib/lmdb/store.ts';
import { CREDIT_BYTES_PER_WORKER } from '../../lib/limits.ts';
import { DurableRuntime } from '../support/durable.ts';
import { codeOf, emitted, eventually, openGate, recordLog, transcriptOf } from '../support/start-runtime.ts';

const say = (name: string) => ({ name, steps: [{ do: 'say', value: name }] });
/** At its host it is alone: it is as large as all that a worker may have there. */
const wait = (name: string, gate: string) => ({
  name,
  steps: [{ do: 'wait', gate }],
  fill: 'x'.repeat(CREDIT_BYTES_PER_WORKER),
});
const LOG = { name: 'log', steps: [{ do: 'log' }] };
const FIXTURE = (name: string) => new URL(`../fixtures/actors/${name}.js`, import.meta.url);

/** With an input that runs, and one that waits. */
async function busy(t: TestContext, kind: string, gate: string, options: { readonly deadlineMs?: number } = {}) {
  const durable = new DurableRuntime(t);
  const worker = await (await durable.open()).create({ kind, workerId: 'w' });
  const running = await worker.tell(wait('first', gate), options);
  const waiting = await worker.tell(say('second'), options);
  await emitted(worker, 'waiting');
  return { durable, worker, running: running.inputId, waiting: waiting.inputId };
}

describe('a worker whose actor is missing after a restart', () => {
  test('is listed, takes no input, and keeps its own until the actor is back', async (t) => {
    const { durable, running, waiting } = await busy(t, 'errand', 'missing');
    let runtime = await durable.killAndOpen({ actors: [FIXTURE('gate')] });
    const listed = [...runtime.workers()].map(({ workerId, kind, status }) => [workerId, kind, status]);
    assert.deepEqual(listed, [['w', 'errand', 'hibernated']]);
    const orphan = runtime.worker('w');
    assert.equal(await codeOf(orphan.tell(say('x'))), 'actor_not_found');
    assert.equal(await codeOf(orphan.restore()), 'actor_not_found');
    assert.deepEqual([orphan.input(running).status, orphan.input(waiting).status], ['waiting', 'waiting']);
    runtime = await durable.killAndOpen({ actors: [FIXTURE('errand')] });
    const worker = runtime.worker('w');
    assert.equal(await eventually(() => worker.input(waiting).outcome), 'completed');
    assert.equal(worker.input(running).outcome, 'unknown');
    assert.deepEqual(await worker.ask(LOG), [['second']]);
  });

  test('can be deleted, which ends what waits for it and frees its room', async (t) => {
    const { durable, waiting } = await busy(t, 'errand', 'deleted');
    const runtime = await durable.killAndOpen({ actors: [FIXTURE('gate')] });
    const orphan = runtime.worker('w');
    assert.equal(orphan.input(waiting).status, 'waiting');
    await orphan.delete();
    await eventually(async () => (await runtime.describe()).mailbox.messages === 0);
    assert.deepEqual((await runtime.describe()).mailbox, { messages: 0, bytes: 0 });
    assert.deepEqual([...(await durable.killAndOpen()).workers()], []);
  });

  test('can be stopped, which cancels what waits for it', async (t) => {
    const { durable, waiting } = await busy(t, 'errand', 'stopped');
    const orphan = (await durable.killAndOpen({ actors: [FIXTURE('gate')] })).worker('w');
    const { status, cancelled } = await orphan.stop();
    assert.deepEqual([status, cancelled, orphan.input(waiting).outcome], ['stopped', 2, 'cancelled']);
  });
});

test('a worker whose records cannot be read is failed with store_corrupt; the others run', async (t) => {
  const { durable, waiting } = await busy(t, 'errand', 'damaged');
  await durable.runtime.create({ kind: 'errand', workerId: 'bad' });
  await durable.runtime.close({ deadlineMs: 0 });
  const environment = new Environment(`${durable.dataDir}/${FILE_NAME}`);
  await environment.write((writer) => writer.put(nameKey(TABLES.workers, 'bad'), Buffer.from('nonsense')));
  await environment.close();
  assert.ok(readFileSync(`${durable.dataDir}/${FILE_NAME}`).includes('nonsense'));
  const runtime = await durable.open();
  assert.deepEqual(
    [...runtime.workers()].map(({ workerId, status }) => [workerId, status]),
    [
      ['bad', 'failed'],
      ['w', runtime.worker('w').view().status],
    ],
  );
  const bad = runtime.worker('bad');
  assert.equal(bad.view().failure?.code, 'store_corrupt');
  assert.equal(await codeOf(bad.tell(say('x'))), 'worker_failed');
  assert.equal(await codeOf(bad.restore()), 'store_corrupt');
  assert.equal(await eventually(() => runtime.worker('w').input(waiting).outcome), 'completed');
  await bad.delete();
  const anew = await runtime.create({ kind: 'errand', workerId: 'bad' });
  assert.deepEqual(await anew.ask(LOG), [[]]);
});

describe('a deadline that passes while the runtime is down', () => {
  test('ends what had not started as expired: it never runs', async (t) => {
    const { durable, running, waiting } = await busy(t, 'errand', 'down', { deadlineMs: 60_000 });
    await durable.kill();
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 60_001 });
    const worker = (await durable.open()).worker('w');
    assert.equal(await eventually(() => worker.input(waiting).outcome), 'expired');
    assert.equal(worker.input(running).outcome, 'unknown');
    assert.deepEqual(await worker.ask(LOG), [[]]);
  });

  test('ends what had started as unknown, though its actor would have tried again: expired says that it never ran', async (t) => {
    const { durable, running } = await busy(t, 'errand-again', 'down again', { deadlineMs: 60_000 });
    await durable.kill();
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 60_001 });
    const worker = (await durable.open()).worker('w');
    assert.equal(await eventually(() => worker.input(running).outcome), 'unknown');
    assert.equal(worker.input(running).error?.code, 'host_lost');
  });
});

describe('volatile', () => {
  test('workers and inputs say so, and are not there after a kill; the state that they left is', async (t) => {
    const durable = new DurableRuntime(t);
    const runtime = await durable.open();
    const fleeting = await runtime.create({ kind: 'fleeting', workerId: 'f' });
    const worker = await runtime.create({ kind: 'errand', workerId: 'w' });
    assert.equal(await fleeting.ask(1), 1);
    const told = await fleeting.tell(1, { durability: 'durable' });
    assert.equal(told.durability, 'durable');
    await worker.tell(wait('w', 'volatile restart'), { durability: 'volatile' });
    await emitted(worker, 'waiting');
    const receipt = await worker.tell(say('x'), { durability: 'volatile' });
    assert.equal(receipt.durability, 'volatile');
    await eventually(() => fleeting.input(told.inputId).outcome);
    const again = await durable.killAndOpen();
    assert.equal(await again.worker('f').ask(1), 3);
    assert.throws(() => again.worker('w').input(receipt.inputId), { code: 'input_not_found' });
    assert.deepEqual(await again.worker('w').ask(LOG), [[]]);
  });

  test('inputs keep their place among durable ones', async (t) => {
    const worker = await (await new DurableRuntime(t).open()).create({ kind: 'errand', workerId: 'w' });
    const names = Array.from({ length: 40 }, (_, n) => String(n));
    const durability = (n: number) => (n % 2 === 0 ? 'volatile' : 'durable');
    await Promise.all(names.map((name, n) => worker.tell(say(name), { durability: durability(n) })));
    assert.deepEqual(await worker.ask(LOG), [names]);
  });
});

/** Workers with inputs that nobody has been given. */
async function writeWaiting(dataDir: string, workers: number, inputs: number): Promise<void> {
  const limits = { maxEntries: 1_000, maxBytes: 1_048_576, maxAgeMs: 0 };
  const store = await LmdbStore.open({ path: join(dataDir, FILE_NAME), limits, idempotencyTtlMs: 1_000 });
  let seq = store.firstSeq;
  const common = { acceptedAtMs: Date.now(), deadlineAtMs: 0, key: null, attempt: 1, isVolatile: false };
  for (let n = 0; n < workers; n++) {
    const record = {
      kind: 'errand',
      displayName: null,
      config: '{}',
      createdAtMs: Date.now(),
      state: null,
      parentId: null,
    };
    const worker = store.create({ ...record, workerId: `w${n}` });
    for (let at = 0; at < inputs; at++)
      worker.accept({ ...common, seq: seq++, payload: JSON.stringify(say(String(at))) });
  }
  await store.close();
}

test('a thousand workers with ten inputs each run all of them, in order, and leave nothing in flight', async (t) => {
  const durable = new DurableRuntime(t);
  await writeWaiting(durable.dataDir, 1_000, 10);
  const runtime = await durable.open();
  const names = Array.from({ length: 10 }, (_, n) => String(n));
  const logs = Array.from({ length: 1_000 }, (_, n) => runtime.worker(`w${n}`).ask(LOG));
  for (const log of await Promise.all(logs)) assert.deepEqual(log, [names]);
  assert.deepEqual((await runtime.describe()).mailbox, { messages: 0, bytes: 0 });
  assert.deepEqual([...(await durable.killAndOpen()).workers({ status: 'hibernated' })].length, 1_000);
});

test('waiting inputs run without anybody asking for their workers', async (t) => {
  const durable = new DurableRuntime(t);
  await writeWaiting(durable.dataDir, 300, 2);
  const runtime = await durable.open();
  for (let n = 0; n < 300; n++) {
    const outputs = async () => (await transcriptOf(runtime.worker(`w${n}`))).filter(({ type }) => type === 'output');
    await eventually(async () => (await outputs()).length === 2, 30_000);
  }
});

test('workers that cannot start again do not keep the others waiting', async (t) => {
  const { log, lines } = recordLog();
  const durable = new DurableRuntime(t, { log });
  let runtime = await durable.open();
  const bad = await runtime.create({ kind: 'errand-again', workerId: 'bad' });
  const good = await runtime.create({ kind: 'errand', workerId: 'good' });
  const exit = { name: 'x', steps: [0, 1, 2, 3, 4, 5, 6, 7].map((onAttempt) => ({ do: 'exit', onAttempt })) };
  const gate = await good.tell(wait('g', 'others'));
  const { inputId } = await good.tell(say('y'));
  await emitted(good, 'waiting');
  const poison = await bad.tell({ ...exit, fill: 'x'.repeat(CREDIT_BYTES_PER_WORKER) });
  runtime = await durable.killAndOpen({ limits: { maxRestarts: 1 } });
  assert.equal(await eventually(() => runtime.worker('good').input(inputId).outcome), 'completed');
  assert.equal(runtime.worker('good').input(gate.inputId).outcome, 'unknown');
  await eventually(() => runtime.worker('bad').view().status === 'failed', 30_000);
  assert.equal(runtime.worker('bad').input(poison.inputId).outcome !== undefined, true);
  assert.ok(lines.some(({ message }) => message === 'waiting inputs taken up again'));
});

test('what is told while older inputs are still to be taken up comes after them', async (t) => {
  const { durable, waiting } = await busy(t, 'errand', 'after');
  const runtime = await durable.killAndOpen();
  const worker = runtime.worker('w');
  assert.deepEqual(await worker.ask(LOG), [['second']]);
  assert.equal(worker.input(waiting).outcome, 'completed');
  openGate('after');
});

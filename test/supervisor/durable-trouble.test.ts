// A durable runtime whose disk fails, or hangs: nothing that was acknowledged is lost, nothing that was not is there, and it goes on by
// itself.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { CREDITS_PER_WORKER, WINDOW_PER_HOST } from '../../lib/limits.ts';
import { Disk } from '../support/disk.ts';
import { DurableRuntime } from '../support/durable.ts';
import { codeOf, emitted, eventually, openGate, transcriptOf } from '../support/start-runtime.ts';

const say = (name: string) => ({ name, steps: [{ do: 'say', value: name }] });
const wait = (name: string, gate: string) => ({ name, steps: [{ do: 'wait', gate }] });
const LOG = { name: 'log', steps: [{ do: 'log' }] };

async function open(t: TestContext, options = {}) {
  const disk = new Disk(t);
  const durable = new DurableRuntime(t, options);
  const runtime = await durable.open();
  const worker = await runtime.create({ kind: 'errand', workerId: 'w' });
  const isReady = () => eventually(() => runtime.supervisor.isReady);
  const inFlight = async () => (await runtime.describe()).mailbox;
  return { disk, durable, runtime, worker, isReady, inFlight };
}

describe('while the disk fails', () => {
  test('what was not acknowledged is refused, has never been there, and holds no room', async (t) => {
    const { disk, durable, runtime, worker, isReady, inFlight } = await open(t);
    disk.fail();
    const refused = ['a', 'b', 'c'].map((name) => worker.tell(say(name), { idempotencyKey: name }));
    assert.deepEqual(await Promise.all(refused.map(codeOf)), new Array(3).fill('runtime_unavailable'));
    assert.equal(runtime.supervisor.isReady, false);
    assert.equal(await codeOf(worker.ask(say('d'))), 'runtime_unavailable');
    assert.equal(await codeOf(worker.tell(say('e'), { durability: 'volatile' })), 'runtime_unavailable');
    assert.deepEqual(await inFlight(), { messages: 0, bytes: 0 });
    assert.equal(worker.view().status, 'idle');
    disk.mend();
    await isReady();
    assert.deepEqual(await worker.ask(say('a'), { idempotencyKey: 'a' }), ['a']);
    assert.deepEqual(await worker.ask(LOG), [['a']]);
    const again = (await durable.killAndOpen()).worker('w');
    const inputs = (await transcriptOf(again)).filter(({ type }) => type === 'input');
    assert.deepEqual(
      inputs.map(({ data }) => (data as { name: string }).name),
      ['a', 'log'],
    );
  });

  test('more refused inputs than a host may have leave its window as it was', async (t) => {
    const { disk, runtime, worker, isReady, inFlight } = await open(t, { hosts: 1 });
    const requests = Array.from({ length: WINDOW_PER_HOST / CREDITS_PER_WORKER + 8 }, () => ({ kind: 'errand' }));
    const workers = await Promise.all(requests.map((request) => runtime.create(request)));
    disk.fail();
    const told = workers.flatMap((one) => Array.from({ length: CREDITS_PER_WORKER }, () => codeOf(one.tell(say('x')))));
    assert.deepEqual(new Set(await Promise.all(told)), new Set(['runtime_unavailable']));
    disk.mend();
    await isReady();
    assert.deepEqual(await worker.ask(say('y')), ['y']);
    assert.deepEqual(await inFlight(), { messages: 0, bytes: 0 });
  });

  test('what was running ends, and its outcome is told when it is kept', async (t) => {
    const { disk, durable, worker } = await open(t);
    const { inputId } = await worker.tell(wait('a', 'running'));
    const asked = worker.ask(say('b'));
    await emitted(worker, 'waiting');
    disk.fail();
    openGate('running');
    await eventually(() => durable.runtime.supervisor.storeTrouble);
    assert.equal(worker.input(inputId).outcome, undefined);
    disk.mend();
    assert.deepEqual(await asked, ['b']);
    assert.equal(worker.input(inputId).outcome, 'completed');
    const again = (await durable.killAndOpen()).worker('w');
    assert.deepEqual(await again.ask(LOG), [['a', 'b']]);
  });

  test('creates, stops, restores and deletes say so; what they did is kept when it can be', async (t) => {
    const { disk, durable, runtime, worker, isReady } = await open(t);
    const gone = await runtime.create({ kind: 'errand', workerId: 'gone' });
    await gone.stop();
    disk.fail();
    await codeOf(worker.tell(say('a')));
    assert.equal(await codeOf(runtime.create({ kind: 'errand', workerId: 'new' })), 'runtime_unavailable');
    assert.equal(await codeOf(worker.stop()), 'runtime_unavailable');
    assert.equal(await codeOf(worker.restore()), 'runtime_unavailable');
    assert.equal(await codeOf(gone.delete()), 'runtime_unavailable');
    for await (const { error } of runtime.createAll([{ kind: 'errand', workerId: 'many' }]))
      assert.equal(error?.code, 'runtime_unavailable');
    disk.mend();
    await isReady();
    assert.equal((await worker.stop()).status, 'stopped');
    const again = await durable.killAndOpen();
    assert.deepEqual(
      [...again.workers()].map(({ workerId, status }) => [workerId, status]),
      [['w', 'stopped']],
    );
  });

  test('a worker that was being made is there when the disk is back, and the same request finds it', async (t) => {
    const { disk, runtime, isReady } = await open(t);
    disk.fail();
    const made = [
      runtime.create({ kind: 'errand', workerId: 'new' }),
      runtime.create({ kind: 'gate', workerId: 'new2' }),
    ];
    assert.deepEqual(await Promise.all(made.map(codeOf)), ['runtime_unavailable', 'runtime_unavailable']);
    disk.mend();
    await isReady();
    assert.deepEqual(await (await runtime.create({ kind: 'errand', workerId: 'new' })).ask(say('x')), ['x']);
  });

  test('a handler that emits without end is cancelled before it takes the memory of the runtime', async (t) => {
    const { disk, runtime, isReady } = await open(t, {
      limits: { maxTotalBytes: 4 * 1_024 * 1_024, maxMessageBytes: 65_536 },
    });
    const flood = await runtime.create({ kind: 'endless', workerId: 'f' });
    const { inputId } = await flood.tell(1_000);
    await eventually(() => flood.view().lastSequence > 2);
    disk.fail();
    await eventually(() => runtime.supervisor.storeTrouble !== null && flood.view().running === null);
    const { storage } = await runtime.describe();
    assert.ok((storage?.pendingBytes ?? Infinity) < 6 * 1_024 * 1_024, String(storage?.pendingBytes));
    disk.mend();
    await isReady();
    assert.equal(await eventually(() => flood.input(inputId).outcome), 'cancelled');
    assert.deepEqual(flood.input(inputId).error?.details, { reason: 'the store cannot keep what it emits' });
  });
});

describe('while the disk hangs', () => {
  test('nothing is acknowledged, nothing runs that is not kept, and cancels work', async (t) => {
    const { disk, worker, inFlight } = await open(t);
    disk.hold();
    const told = worker.tell(say('a'));
    const asked = codeOf(worker.ask(say('b')));
    await eventually(() => disk.writes > 0 && worker.view().mailbox.messages > 0);
    const waiting = worker.ask(say('c'), { signal: AbortSignal.abort() });
    assert.equal(await codeOf(waiting), 'cancelled');
    const leaving = new AbortController();
    const left = codeOf(worker.ask(say('d'), { signal: leaving.signal }));
    leaving.abort();
    assert.equal(await left, 'cancelled');
    assert.equal(worker.view().running, null);
    disk.mend();
    const { inputId } = await told;
    assert.deepEqual([await asked, await eventually(() => worker.input(inputId).outcome)], [['b'], 'completed']);
    assert.deepEqual(await worker.ask(LOG), [['a', 'b']]);
    assert.deepEqual(await inFlight(), { messages: 0, bytes: 0 });
  });

  test('a stop waits, and what was told before it is cancelled with it', async (t) => {
    const { disk, worker } = await open(t);
    disk.hold();
    const told = worker.tell(say('a'));
    const stopped = worker.stop();
    await eventually(() => worker.view().status === 'stopped');
    disk.mend();
    const { inputId } = await told;
    const { cancelled, drained } = await stopped;
    assert.deepEqual([cancelled, drained, worker.input(inputId).outcome], [1, 0, 'cancelled']);
  });

  test('an input whose deadline passes before it is kept expires after that', async (t) => {
    const { disk, worker } = await open(t);
    disk.hold();
    const told = worker.tell(say('a'), { deadlineMs: 1 });
    const askedAtMs = Date.now();
    await eventually(() => disk.writes > 0 && Date.now() > askedAtMs + 1);
    disk.mend();
    const { inputId } = await told;
    assert.equal(await eventually(() => worker.input(inputId).outcome), 'expired');
    assert.deepEqual(await worker.ask(LOG), [[]]);
  });
});

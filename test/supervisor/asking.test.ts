// Asks and tells of this process on a store that takes its time: each waits for what it promises, and hears of what the store cannot keep.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ACCEPT_TIMEOUT_MS } from '../../lib/limits.ts';
import { replaceTime } from '../../lib/protocol/clock.ts';
import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { VirtualClock } from '../../lib/testing/virtual-clock.ts';
import { HeldStore } from '../support/held-store.ts';
import { codeOf, eventually, startRuntime } from '../support/start-runtime.ts';

const FORGETFUL = new URL('../fixtures/modules/forgetful.js', import.meta.url);
const SERVING = new URL('../fixtures/actors/serving.js', import.meta.url);
const SHIPPED = new URL('../../actors/', import.meta.url);

async function start(t: TestContext): Promise<{ store: HeldStore; runtime: Runtime; worker: WorkerHandle }> {
  const store = new HeldStore(t);
  const runtime = await startRuntime(t, { actors: [FORGETFUL, SERVING, SHIPPED], hosts: 0, store: 'memory' });
  const worker = await runtime.create({ kind: 'echo', workerId: 'e1' });
  store.hold();
  return { store, runtime, worker };
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const turn = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise, turn])) === pending;
}

test('a tell resolves when its input is kept', async (t) => {
  const { store, worker } = await start(t);
  const told = worker.tell(1);
  await eventually(() => store.pending > 0);
  assert.equal(await isPending(told), true);
  store.release();
  assert.equal((await told).durability, 'durable');
});

test('an ask and a tell whose input cannot be kept reject, and the next ones do not', async (t) => {
  const { store, worker } = await start(t);
  const answers = [worker.tell(1), worker.ask(1), worker.ask(1, { signal: new AbortController().signal })];
  await eventually(() => store.pending >= answers.length);
  store.refuse();
  for (const answer of answers) assert.equal(await codeOf(answer), 'runtime_unavailable');
  assert.equal(await worker.ask(2), 2);
});

test('a tell that the store does not take in time rejects with the id that its input may have', async (t) => {
  const clock = new VirtualClock();
  t.after(replaceTime(clock));
  const { store, worker } = await start(t);
  const told = worker.tell(1);
  await eventually(() => store.pending > 0);
  const failed = told.catch((thrown: unknown) => thrown as { code: string; details: { input_id: string } });
  await clock.advance(ACCEPT_TIMEOUT_MS - 1);
  assert.equal(await isPending(told), true);
  const error = await clock.until(failed);
  store.release();
  if (!('details' in error)) assert.fail('it was told');
  assert.equal(error.code, 'timeout');
  assert.equal(worker.input(error.details.input_id).workerId, 'e1');
});

test('an input says that it need not be kept, or its actor does; an input beats its actor', async (t) => {
  const { store, runtime, worker } = await start(t);
  assert.equal((await worker.tell(1, { durability: 'volatile' })).durability, 'volatile');
  assert.equal(await worker.ask(1, { durability: 'volatile' }), 1);
  assert.equal(runtime.actors().find(({ kind }) => kind === 'forgetful')?.durability, 'volatile');
  const forgetful = await runtime.create({ kind: 'forgetful', workerId: 'f1' });
  assert.equal((await forgetful.tell(1)).durability, 'volatile');
  const kept = forgetful.tell(1, { durability: 'durable' });
  await eventually(() => store.pending > 0);
  assert.equal(await isPending(kept), true);
  store.release();
  assert.equal((await kept).durability, 'durable');
});

test('a durability that is none is refused, and nothing is sent', async (t) => {
  const { worker } = await start(t);
  const none = { durability: 'sometimes' as 'durable' };
  for (const sent of [worker.tell(1, none), worker.ask(1, none)]) assert.equal(await codeOf(sent), 'invalid_request');
  assert.equal(worker.view().lastSequence, 1);
});

test("a call of an actor's function hears of an input that cannot be kept", async (t) => {
  const { store, runtime } = await start(t);
  store.release();
  assert.equal(await runtime.invoke('serving::echo', 1), 1);
  store.hold();
  const called = runtime.invoke('serving::echo', 2);
  await eventually(() => store.pending > 0);
  store.refuse();
  assert.equal(await codeOf(called), 'runtime_unavailable');
  store.hold();
  assert.equal(await runtime.invoke('forgetful::double', 2), 4);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import {
  codeOf,
  emitted,
  eventually,
  hasStatus,
  openGate,
  recordLog,
  startRuntime,
  transcriptOf,
} from '../support/start-runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';

const create = (worker: string) => ({ do: 'create', worker });

/** Ids of workers in the order in which their `stopped` has run. */
function stoppedIn(lines: ReturnType<typeof recordLog>['lines']): unknown[] {
  return lines.filter(({ message }) => message === 'stopped() ran').map(({ fields }) => fields['worker_id']);
}

/**
 *   top ─┬─ first ─── below
 *        └─ second
 */
async function startFamily(t: TestContext, options: Partial<RuntimeOptions> = {}) {
  const { log, lines } = recordLog();
  const runtime = await startRuntime(t, { log, ...options });
  const top = await runtime.create({ kind: 'relative', workerId: 'top' });
  await top.ask(create('first'));
  await top.ask(create('second'));
  await runtime.worker('first').ask(create('below'));
  return { runtime, top, lines };
}

const statusesOf = (runtime: Runtime, ...workerIds: string[]): string[] =>
  workerIds.map((workerId) => runtime.worker(workerId).view().status);

describe('a worker that creates another', () => {
  test('is its parent; the same request finds the same child', async (t) => {
    const { runtime, top } = await startFamily(t);
    assert.equal(await top.ask(create('first')), 'first');
    const parents = ['top', 'first', 'second', 'below'].map((workerId) => runtime.worker(workerId).view().parentId);
    assert.deepEqual(parents, [null, 'top', 'top', 'first']);
    const other = top.ask({ do: 'create', kind: 'echo', worker: 'first' });
    assert.equal(await codeOf(other), 'worker_exists');
  });

  test('is not the parent of one that was there', async (t) => {
    const { runtime, top } = await startFamily(t);
    await runtime.create({ kind: 'relative', workerId: 'outside' });
    assert.equal(await top.ask(create('outside')), 'outside');
    await top.stop();
    assert.equal(runtime.worker('outside').view().parentId, null);
    assert.equal(runtime.worker('outside').view().status, 'idle');
  });
});

describe('a stop', () => {
  test('stops the children first, the newest first, and says how many', async (t) => {
    const { runtime, top, lines } = await startFamily(t);
    const ack = await top.stop({ reason: 'enough' });
    assert.deepEqual(ack, {
      workerId: 'top',
      status: 'stopped',
      drained: 0,
      cancelled: 0,
      refused: 0,
      children: 3,
      reason: 'enough',
    });
    assert.deepEqual(statusesOf(runtime, 'top', 'first', 'second', 'below'), Array(4).fill('stopped'));
    await eventually(() => stoppedIn(lines).length === 4);
    assert.deepEqual(stoppedIn(lines), ['second', 'below', 'first', 'top']);
    assert.deepEqual(await top.stop(), ack);
  });

  test('of a parent refuses inputs and new children while its children stop', async (t) => {
    const { runtime, top } = await startFamily(t);
    const second = runtime.worker('second');
    const waiting = second.ask({ do: 'wait', gate: t.name });
    await emitted(second, 'waiting');
    const creating = top.ask({ do: 'ask', worker: 'second', input: { do: 'say', value: 1 } });
    await eventually(() => second.view().mailbox.messages === 1);
    const stopped = top.stop({ drain: true });
    assert.equal(top.view().status, 'stopping');
    assert.equal(await codeOf(top.ask({ do: 'say', value: 1 })), 'worker_stopping');
    const adopted = runtime.supervisor.create({ kind: 'relative', workerId: 'late' }, 'top');
    assert.equal(await codeOf(adopted), 'worker_stopping');
    assert.equal(runtime.worker('first').view().status, 'idle', 'the newest child goes first');
    openGate(t.name);
    await waiting;
    assert.equal(await creating, 1);
    const { drained, cancelled, refused, children } = await stopped;
    assert.deepEqual({ drained, cancelled, refused, children }, { drained: 1, cancelled: 0, refused: 1, children: 3 });
  });

  test('with drain gives each child its deadline', async (t) => {
    const { runtime, top } = await startFamily(t);
    const waits = ['first', 'second'].map((workerId) => runtime.worker(workerId));
    const asked = waits.map((worker) => codeOf(worker.ask({ do: 'wait', gate: t.name })));
    await Promise.all(waits.map((worker) => emitted(worker, 'waiting')));
    const ack = await top.stop({ drain: true, deadlineMs: 1 });
    assert.equal(ack.children, 3);
    assert.deepEqual(await Promise.all(asked), ['cancelled', 'cancelled']);
  });

  test('of a parent whose host dies meanwhile waits for its children all the same', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { log });
    const top = await runtime.create({ kind: 'lonely', workerId: 'top' });
    await top.ask(create('child'));
    const child = runtime.worker('child');
    const waiting = child.ask({ do: 'wait', gate: `${t.name} child` });
    const dying = codeOf(top.ask({ do: 'wait', gate: `${t.name} top` }));
    await Promise.all([emitted(child, 'waiting'), emitted(top, 'waiting')]);
    const exits = codeOf(top.ask({ do: 'exit' }));
    const stopped = top.stop({ drain: true });
    openGate(`${t.name} top`);
    assert.equal(await dying, null);
    assert.equal(await exits, 'host_lost');
    assert.equal(top.view().status, 'stopping');
    openGate(`${t.name} child`);
    await waiting;
    assert.equal((await stopped).children, 1);
    await eventually(() => stoppedIn(lines).length > 0);
    assert.deepEqual(stoppedIn(lines), ['child']);
  });

  test('that waits for children ends with the runtime', async (t) => {
    const { runtime, top } = await startFamily(t);
    const second = runtime.worker('second');
    const waiting = codeOf(second.ask({ do: 'wait', gate: t.name }));
    await emitted(second, 'waiting');
    const stopped = top.stop({ drain: true });
    await runtime.close({ deadlineMs: 1 });
    assert.equal((await stopped).status, 'stopped');
    assert.notEqual(await waiting, null);
  });

  test('by a child does not wait for itself', async (t) => {
    const { runtime, top } = await startFamily(t, { limits: { cancelGraceMs: 60_000 } });
    assert.equal(typeof (await runtime.worker('below').ask({ do: 'stop', worker: 'top' })), 'boolean');
    await hasStatus(top, 'stopped');
    assert.equal(runtime.worker('below').view().restarts, 0, 'its host was not killed');
  });

  test('of a parent that hibernates stops its children, and does not wake it', async (t) => {
    const runtime = await startRuntime(t);
    for await (const { worker } of runtime.createAll([{ kind: 'relative', workerId: 'asleep' }])) {
      await runtime.supervisor.create({ kind: 'relative', workerId: 'child' }, 'asleep');
      assert.equal((await worker?.stop())?.children, 1);
    }
    assert.deepEqual(statusesOf(runtime, 'asleep', 'child'), ['stopped', 'stopped']);
    const types = (await transcriptOf(runtime.worker('asleep'))).map(({ type }) => type);
    assert.deepEqual(types, ['created', 'stopped']);
  });

  test('of a family that is deeper than the stack comes to an end', async (t) => {
    const runtime = await startRuntime(t);
    const depth = 8_000;
    // As if each had created the next.
    const made = Array.from({ length: depth }, (_, n) =>
      runtime.supervisor.create({ kind: 'echo', workerId: `n${n}` }, n === 0 ? null : `n${n - 1}`),
    );
    await Promise.all(made);
    assert.equal((await runtime.worker('n0').stop()).children, depth - 1);
    assert.equal((await runtime.worker('n0').delete()).status, 'stopped');
    assert.equal([...runtime.workers()].length, 0);
  });
});

describe('a delete', () => {
  test('is refused while a member of the family is active', async (t) => {
    const { runtime, top } = await startFamily(t);
    await top.stop();
    await runtime.worker('below').restore();
    await assert.rejects(top.delete(), { code: 'worker_active', details: { worker_id: 'below' } });
    await runtime.worker('below').stop();
    await top.delete();
    assert.deepEqual([...runtime.workers()], []);
  });

  test('with force stops the family and deletes it', async (t) => {
    const { runtime, top, lines } = await startFamily(t);
    assert.equal((await top.delete({ force: true })).status, 'stopped');
    assert.deepEqual([...runtime.workers()], []);
    await eventually(() => stoppedIn(lines).length === 4);
    const again = await runtime.create({ kind: 'relative', workerId: 'top' });
    assert.equal((await again.stop()).children, undefined, 'a new worker of the same id has no old children');
  });
});

describe('children', () => {
  test('of a worker that failed are stopped', async (t) => {
    const { runtime, top } = await startFamily(t, { hosts: 2, limits: { maxRestarts: 1 } });
    await failFor(top);
    await Promise.all(['first', 'second', 'below'].map((workerId) => hasStatus(runtime.worker(workerId), 'stopped')));
  });

  test('of a worker that has ended itself are stopped', async (t) => {
    const runtime = await startRuntime(t);
    const top = await runtime.create({ kind: 'short-lived', workerId: 'top' });
    await top.ask(create('child'));
    await codeOf(top.ask({ do: 'exit', code: 0 }));
    await hasStatus(top, 'stopped');
    await hasStatus(runtime.worker('child'), 'stopped');
  });

  test('of a worker that is restarted stay', async (t) => {
    const { runtime, top } = await startFamily(t);
    assert.equal(await codeOf(top.ask({ do: 'exit' })), 'host_lost');
    await Promise.all(['top', 'first', 'below'].map((workerId) => hasStatus(runtime.worker(workerId), 'idle')));
    assert.equal((await top.stop()).children, 3);
  });
});

/** Has it die until it is given up. */
async function failFor(worker: WorkerHandle): Promise<void> {
  while (worker.view().status !== 'failed') {
    await codeOf(worker.ask({ do: 'exit' }));
    await eventually(() => ['idle', 'failed'].includes(worker.view().status));
  }
}

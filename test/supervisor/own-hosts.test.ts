// Hosts that belong to one worker each: they come and go with it, and there are only so many.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Runtime } from '../../lib/runtime.ts';
import { codeOf, emitted, eventually, hasStatus, startRuntime } from '../support/start-runtime.ts';

const KINDS = [
  { kind: 'apart', isolation: 'dedicated', look: {} },
  { kind: 'alone', isolation: 'process', look: { do: 'tell' } },
] as const;

async function ownHosts(runtime: Runtime): Promise<string[]> {
  return (await runtime.describe()).hosts.filter(({ isolation }) => isolation !== 'shared').map(({ hostId }) => hostId);
}

for (const { kind, isolation, look } of KINDS) {
  describe(`a worker of isolation ${isolation}`, () => {
    test('has a host of its own, which ends when it hibernates, and another one when it wakes', async (t) => {
      const runtime = await startRuntime(t, { limits: { idleAfterMs: 20 } });
      const worker = await runtime.create({ kind });
      await worker.ask(look);
      await hasStatus(worker, 'hibernated');
      await eventually(async () => (await ownHosts(runtime)).length === 0);
      await worker.ask(look);
    });

    test('has its host end when it is stopped, or deleted', async (t) => {
      const runtime = await startRuntime(t);
      const workers = await Promise.all([1, 2].map(() => runtime.create({ kind })));
      assert.equal((await ownHosts(runtime)).length, 2);
      assert.notEqual(workers[0]?.view().hostId, workers[1]?.view().hostId);
      await workers[0]?.stop();
      await workers[1]?.stop();
      await workers[1]?.delete();
      await eventually(async () => (await ownHosts(runtime)).length === 0);
    });

    test('waits for a host if there are as many as there may be, and gets one when another worker is idle', async (t) => {
      const runtime = await startRuntime(t, { limits: { maxOwnHosts: 1 } });
      const first = await runtime.create({ kind });
      await first.ask(look);
      const second = await runtime.create({ kind });
      await second.ask(look);
      assert.deepEqual([first.view().status, (await ownHosts(runtime)).length], ['hibernated', 1]);
      await first.ask(look);
    });
  });
}

test('a worker that waits for a host is told of as starting, and gets the one of a worker that ends', async (t) => {
  const runtime = await startRuntime(t, { limits: { maxOwnHosts: 1 } });
  const first = await runtime.create({ kind: 'apart' });
  const endless = codeOf(first.ask({ wait: true }));
  await emitted(first, 'waiting');
  const second = await runtime.create({ kind: 'apart' });
  assert.deepEqual([second.view().status, second.view().hostId], ['starting', null]);
  assert.equal(await codeOf(second.ask({}, { timeoutMs: 50 })), 'expired');
  const answer = second.ask({});
  await first.stop();
  assert.equal(await endless, 'cancelled');
  assert.equal(typeof (await answer), 'number');
});

test('a worker that waits for a host can be stopped', async (t) => {
  const runtime = await startRuntime(t, { limits: { maxOwnHosts: 1 } });
  const first = await runtime.create({ kind: 'apart' });
  const endless = codeOf(first.ask({ wait: true }));
  const second = await runtime.create({ kind: 'apart' });
  const answer = codeOf(second.ask({}));
  assert.equal((await second.stop()).cancelled, 1);
  assert.equal(await answer, 'cancelled');
  await first.stop();
  assert.equal(await endless, 'cancelled');
});

test('a worker whose own host dies gets another one, and takes nobody along', async (t) => {
  const runtime = await startRuntime(t, { limits: { maxOwnHosts: 2 } });
  const [worker, neighbour] = await Promise.all([runtime.create({ kind: 'apart' }), runtime.create({ kind: 'apart' })]);
  const thread = await neighbour.ask({});
  assert.equal(await codeOf(worker.ask({ exit: true })), 'host_lost');
  assert.equal(typeof (await worker.ask({})), 'number');
  assert.deepEqual([worker.view().restarts, neighbour.view().restarts, await neighbour.ask({})], [1, 0, thread]);
});

test('without threads every isolation is the main thread', async (t) => {
  const runtime = await startRuntime(t, { hosts: 0 });
  const worker = await runtime.create({ kind: 'alone' });
  assert.equal(((await worker.ask({ do: 'tell' })) as { pid: number }).pid, process.pid);
});

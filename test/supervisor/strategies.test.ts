import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { RuntimeOptions } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
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

const create = (worker: string, kind = 'relative') => ({ do: 'create', kind, worker });

/** A parent of the kind with four children: `a`, `lonely`, `b` and `mortal`, created in that order. Those with names of kinds have their own threads. */
async function startFamily(t: TestContext, kind: string, options: Partial<RuntimeOptions> = {}) {
  const { log, lines } = recordLog();
  const runtime = await startRuntime(t, { log, ...options });
  const parent = await runtime.create({ kind, workerId: 'parent' });
  const child = async (workerId: string, childKind: string): Promise<WorkerHandle> => {
    await parent.ask(create(workerId, childKind));
    return runtime.worker(workerId);
  };
  const a = await child('a', 'relative');
  const lonely = await child('lonely', 'lonely');
  const b = await child('b', 'relative');
  const mortal = await child('mortal', 'mortal');
  const stopped = (): unknown[] =>
    lines.filter(({ message }) => message === 'stopped() ran').map(({ fields }) => fields['worker_id']);
  return { runtime, parent, a, lonely, b, mortal, stopped };
}

const die = (worker: WorkerHandle): Promise<unknown> => codeOf(worker.ask({ do: 'exit' }));

const isBack = (worker: WorkerHandle, restarts: number): Promise<true> =>
  eventually(() => (worker.view().restarts === restarts && worker.view().status === 'idle' ? true : undefined));

const restartsOf = (...workers: readonly WorkerHandle[]): number[] => workers.map((worker) => worker.view().restarts);

async function causesOf(worker: WorkerHandle): Promise<unknown[]> {
  const entries = await transcriptOf(worker);
  return entries.filter(({ type }) => type === 'restarted').map(({ data }) => (data as { cause: string }).cause);
}

describe('when a child dies and is restarted', () => {
  test('`one_for_all` restarts its siblings, in order and without holding it against them', async (t) => {
    const { parent, a, lonely, b, mortal, stopped } = await startFamily(t, 'one-for-all');
    assert.equal(await die(lonely), 'host_lost');
    await Promise.all([a, lonely, b, mortal].map((worker) => isBack(worker, 1)));
    assert.deepEqual(restartsOf(parent, a, lonely, b, mortal), [0, 1, 1, 1, 1]);
    assert.deepEqual(await causesOf(a), ['sibling_died']);
    assert.deepEqual(await causesOf(lonely), ['exited']);
    assert.deepEqual(
      [a, lonely, b, mortal].map((worker) => worker.view().deaths.length),
      [0, 1, 0, 0],
    );
    await eventually(() => stopped().length === 3);
    assert.deepEqual(stopped().toSorted(), ['a', 'b', 'mortal']);
  });

  test('`rest_for_one` restarts those created after it', async (t) => {
    const { parent, a, lonely, b, mortal } = await startFamily(t, 'rest-for-one');
    await die(lonely);
    await Promise.all([lonely, b, mortal].map((worker) => isBack(worker, 1)));
    assert.deepEqual(restartsOf(parent, a, lonely, b, mortal), [0, 0, 1, 1, 1]);
  });

  for (const kind of ['one-for-one', 'relative'])
    test(`${kind === 'relative' ? 'a parent without a strategy' : '`one_for_one`'} restarts nobody else`, async (t) => {
      const { parent, a, lonely, b, mortal } = await startFamily(t, kind);
      await die(lonely);
      await isBack(lonely, 1);
      // Anything else would have begun before it was back.
      await Promise.all([a, b, mortal, parent].map((worker) => worker.ask({ do: 'say', value: 1 })));
      assert.deepEqual(restartsOf(parent, a, lonely, b, mortal), [0, 0, 1, 0, 0]);
    });

  test('those that died with it are restarted once', async (t) => {
    const { parent, a, lonely, b, mortal } = await startFamily(t, 'one-for-all');
    await die(a);
    await Promise.all([parent, a, b, lonely, mortal].map((worker) => isBack(worker, 1)));
    assert.deepEqual([await causesOf(b), await causesOf(lonely)], [['exited'], ['sibling_died']]);
  });

  test('a sibling ends what it runs; what waits runs after its restart, in order', async (t) => {
    const { a, lonely } = await startFamily(t, 'one-for-all');
    const running = a.ask({ do: 'wait', gate: t.name });
    await emitted(a, 'waiting');
    const waiting = [1, 2, 3].map((value) => a.ask({ do: 'say', value }));
    await die(lonely);
    await isBack(lonely, 1);
    assert.equal(a.view().restarts, 0);
    waiting.push(a.ask({ do: 'say', value: 4 }));
    openGate(t.name);
    assert.equal(await running, null);
    assert.deepEqual(await Promise.all(waiting), [1, 2, 3, 4]);
    const types = (await transcriptOf(a)).filter(({ type }) => type === 'output' || type === 'restarted');
    assert.deepEqual(
      types.map(({ type, data }) => (type === 'output' ? data : type)),
      [null, 'restarted', 1, 2, 3, 4],
    );
  });

  for (const durability of ['durable', 'volatile'] as const)
    test(`none of a sibling's many inputs is lost or overtaken (${durability})`, async (t) => {
      const { a, lonely } = await startFamily(t, 'one-for-all');
      const ended: number[] = [];
      const ask = async (value: number): Promise<void> => {
        assert.equal(await a.ask({ do: 'say', value }, { durability }), value);
        ended.push(value);
      };
      const asks: Promise<void>[] = [];
      for (let round = 0; round < 4; round++) {
        const count = asks.length;
        for (let n = 0; n < 200; n++) asks.push(ask(count + n));
        await die(lonely);
        await eventually(() => lonely.view().status === 'idle');
      }
      await Promise.all(asks);
      assert.deepEqual(
        ended,
        ended.map((_, n) => n),
      );
      assert.ok(a.view().restarts > 0);
      const outputs = (await transcriptOf(a)).filter(({ type }) => type === 'failed' || type === 'cancelled');
      assert.deepEqual(outputs, []);
    });

  test('a sibling that does not come to an end is cancelled after `stopTimeoutMs`', async (t) => {
    const { a, lonely } = await startFamily(t, 'one-for-all', { limits: { stopTimeoutMs: 1_000 } });
    const running = codeOf(a.ask({ do: 'wait', gate: t.name }));
    await emitted(a, 'waiting');
    const waiting = a.ask({ do: 'say', value: 1 });
    await die(lonely);
    assert.equal(await running, 'cancelled');
    assert.equal(await waiting, 1);
    await isBack(a, 1);
  });

  test('a sibling that is being restarted can be stopped', async (t) => {
    const { a, lonely } = await startFamily(t, 'one-for-all');
    const running = codeOf(a.ask({ do: 'wait', gate: t.name }));
    await emitted(a, 'waiting');
    const waiting = codeOf(a.ask({ do: 'say', value: 1 }));
    await die(lonely);
    await isBack(lonely, 1);
    assert.equal((await a.stop()).cancelled, 2);
    assert.deepEqual(await Promise.all([running, waiting]), ['cancelled', 'cancelled']);
    assert.equal(a.view().status, 'stopped');
  });
});

describe('when a child has failed', () => {
  test('its parent dies of it, and its children start afresh', async (t) => {
    const { parent, a, lonely, b, mortal } = await startFamily(t, 'one-for-one');
    assert.equal(await die(mortal), 'host_lost');
    await Promise.all([parent, a, lonely, b].map((worker) => isBack(worker, 1)));
    await hasStatus(mortal, 'idle');
    assert.deepEqual(await causesOf(parent), ['child_failed']);
    assert.deepEqual(
      parent.view().deaths.map(({ cause }) => cause),
      ['child_failed'],
    );
    assert.deepEqual(await causesOf(a), ['parent_restarted']);
    assert.deepEqual([a.view().deaths, mortal.view().deaths], [[], []]);
    assert.equal(await mortal.ask({ do: 'say', value: 1 }), 1);
  });

  test('a parent without a strategy goes on', async (t) => {
    const { parent, a, mortal } = await startFamily(t, 'relative');
    await die(mortal);
    await hasStatus(mortal, 'failed');
    await Promise.all([a, parent].map((worker) => worker.ask({ do: 'say', value: 1 })));
    assert.deepEqual(restartsOf(parent, a), [0, 0]);
  });

  test('that was never to be restarted, its parent goes on too', async (t) => {
    const { runtime, parent, a } = await startFamily(t, 'one-for-one');
    await parent.ask(create('short-lived', 'short-lived'));
    const temporary = runtime.worker('short-lived');
    await die(temporary);
    await hasStatus(temporary, 'failed');
    await Promise.all([a, parent].map((worker) => worker.ask({ do: 'say', value: 1 })));
    assert.deepEqual(restartsOf(parent, a), [0, 0]);
  });

  test('a parent that hibernates dies of it too', async (t) => {
    const { parent, mortal } = await startFamily(t, 'one-for-one', { limits: { idleAfterMs: 1 } });
    await Promise.all([parent, mortal].map((worker) => hasStatus(worker, 'hibernated')));
    await die(mortal);
    await eventually(() => parent.view().restarts === 1);
    await eventually(() => ['idle', 'hibernated'].includes(mortal.view().status));
    assert.deepEqual(await causesOf(parent), ['child_failed']);
  });

  test('a parent whose restarts are used up fails with all its children', async (t) => {
    const { parent, a, lonely, b, mortal } = await startFamily(t, 'brittle');
    await die(mortal);
    await hasStatus(parent, 'failed');
    await Promise.all([a, lonely, b].map((worker) => hasStatus(worker, 'stopped')));
    assert.equal(mortal.view().status, 'failed');
    const { code, details } = parent.view().failure ?? {};
    assert.deepEqual([code, details?.['cause'], details?.['child_id']], ['worker_failed', 'child_failed', 'mortal']);
  });

  test('it goes up until somebody survives it; the whole family below comes back', async (t) => {
    const runtime = await startRuntime(t);
    const top = await runtime.create({ kind: 'one-for-one', workerId: 'top' });
    await top.ask(create('middle', 'brittle'));
    const middle = runtime.worker('middle');
    for (const kind of ['mortal', 'relative']) await middle.ask(create(kind, kind));
    await runtime.worker('relative').ask(create('below'));
    await die(runtime.worker('mortal'));
    await isBack(top, 1);
    const family = ['middle', 'relative', 'below'];
    await Promise.all(family.map((workerId) => hasStatus(runtime.worker(workerId), 'idle')));
    assert.deepEqual(await causesOf(top), ['child_failed']);
    assert.equal(await middle.ask({ do: 'ask', worker: 'below', input: { do: 'say', value: 1 } }), 1);
  });
});

describe('a restore', () => {
  test('brings back those below that were stopped with it, and no others', async (t) => {
    const { runtime, parent, a, b } = await startFamily(t, 'relative');
    await a.ask(create('below'));
    await b.stop();
    await parent.stop();
    await parent.restore();
    await Promise.all(['a', 'below', 'lonely', 'mortal'].map((id) => hasStatus(runtime.worker(id), 'idle')));
    assert.equal(b.view().status, 'stopped');
  });
});

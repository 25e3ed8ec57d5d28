// One worker crashes, by a failure that nothing waited for, and its host and neighbours live on.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { BroadcastChannel } from 'node:worker_threads';
import {
  codeOf,
  eventually,
  hasStatus,
  openGate,
  emitted,
  recordLog,
  startRuntime,
  transcriptOf,
} from '../support/start-runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';

const hasRestarted = (worker: WorkerHandle, restarts = 1) =>
  eventually(() => worker.view().restarts === restarts && worker.view().status === 'idle');

const restartsOf = async (worker: WorkerHandle) =>
  (await transcriptOf(worker)).filter(({ type }) => type === 'restarted').map(({ data }) => data);

describe('an exception of a callback', () => {
  test('restarts the worker that left it behind, with its saved state, and no other', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { log });
    const culprit = await runtime.create({ kind: 'throws-later' });
    const neighbour = await runtime.create({ kind: 'throws-later' });
    const waiting = await runtime.create({ kind: 'gate' });
    assert.deepEqual(await neighbour.ask({ add: 1 }), { total: 1, counted: 1 });
    const waits = waiting.ask({ wait: 'crash-neighbour', say: 'still here' });
    await emitted(waiting, 'waiting');

    assert.deepEqual(await culprit.ask({ add: 5, throw: 'idle' }), { total: 5, counted: 1 });
    await hasRestarted(culprit);

    assert.deepEqual(await restartsOf(culprit), [
      { cause: 'uncaught_exception', restarts: 1, delay_ms: 0, host_id: 'host-1' },
    ]);
    // What is only in the memory of the thread is there, so it is the same thread.
    assert.deepEqual(await neighbour.ask({ add: 1 }), { total: 2, counted: 2 });
    assert.deepEqual(await culprit.ask({ add: 1 }), { total: 6, counted: 2 });
    assert.equal(neighbour.view().restarts, 0);
    openGate('crash-neighbour');
    assert.equal(await waits, 'still here');
    const crash = lines.filter(({ message }) => message === 'worker crashed');
    assert.deepEqual(
      crash.map(({ level, fields }) => ({ level, ...fields })),
      [
        {
          level: 'error',
          worker_id: culprit.workerId,
          kind: 'throws-later',
          host_id: 'host-1',
          cause: 'uncaught_exception',
          error_name: 'Error',
          error_message: 'from a timer',
        },
      ],
    );
  });

  test('ends the running input as unknown; what had not started runs afterwards, in order', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'throws-later' });
    const asks = [{ add: 1 }, { add: 10, throw: 'running' }, { add: 100 }, { add: 1_000 }].map((input) =>
      worker.ask(input),
    );
    assert.equal(await codeOf(asks[1] as Promise<unknown>), 'worker_crashed');
    const [first, , third, fourth] = await Promise.allSettled(asks);
    const totals = [first, third, fourth].map((result) => (result?.status === 'fulfilled' ? result.value : result));
    assert.deepEqual(totals, [
      { total: 1, counted: 1 },
      { total: 101, counted: 3 },
      { total: 1_101, counted: 4 },
    ]);
    assert.equal(worker.view().hostId, 'host-1');
  });

  test('refuses what the code that is left still asks for, after it was told to end', async (t) => {
    const runtime = await startRuntime(t);
    const neighbour = await runtime.create({ kind: 'throws-later', workerId: 'neighbour' });
    const worker = await runtime.create({ kind: 'throws-later' });
    const channel = new BroadcastChannel('haunted');
    t.after(() => channel.close());
    const haunted = once(channel as unknown as EventTarget, 'message');
    assert.equal(await codeOf(worker.ask({ throw: 'running', haunt: 'haunted' })), 'worker_crashed');
    const [message] = (await haunted) as [MessageEvent];
    assert.deepEqual(message.data, ['emit: unsupported_operation', 'tell: unsupported_operation']);
    await hasRestarted(worker);
    assert.ok(!(await transcriptOf(worker)).some(({ type }) => type === 'emitted'));
    assert.deepEqual(await neighbour.ask({}), { total: 0, counted: 1 });
  });

  test('of a life that is over is logged and costs nothing', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { log });
    const worker = await runtime.create({ kind: 'throws-later' });
    await worker.ask({ throw: 'twice' });
    await eventually(() => lines.some(({ message }) => message === 'what a worker has left behind has failed'));
    await hasRestarted(worker);
    assert.deepEqual(await worker.ask({}), { total: 0, counted: 2 });
  });

  test('counts against the restart budget', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxRestarts: 1 } });
    const worker = await runtime.create({ kind: 'throws-later' });
    await worker.ask({ throw: 'idle' });
    await hasRestarted(worker);
    assert.equal(await codeOf(worker.ask({ throw: 'running' })), 'worker_crashed');
    await hasStatus(worker, 'failed');
    assert.equal(worker.view().failure?.code, 'worker_crashed');
    await worker.restore();
    assert.deepEqual(await worker.ask({}), { total: 0, counted: 3 });
  });
});

describe('a rejection that nobody handles', () => {
  test('restarts its worker, whenever it comes', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { log });
    const worker = await runtime.create({ kind: 'rejects-later' });
    const neighbour = await runtime.create({ kind: 'rejects-later' });
    assert.equal(await worker.ask({ add: 1, reject: 'now' }), 1);
    await hasRestarted(worker, 1);
    assert.equal(await worker.ask({ add: 1, reject: 'later' }), 2);
    await hasRestarted(worker, 2);
    assert.equal(await codeOf(worker.ask({ add: 1, reject: 'running' })), 'worker_crashed');
    await hasRestarted(worker, 3);
    assert.equal(await worker.ask({ add: 1 }), 3);
    const causes = (await restartsOf(worker)).map((data) => (data as { cause: unknown }).cause);
    assert.deepEqual(causes, Array(3).fill('unhandled_rejection'));
    assert.deepEqual([neighbour.view().restarts, worker.view().hostId], [0, 'host-1']);
    const messages = lines
      .filter(({ message }) => message === 'worker crashed')
      .map(({ fields }) => fields['error_message']);
    assert.deepEqual(messages, ['forgotten in <path>', 'forgotten later', 'forgotten while running']);
  });

  test("of the first state is its worker's as well", async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { log, limits: { maxRestarts: 1 } });
    const neighbour = await runtime.create({ kind: 'rejects-later' });
    const worker = await runtime.create({ kind: 'rejects-later', config: { failsAtStart: true } });
    // With luck the state was kept before, and is not made again.
    await eventually(
      () => worker.view().status === 'failed' || (worker.view().restarts > 0 && worker.view().status === 'idle'),
    );
    const crash = lines.find(({ message }) => message === 'worker crashed');
    assert.deepEqual(
      [crash?.fields['worker_id'], crash?.fields['error_message']],
      [worker.workerId, 'forgotten by state()'],
    );
    assert.deepEqual([neighbour.view().hostId, neighbour.view().restarts], ['host-1', 0]);
  });
});

test('workers that crash again and again leave room on their host for others', async (t) => {
  const runtime = await startRuntime(t, { limits: { maxRestarts: 1_000 } });
  const workers = await Promise.all(Array.from({ length: 8 }, () => runtime.create({ kind: 'rejects-later' })));
  for (let round = 1; round <= 3; round++) {
    await Promise.all(
      workers.map((worker) => [worker.tell({ add: 1, reject: 'now' }), worker.tell({ add: 1 })]).flat(),
    );
    await Promise.all(workers.map((worker) => hasRestarted(worker, round)));
  }
  const totals = await Promise.all(workers.map((worker) => worker.ask({})));
  assert.deepEqual(totals, Array(8).fill(6));
  assert.deepEqual(
    workers.map((worker) => worker.view().hostId),
    Array(8).fill('host-1'),
  );
});

test('a process.exit after an await names the worker that called it', async (t) => {
  const runtime = await startRuntime(t);
  const exiting = await runtime.create({ kind: 'exits-later', workerId: 'exiting' });
  const waiting = await runtime.create({ kind: 'gate', workerId: 'waiting' });
  const waits = codeOf(waiting.ask({ wait: 'never-opened' }));
  await emitted(waiting, 'waiting');
  assert.equal(await codeOf(exiting.ask({ code: 5 })), 'host_lost');
  assert.equal(await waits, 'host_lost');
  const [data] = (await restartsOf(waiting)) as Record<string, unknown>[];
  assert.deepEqual([data?.['culprits'], data?.['exit_code']], [['exiting'], 5]);
});

test('what cannot be cloned or encoded, thrown in any way, is a typed error and costs no neighbour anything', async (t) => {
  const runtime = await startRuntime(t, { limits: { maxRestarts: 1_000 } });
  const neighbour = await runtime.create({ kind: 'throws-later' });
  await neighbour.ask({});
  const errors = ['getter', 'proxy', 'cause', 'details', 'chosen', 'symbol', 'function', 'text', 'revoked'];
  for (const error of errors) {
    const worker = await runtime.create({ kind: 'throws-uncloneable' });
    const code = error === 'chosen' ? 'chosen' : 'actor_error';
    assert.equal(await codeOf(worker.ask({ error, how: 'throw' })), code, error);
    assert.equal(await codeOf(worker.ask({ error, how: 'reject' })), code, error);
    assert.equal(await codeOf(worker.ask({ error, how: 'later' })), 'worker_crashed', error);
  }
  assert.deepEqual(await neighbour.ask({}), { total: 0, counted: 2 });
});

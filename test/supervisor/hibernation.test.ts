import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { codeOf, emitted, hasStatus, openGate, startRuntime, transcriptOf } from '../support/start-runtime.ts';

interface Request {
  kind: string;
  workerId?: string;
  config?: unknown;
}

async function hibernated(
  t: TestContext,
  request: Request,
  options: Partial<RuntimeOptions> = {},
): Promise<{ runtime: Runtime; worker: WorkerHandle }> {
  const runtime = await startRuntime(t, options);
  for await (const { worker, error } of runtime.createAll([request])) {
    if (error !== null) throw error;
    assert.equal(worker.view().status, 'hibernated');
    return { runtime, worker };
  }
  throw new Error('no outcome');
}

describe('a hibernated worker', () => {
  test('wakes with its first input: its state is made then, and it is a worker like any other', async (t) => {
    const { worker } = await hibernated(t, { kind: 'counter', config: { start: 40 } });
    const asked = worker.ask({ add: 2 });
    assert.equal(worker.view().status, 'starting');
    assert.equal(await asked, 42);
    assert.deepEqual([worker.view().status, worker.view().hostId], ['idle', 'host-1']);
    const entries = (await transcriptOf(worker)).map(({ sequence, type, data }) => ({ sequence, type, data }));
    assert.deepEqual(entries, [
      { sequence: 1, type: 'created', data: { kind: 'counter', display_name: null } },
      { sequence: 2, type: 'input', data: { add: 2 } },
      { sequence: 3, type: 'output', data: 42 },
    ]);
    assert.equal(await worker.ask({ add: 1 }), 43);
  });

  test('runs what comes while it wakes in the order in which it came', async (t) => {
    const { worker } = await hibernated(t, { kind: 'counter' });
    const totals = Array.from({ length: 200 }, () => worker.ask({ add: 1 }));
    assert.deepEqual(
      await Promise.all(totals),
      totals.map((_, n) => n + 1),
    );
  });

  test('has its config, as its schema gives it, after it woke', async (t) => {
    const { worker } = await hibernated(t, { kind: 'configured', config: { name: 'Anna' } });
    assert.deepEqual(await worker.ask(null), { name: 'Anna', greeting: 'Hello' });
    assert.deepEqual(await worker.ask(null), { name: 'Anna', greeting: 'Hello' });
  });

  test('that cannot make its state is restarted within its budget and then fails, and so do its inputs', async (t) => {
    const { worker } = await hibernated(t, { kind: 'bad-start' }, { limits: { maxRestarts: 1 } });
    const receipt = await worker.tell(1);
    assert.equal(await codeOf(worker.ask(2)), 'worker_failed');
    const { status, restarts, failure } = worker.view();
    assert.deepEqual([status, restarts, failure?.code], ['failed', 1, 'actor_error']);
    const { outcome, error } = worker.input(receipt.inputId);
    assert.deepEqual([outcome, error?.code], ['failed', 'worker_failed']);
    assert.equal(await codeOf(worker.tell(3)), 'worker_failed');
  });

  test('that is turn-based takes one input, and no second before that one has ended', async (t) => {
    const { worker } = await hibernated(t, { kind: 'turn' });
    const running = worker.ask({ wait: 'hibernated-turn', say: 1 });
    assert.equal(await codeOf(worker.tell({})), 'worker_busy');
    await emitted(worker, 'waiting');
    openGate('hibernated-turn');
    assert.equal(await running, 1);
  });

  test('wakes for an input above the size that the main thread parses', async (t) => {
    const { runtime, worker } = await hibernated(t, { kind: 'echo' });
    const body = Buffer.from(JSON.stringify('x'.repeat(100_000)));
    await runtime.supervisor.deliverBytes(worker.workerId, body, {});
    await hasStatus(worker, 'idle');
    assert.equal(worker.view().lastSequence, 3);
  });

  test('refuses what is not its input, and sleeps on', async (t) => {
    const { worker } = await hibernated(t, { kind: 'counter' });
    assert.equal(await codeOf(worker.tell({ add: 'x' })), 'invalid_input');
    assert.deepEqual([worker.view().status, worker.view().lastSequence], ['hibernated', 1]);
  });

  test('stops at once, without running anything, and can be restored', async (t) => {
    const { worker } = await hibernated(t, { kind: 'context' });
    const ack = { workerId: worker.workerId, status: 'stopped', drained: 0, cancelled: 0, refused: 0 };
    assert.deepEqual([await worker.stop(), await worker.stop()], [ack, ack]);
    assert.deepEqual(
      (await transcriptOf(worker)).map(({ type }) => type),
      ['created', 'stopped'],
    );
    assert.equal((await worker.restore()).status, 'idle');
    assert.equal(await worker.ask({ do: 'count' }), 1);
  });

  test('is started by a restore', async (t) => {
    const { worker } = await hibernated(t, { kind: 'counter', config: { start: 1 } });
    assert.equal((await worker.restore()).status, 'idle');
    assert.equal(await codeOf(worker.restore()), 'worker_active');
    assert.equal(await worker.ask({ add: 1 }), 2);
  });

  test('is deleted without force, and its id is free', async (t) => {
    const { runtime, worker } = await hibernated(t, { kind: 'counter', workerId: 'w' });
    assert.equal((await worker.delete()).status, 'hibernated');
    assert.equal(await codeOf(worker.tell({ add: 1 })), 'worker_not_found');
    assert.deepEqual((await runtime.describe()).workers, { total: 0 });
    assert.equal((await runtime.create({ kind: 'echo', workerId: 'w' })).view().status, 'idle');
  });

  test('does not hear of the death of a host', async (t) => {
    const { runtime, worker } = await hibernated(t, { kind: 'counter' });
    const exits = await runtime.create({ kind: 'exits' });
    assert.equal(await codeOf(exits.ask({ code: 1 })), 'host_lost');
    await hasStatus(exits, 'idle');
    assert.deepEqual([worker.view().status, worker.view().restarts], ['hibernated', 0]);
    assert.equal(await worker.ask({ add: 1 }), 1);
  });
});

describe('many workers', () => {
  test('that hibernate wake together, each once, on all hosts', async (t) => {
    const runtime = await startRuntime(t, { hosts: 2 });
    const requests = Array.from({ length: 2_000 }, (_, n) => ({
      kind: 'counter',
      workerId: `w${n}`,
      config: { start: n },
    }));
    const workers: WorkerHandle[] = [];
    for await (const { worker } of runtime.createAll(requests)) if (worker !== null) workers.push(worker);
    assert.deepEqual(
      await Promise.all(workers.map((worker) => worker.ask({ add: 1 }))),
      requests.map((_, n) => n + 1),
    );
    const { workers: counts, hosts } = await runtime.describe();
    assert.deepEqual([counts, hosts.map((host) => host.workers)], [{ total: 2_000, idle: 2_000 }, [1_000, 1_000]]);
  });

  test('are counted by status, and found by it', async (t) => {
    const { runtime, worker } = await hibernated(t, { kind: 'counter', workerId: 'asleep' });
    const stopped = await runtime.create({ kind: 'echo', workerId: 'stopped' });
    const gate = await runtime.create({ kind: 'gate', workerId: 'running' });
    const running = gate.ask({ wait: 'counted' });
    await stopped.stop();
    await emitted(gate, 'waiting');
    assert.deepEqual((await runtime.describe()).workers, { total: 3, running: 1, stopped: 1, hibernated: 1 });
    for (const [status, ids] of [
      ['hibernated', ['asleep']],
      ['stopped', ['stopped']],
      ['idle', []],
    ] as const) {
      assert.deepEqual(
        Array.from(runtime.workers({ status }), ({ workerId }) => workerId),
        ids,
      );
    }
    assert.deepEqual([...runtime.workers({ status: 'hibernated', kind: 'echo' })], []);
    openGate('counted');
    await running;
    await Promise.all([worker, gate].map((each) => each.delete({ force: true })));
    assert.deepEqual((await runtime.describe()).workers, { total: 1, stopped: 1 });
  });

  test('that hibernate are nothing to wait for at a close', async (t) => {
    const { runtime } = await hibernated(t, { kind: 'context' });
    assert.deepEqual(await runtime.close(), {
      finished: 0,
      refused: 0,
      cancelled: 0,
      killed: 0,
      kept: 0,
      unclean: [],
      uncleanTotal: 0,
    });
  });
});

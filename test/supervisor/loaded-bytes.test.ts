import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { eventually, hasStatus, recordLog, startRuntime, temporaryFolder } from '../support/start-runtime.ts';

const KiB = 1024;
const FIXTURES = new URL('../fixtures/actors/', import.meta.url);
const SHIPPED = new URL('../../actors/', import.meta.url);

function start(t: TestContext, options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
  return startRuntime(t, { store: 'lmdb', dataDir: temporaryFolder(t), ...options });
}

function idle(runtime: Runtime): number {
  return [...runtime.workers({ status: 'idle' })].length;
}

function loaded(runtime: Runtime): number {
  return runtime.supervisor.residence.countLoaded;
}

async function many(runtime: Runtime, count: number): Promise<WorkerHandle[]> {
  const workers: WorkerHandle[] = [];
  const requests = Array.from({ length: count }, (_, n) => ({ kind: 'counter', workerId: `w${n}` }));
  for await (const { worker } of runtime.createAll(requests)) if (worker !== null) workers.push(worker);
  return workers;
}

describe('the workers of a durable store', () => {
  test('leave memory when nobody uses them, and are there again when somebody asks', async (t) => {
    const runtime = await start(t);
    const workers = await many(runtime, 300);
    await eventually(() => loaded(runtime) === 0);
    assert.deepEqual((await runtime.describe()).workers, { total: 300, hibernated: 300 });
    assert.equal(workers[7]?.view().status, 'hibernated');
    assert.equal(await workers[7]?.ask({ add: 3 }), 3);
    assert.deepEqual((await runtime.describe()).workers, { total: 300, hibernated: 299, idle: 1 });
  });

  test('hibernate early when they take more memory than they may, those that have been idle longest first', async (t) => {
    const runtime = await start(t, { limits: { maxLoadedBytes: 64 * KiB } });
    const workers = await many(runtime, 200);
    await Promise.all(workers.map((worker) => worker.ask({ add: 1 })));
    await eventually(() => loaded(runtime) < 40);
    const last = workers[3] as WorkerHandle;
    assert.equal(await last.ask({ add: 1 }), 2);
    assert.equal(last.view().status, 'idle');
    assert.ok(idle(runtime) > 0, 'what fits stays');
    assert.deepEqual(
      await Promise.all(workers.map((worker) => worker.ask({ add: 1 }))),
      workers.map((worker) => (worker === last ? 3 : 2)),
    );
  });

  test('that are kept awake stay, whatever they take', async (t) => {
    const runtime = await start(t, { limits: { maxLoadedBytes: 1 } });
    const kept = await runtime.create({ kind: 'sleeper' });
    await kept.ask({ do: 'keep', reason: 'test' });
    const other = await runtime.create({ kind: 'counter' });
    await hasStatus(other, 'hibernated');
    assert.equal(kept.view().status, 'idle');
  });

  test('with inputs that waited for a restart are through with them, and out of memory, without staying for their time', async (t) => {
    const dataDir = temporaryFolder(t);
    const options = { actors: [FIXTURES, SHIPPED], hosts: 1, store: 'lmdb', dataDir } as const;
    const first = await createRuntime(options);
    const workers = await many(first, 2_000);
    // The close comes in the same turn: what is accepted is not run any more.
    const told = workers.map((worker) => worker.tell({ add: 1 }));
    const closed = first.close();
    await Promise.all([...told, closed]);

    const { log, lines } = recordLog();
    const second = await start(t, { dataDir, log, limits: { maxLoadedBytes: 256 * KiB } });
    let most = 0;
    await eventually(() => {
      most = Math.max(most, loaded(second));
      return lines.some(({ message }) => message === 'waiting inputs taken up again') && loaded(second) < 200;
    }, 60_000);
    const takenUp = lines.find(({ message }) => message === 'waiting inputs taken up again');
    assert.equal(takenUp?.fields['workers'], 2_000);
    assert.ok(most < 1_000, `${most} were in memory at once`);
    assert.deepEqual(
      await Promise.all(workers.map(({ workerId }) => second.worker(workerId).ask({ add: 1 }))),
      workers.map(() => 2),
    );
  });

  test('that never hibernate are started with the runtime, the others with their first input', async (t) => {
    const dataDir = temporaryFolder(t);
    const first = await createRuntime({ actors: [FIXTURES, SHIPPED], hosts: 1, store: 'lmdb', dataDir });
    for (const workerId of ['s1', 's2', 's3']) await first.create({ kind: 'steady', workerId });
    await first.create({ kind: 'counter', workerId: 'c' });
    await first.worker('s3').stop();
    await first.close();
    const second = await start(t, { dataDir });
    await Promise.all(['s1', 's2'].map((workerId) => hasStatus(second.worker(workerId), 'idle')));
    assert.deepEqual(
      ['s3', 'c'].map((workerId) => second.worker(workerId).view().status),
      ['stopped', 'hibernated'],
    );
  });
});

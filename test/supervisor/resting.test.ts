import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { oneOf, randomFrom } from '../support/random.ts';
import { seeded } from '../support/seeded.ts';
import {
  codeOf,
  emitted,
  eventually,
  hasStatus,
  openGate,
  startRuntime,
  temporaryFolder,
  transcriptOf,
} from '../support/start-runtime.ts';

const IDLE_AFTER_MS = 20;

/** Workers of it hibernate as soon as a test can see them idle. */
function start(t: TestContext, store: 'memory' | 'lmdb', options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
  const { limits, ...rest } = options;
  return startRuntime(t, {
    store,
    ...(store === 'lmdb' && { dataDir: temporaryFolder(t) }),
    limits: { idleAfterMs: IDLE_AFTER_MS, ...limits },
    ...rest,
  });
}

function note(worker: WorkerHandle, text: unknown): Promise<unknown> {
  return worker.ask({ do: 'note', note: text });
}

for (const store of ['memory', 'lmdb'] as const) {
  describe(`an idle worker with the store ${store}`, () => {
    test('hibernates on no host, and wakes with its state, its functions and its transcript', async (t) => {
      const runtime = await start(t, store);
      const worker = await runtime.create({ kind: 'sleeper', displayName: 'Sleeper' });
      await note(worker, 1);
      await hasStatus(worker, 'hibernated');
      const { hostId, displayName, awake, running } = worker.view();
      assert.deepEqual([hostId, displayName, awake, running], [null, 'Sleeper', null, null]);
      assert.deepEqual((await runtime.describe()).hosts[0]?.workers, 0);
      const { workerId } = worker;
      assert.equal(await runtime.invoke('sleeper::count', {}, { metadata: { worker_id: workerId } }), 1);
      assert.deepEqual(await note(worker, 2), [1, 2]);
      const told = (await transcriptOf(worker)).map(({ type }) => type);
      // What it emits when it is put away, which a slow machine may do more than once.
      assert.ok(told.includes('emitted'));
      assert.deepEqual(told.filter((type) => type !== 'emitted').slice(0, 4), ['created', 'input', 'output', 'input']);
    });

    test('that was created and never had an input hibernates too', async (t) => {
      const runtime = await start(t, store);
      const worker = await runtime.create({ kind: 'counter', config: { start: 7 } });
      await hasStatus(worker, 'hibernated');
      assert.equal(await worker.ask({ add: 1 }), 8);
    });

    test('hibernates and wakes again and again', async (t) => {
      const runtime = await start(t, store);
      const worker = await runtime.create({ kind: 'counter' });
      for (let round = 1; round <= 5; round++) {
        assert.equal(await worker.ask({ add: 1 }), round);
        await hasStatus(worker, 'hibernated');
      }
      assert.equal(worker.view().restarts, 0);
    });

    test('does not while it runs an input, however long', async (t) => {
      const runtime = await start(t, store);
      const worker = await runtime.create({ kind: 'gate' });
      const idle = await runtime.create({ kind: 'counter' });
      const running = worker.ask({ wait: `resting-${store}`, say: 1 });
      await emitted(worker, 'waiting');
      await hasStatus(idle, 'hibernated');
      assert.deepEqual(
        [worker.view().status, worker.view().awake],
        ['running', { reasons: ['inputs'], kept: [], hibernatesAt: null }],
      );
      openGate(`resting-${store}`);
      assert.equal(await running, 1);
      await hasStatus(worker, 'hibernated');
    });

    test('does not while its actor keeps it awake, and says why', async (t) => {
      const runtime = await start(t, store);
      const worker = await runtime.create({ kind: 'sleeper' });
      const other = await runtime.create({ kind: 'counter' });
      await worker.ask({ do: 'keep', reason: 'a socket is open' });
      await hasStatus(other, 'hibernated');
      assert.deepEqual(worker.view().awake, { reasons: ['kept'], kept: ['a socket is open'], hibernatesAt: null });
      assert.equal(await worker.ask({ do: 'release' }), true);
      await hasStatus(worker, 'hibernated');
      await note(worker, 1);
      assert.deepEqual(worker.view().awake?.kept, []);
    });

    test('is not kept by what it asked for before it was stopped', async (t) => {
      const runtime = await start(t, store);
      const worker = await runtime.create({ kind: 'sleeper' });
      await worker.ask({ do: 'keep', reason: 'for ever' });
      await worker.stop();
      assert.equal(worker.view().awake, null);
      await worker.restore();
      await hasStatus(worker, 'hibernated');
    });

    test('does not while it has a channel', async (t) => {
      const runtime = await start(t, store);
      const { writer, reader } = runtime.channel();
      const worker = await runtime.create({ kind: 'piper' });
      const other = await runtime.create({ kind: 'counter' });
      const piped = worker.ask({ do: 'hold', reader });
      await piped;
      await hasStatus(other, 'hibernated');
      assert.deepEqual(worker.view().awake?.reasons, ['channels']);
      const stream = runtime.openChannel(writer);
      stream.end();
      await hasStatus(worker, 'hibernated');
    });

    test('of an actor that never hibernates stays', async (t) => {
      const runtime = await start(t, store);
      const worker = await runtime.create({ kind: 'steady' });
      const other = await runtime.create({ kind: 'counter' });
      await hasStatus(other, 'hibernated');
      assert.deepEqual([worker.view().status, worker.view().awake?.reasons], ['idle', ['always']]);
    });
  });

  describe(`a worker that leaves its host, with the store ${store}`, () => {
    /** In the middle of it: its `stopped` waits for the gate. */
    async function leaving(t: TestContext, options: Partial<RuntimeOptions> = {}): Promise<[WorkerHandle, string]> {
      const runtime = await start(t, store, options);
      const worker = await runtime.create({ kind: 'lingering' });
      const gate = `lingering-${worker.workerId}`;
      await worker.ask({ gate });
      await emitted(worker, 'leaving');
      return [worker, gate];
    }

    test('wakes for an input that comes meanwhile', async (t) => {
      const [worker, gate] = await leaving(t);
      const asked = worker.ask({});
      assert.equal(worker.view().status, 'idle');
      openGate(gate);
      assert.equal(await asked, 2);
    });

    test('wakes for many, and runs them in their order', async (t) => {
      const [worker, gate] = await leaving(t);
      const asked = Array.from({ length: 100 }, () => worker.ask({}));
      openGate(gate);
      assert.deepEqual(
        await Promise.all(asked),
        Array.from({ length: 100 }, (_, n) => n + 2),
      );
    });

    test('cancels what waits for it', async (t) => {
      const [worker, gate] = await leaving(t);
      const { inputId } = await worker.tell({});
      assert.equal((await worker.cancel({ inputId })).effect, 'removed');
      openGate(gate);
      await hasStatus(worker, 'hibernated');
      // A durable outcome is told when it is kept.
      await eventually(() => worker.input(inputId).outcome === 'cancelled');
    });

    test('is stopped, once', async (t) => {
      const [worker, gate] = await leaving(t);
      const stopped = worker.stop({ reason: 'test' });
      const waiting = codeOf(worker.ask({}));
      openGate(gate);
      assert.equal(await waiting, 'worker_stopping');
      assert.deepEqual([(await stopped).status, worker.view().status], ['stopped', 'stopped']);
      const types = (await transcriptOf(worker)).map(({ type }) => type);
      assert.deepEqual(types, ['created', 'input', 'output', 'emitted', 'stopped']);
    });

    test('runs what waits before a stop with drain', async (t) => {
      const [worker, gate] = await leaving(t);
      const asked = worker.ask({});
      const stopped = worker.stop({ drain: true });
      openGate(gate);
      assert.equal(await asked, 2);
      assert.equal((await stopped).drained, 1);
    });

    test('is deleted by force, and not without', async (t) => {
      const [worker, gate] = await leaving(t);
      assert.equal(await codeOf(worker.delete()), 'worker_active');
      assert.equal(await codeOf(worker.restore()), 'worker_active');
      const deleted = worker.delete({ force: true });
      openGate(gate);
      assert.equal((await deleted).status, 'stopped');
      assert.equal(await codeOf(worker.ask({})), 'worker_not_found');
    });

    test('is started again when its host dies, with what waits', async (t) => {
      const [worker, gate] = await leaving(t);
      const asked = worker.ask({});
      openGate(`${gate}-dies`);
      assert.equal(await asked, 2);
    });
  });
}

describe('many workers', () => {
  for (const [store, count, asks] of [
    ['memory', 10_000, 30_000],
    ['lmdb', 2_000, 6_000],
  ] as const) {
    test(`with the store ${store} hibernate and wake under load, and each input has one outcome, in order`, async (t) => {
      const { seed } = seeded(t, 1);
      const random = randomFrom(seed);
      // Shorter than the gaps between the inputs of a worker, so that most of them meet one that leaves, or has left.
      const runtime = await start(t, store, { hosts: 2, limits: { idleAfterMs: 5 } });
      const workers: WorkerHandle[] = [];
      const requests = Array.from({ length: count }, (_, n) => ({ kind: 'counter', workerId: `w${n}` }));
      for await (const { worker } of runtime.createAll(requests)) if (worker !== null) workers.push(worker);
      const sent = new Map<WorkerHandle, number>();
      let left = asks;
      let met = 0;
      const askInTurn = async (): Promise<void> => {
        while (left-- > 0) {
          const worker = oneOf(random, workers);
          const total = (sent.get(worker) ?? 0) + 1;
          sent.set(worker, total);
          if (total > 1 && worker.view().hostId === null) met++;
          assert.equal(await worker.ask({ add: 1 }), total);
        }
      };
      await Promise.all(Array.from({ length: 256 }, askInTurn));
      assert.ok(met > asks / 20, `only ${met} inputs met a worker that had hibernated`);
      await eventually(async () => ((await runtime.describe()).workers.hibernated ?? 0) === count);
      for (const [worker, total] of sent) assert.equal(worker.view().lastSequence, 1 + 2 * total);
    });
  }
});

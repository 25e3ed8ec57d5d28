import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { TIMERS_PER_WORKER } from '../../lib/limits.ts';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import {
  codeOf,
  eventually,
  hasStatus,
  startRuntime,
  temporaryFolder,
  transcriptOf,
} from '../support/start-runtime.ts';

const SOON_MS = 20;
/** Too late for any test. */
const LATER_MS = 3_600_000;
const FIXTURES = new URL('../fixtures/actors/', import.meta.url);

function after(worker: WorkerHandle, ms: number, note: unknown): Promise<unknown> {
  return worker.ask({ do: 'after', ms, note });
}

/** What the worker was told, once it is as long as that. */
async function notes(worker: WorkerHandle, length: number): Promise<unknown[]> {
  return eventually(async () => {
    const told: unknown[] = [];
    for (const { type, data } of await transcriptOf(worker))
      if (type === 'input' && (data as { do: string }).do === 'note') told.push((data as { note: unknown }).note);
    return told.length >= length && told;
  });
}

for (const store of ['memory', 'lmdb'] as const) {
  describe(`a timer with the store ${store}`, () => {
    function start(t: TestContext, idleAfterMs = 60_000): Promise<Runtime> {
      const dataDir = store === 'lmdb' ? temporaryFolder(t) : undefined;
      return startRuntime(t, { store, dataDir, limits: { idleAfterMs } });
    }

    test('arrives through the mailbox, once', async (t) => {
      const worker = await (await start(t)).create({ kind: 'sleeper' });
      await after(worker, SOON_MS, 'soon');
      assert.deepEqual(await notes(worker, 1), ['soon']);
      await after(worker, SOON_MS, 'again');
      assert.deepEqual(await notes(worker, 2), ['soon', 'again']);
    });

    test('wakes its worker', async (t) => {
      const worker = await (await start(t, 10)).create({ kind: 'sleeper' });
      await after(worker, 400, 'wake up');
      await hasStatus(worker, 'hibernated');
      assert.deepEqual(await notes(worker, 1), ['wake up']);
    });

    test('arrives in the order of the times', async (t) => {
      const worker = await (await start(t)).create({ kind: 'sleeper' });
      await Promise.all([after(worker, 120, 3), after(worker, 60, 2), after(worker, 1, 1)]);
      assert.deepEqual(await notes(worker, 3), [1, 2, 3]);
    });

    test('is forgotten when the worker stops', async (t) => {
      const worker = await (await start(t)).create({ kind: 'sleeper' });
      await after(worker, 100, 'stopped before');
      await worker.stop();
      await worker.restore();
      await after(worker, 200, 'after');
      assert.deepEqual(await notes(worker, 1), ['after']);
    });

    test('is refused when the worker has too many', async (t) => {
      const worker = await (await start(t)).create({ kind: 'sleeper' });
      await Promise.all(Array.from({ length: TIMERS_PER_WORKER }, (_, n) => after(worker, LATER_MS, n)));
      // The answer to one that is refused goes to the log: what counts is that the next one after a stop is taken.
      await after(worker, 1, 'too many');
      await after(worker, 1, 'too many');
      assert.deepEqual(await notes(worker, 0), []);
      await worker.stop();
      await worker.restore();
      await after(worker, 1, 'room again');
      assert.deepEqual(await notes(worker, 1), ['room again']);
    });
  });
}

describe('a timer of a durable worker', () => {
  const open = (t: TestContext, dataDir: string): Promise<Runtime> => {
    const runtime = createRuntime({ actors: [FIXTURES], hosts: 1, store: 'lmdb', dataDir });
    t.after(async () => {
      if ((await runtime).supervisor.status === 'running') await (await runtime).close({ deadlineMs: 1 });
    });
    return runtime;
  };

  test('that was due while the runtime was away fires at once after a restart, in the order of the times, and once', async (t) => {
    const dataDir = temporaryFolder(t);
    const first = await open(t, dataDir);
    const one = await first.create({ kind: 'sleeper', workerId: 'one' });
    const two = await first.create({ kind: 'sleeper', workerId: 'two' });
    const setAtMs = Date.now();
    await Promise.all([
      after(one, 350, 'b'),
      after(one, 300, 'a'),
      after(two, 250, 'c'),
      after(two, LATER_MS, 'later'),
    ]);
    await first.close();
    await eventually(() => Date.now() > setAtMs + 360);

    const second = await open(t, dataDir);
    assert.deepEqual(await notes(second.worker('one'), 2), ['a', 'b']);
    assert.deepEqual(await notes(second.worker('two'), 1), ['c']);
    await second.close();

    const third = await open(t, dataDir);
    await after(third.worker('two'), 1, 'd');
    assert.deepEqual(await notes(third.worker('two'), 2), ['c', 'd']);
    assert.deepEqual(await notes(third.worker('one'), 2), ['a', 'b']);
  });

  test('that was not due fires at its time after a restart', async (t) => {
    const dataDir = temporaryFolder(t);
    const first = await open(t, dataDir);
    await after(await first.create({ kind: 'sleeper', workerId: 'w' }), 700, 'in time');
    const setAtMs = Date.now();
    await first.close();
    const second = await open(t, dataDir);
    await notes(second.worker('w'), 1);
    assert.ok(Date.now() >= setAtMs + 650);
  });

  test('is not set when the handler that set it fails', async (t) => {
    const runtime = await open(t, temporaryFolder(t));
    const worker = await runtime.create({ kind: 'sleeper' });
    assert.equal(await codeOf(worker.ask({ do: 'after', ms: 1, note: 'never', then: 'throw' })), 'actor_error');
    await after(worker, 100, 'after');
    assert.deepEqual(await notes(worker, 1), ['after']);
  });

  test('is gone with its worker, and an id that is used again has none', async (t) => {
    const runtime = await open(t, temporaryFolder(t));
    const worker = await runtime.create({ kind: 'sleeper', workerId: 'w' });
    await after(worker, 100, 'of the first');
    await worker.delete({ force: true });
    const next = await runtime.create({ kind: 'sleeper', workerId: 'w' });
    await after(next, 200, 'of the second');
    assert.deepEqual(await notes(next, 1), ['of the second']);
  });
});

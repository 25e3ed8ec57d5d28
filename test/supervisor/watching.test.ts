import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { WATCHES_PER_WORKER } from '../../lib/limits.ts';
import type { RuntimeOptions } from '../../lib/runtime.ts';
import {
  codeOf,
  emitted,
  eventually,
  hasStatus,
  openGate,
  startRuntime,
  transcriptOf,
} from '../support/start-runtime.ts';

async function startPair(t: TestContext, options: Partial<RuntimeOptions> = {}) {
  const runtime = await startRuntime(t, options);
  const watcher = await runtime.create({ kind: 'watcher', workerId: 'watcher' });
  const watched = await runtime.create({ kind: 'relative', workerId: 'watched' });
  return { runtime, watcher, watched };
}

/** Both kinds of host have to tell the notice from an input. */
for (const hosts of [0, 1])
  describe(`a watch, ${hosts === 0 ? 'inline' : 'on a thread'}`, () => {
    test('tells once that the other was stopped, failed, or deleted', async (t) => {
      const { runtime, watcher, watched } = await startPair(t, { hosts });
      await runtime.create({ kind: 'relative', workerId: 'deleted' });
      await watcher.ask({ watch: ['watched', 'deleted', 'watched'] });
      await watched.stop();
      await emitted(watcher, 'watched stopped');
      await runtime.worker('deleted').delete({ force: true });
      await emitted(watcher, 'deleted deleted');
      await watched.restore();
      await watched.stop();
      assert.deepEqual(await watcher.ask({}), [
        { workerId: 'watched', reason: 'stopped' },
        { workerId: 'deleted', reason: 'deleted' },
      ]);
    });

    test('of a worker that has ended, or is not there, tells so at once', async (t) => {
      const { runtime, watcher, watched } = await startPair(t, { hosts });
      await watched.stop();
      await watcher.ask({ watch: ['watched'] });
      await emitted(watcher, 'watched stopped');
      await watcher.ask({ watch: ['nobody'] });
      await emitted(watcher, 'nobody deleted');
      await runtime.create({ kind: 'bad-start', workerId: 'failed', config: {} }).catch(() => undefined);
      await hasStatus(runtime.worker('failed'), 'failed');
      await watcher.ask({ watch: ['failed'] });
      await emitted(watcher, 'failed failed');
    });
  });

describe('a watch', () => {
  test('says nothing of a restart or a hibernation, and why a worker failed', async (t) => {
    const { runtime, watcher, watched } = await startPair(t, { hosts: 2, limits: { idleAfterMs: 1 } });
    const mortal = await runtime.create({ kind: 'mortal', workerId: 'mortal' });
    await watcher.ask({ watch: ['watched', 'mortal'] });
    await hasStatus(watched, 'hibernated');
    await codeOf(watched.ask({ do: 'exit' }));
    await eventually(async () => (await transcriptOf(watched)).some(({ type }) => type === 'restarted'));
    assert.deepEqual(await watcher.ask({}), []);
    await codeOf(mortal.ask({ do: 'exit' }));
    await emitted(watcher, 'mortal failed');
    const [event] = (await watcher.ask({})) as { reason: string; error: { code: string } }[];
    assert.equal(event?.reason, 'failed');
    assert.equal(event?.error.code, 'host_lost');
  });

  test('wakes the worker that watches, and outlives its restarts', async (t) => {
    const { watcher, watched } = await startPair(t, { limits: { idleAfterMs: 1 } });
    await watcher.ask({ watch: ['watched'] });
    await codeOf(watched.ask({ do: 'exit' }));
    await hasStatus(watcher, 'hibernated');
    await watched.stop();
    await emitted(watcher, 'watched stopped');
  });

  test('finds its way into a full mailbox', async (t) => {
    const { watcher, watched } = await startPair(t);
    await watcher.ask({ watch: ['watched'] });
    const busy = watcher.ask({ wait: t.name });
    await emitted(watcher, 'waiting');
    const waiting = watcher.ask({});
    await eventually(() => watcher.view().mailbox.messages === 1);
    await watched.stop();
    assert.equal(await codeOf(watcher.tell({})), 'worker_busy');
    openGate(t.name);
    await Promise.all([busy, waiting]);
    await emitted(watcher, 'watched stopped');
    assert.equal((await transcriptOf(watcher)).filter(({ data }) => data === 'watched stopped').length, 1);
  });

  test('can be taken back, and ends with the worker that watches', async (t) => {
    const { runtime, watcher, watched } = await startPair(t);
    await runtime.create({ kind: 'relative', workerId: 'other' });
    await watcher.ask({ watch: ['watched', 'other'] });
    await watcher.ask({ unwatch: 'watched' });
    await watched.stop();
    await watcher.stop();
    await watcher.restore();
    await runtime.worker('other').stop();
    assert.deepEqual(await watcher.ask({}), []);
  });

  test('is refused without `ended`, of itself, and of more than so many', async (t) => {
    const { runtime, watcher } = await startPair(t);
    assert.equal(await codeOf(watcher.ask({ watch: ['watcher'] })), 'unsupported_operation');
    assert.equal(await codeOf(watcher.ask({ watch: ['not an id'] })), 'invalid_worker_id');
    const ids = Array.from({ length: WATCHES_PER_WORKER }, (_, n) => `w${n}`);
    for await (const { error } of runtime.createAll(ids.map((workerId) => ({ kind: 'echo', workerId }))))
      assert.equal(error, null);
    await watcher.ask({ watch: ids });
    assert.equal(await codeOf(watcher.ask({ watch: ['watched'] })), 'worker_busy');
    await watcher.ask({ unwatch: 'w0', watch: [] });
    await watcher.ask({ watch: ['watched'] });
    assert.throws(() => runtime.supervisor.families.watch('watched', 'watcher'), { code: 'unsupported_operation' });
  });
});

test('nobody but the runtime tells a worker that another has ended', async (t) => {
  const { runtime, watcher } = await startPair(t);
  const forged = { 'greenroom:ended': { workerId: 'watched', reason: 'stopped' } };
  assert.equal(await codeOf(watcher.tell(forged)), 'invalid_input');
  // A large input is looked at by a host.
  const large = Buffer.from(JSON.stringify({ ...forged, fill: 'x'.repeat(100_000) }));
  await assert.rejects(async () => runtime.supervisor.deliverBytes('watcher', large, {}), { code: 'invalid_input' });
  assert.deepEqual(await watcher.ask({}), []);
});

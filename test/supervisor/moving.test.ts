// What becomes of workers whose host is recycled, with real threads.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HostDetail } from '../../lib/protocol/views.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import {
  codeOf,
  emitted,
  eventually,
  hasStatus,
  openGate,
  startRuntime,
  transcriptOf,
} from '../support/start-runtime.ts';

/** Resolves when the host takes nothing any more. */
async function beginRecycling(runtime: Runtime, hostId: string): Promise<{ ended: Promise<HostDetail> }> {
  const ended = runtime.recycleHost(hostId);
  await eventually(() => runtime.host(hostId).status !== 'ready');
  return { ended };
}

function hostOf(worker: WorkerHandle): string | null {
  return worker.view().hostId;
}

/** The one live host of a kind. */
function onlyHost(runtime: Runtime, isolation = 'shared'): string {
  const hosts = runtime.hosts().filter((host) => host.isolation === isolation);
  assert.equal(hosts.length, 1, JSON.stringify(hosts));
  return hosts[0]?.hostId ?? '';
}

describe('while their host is recycled again and again', () => {
  test('workers answer every ask, in order, once, and keep their states', async (t) => {
    const runtime = await startRuntime(t, { hosts: 2 });
    const workers = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        runtime.create({ kind: n % 3 === 0 ? 'sleeper' : 'counter', workerId: `w${n}` }),
      ),
    );
    let isOver = false;
    const load = workers.map(async (worker, n) => {
      let asked = 0;
      while (!isOver) {
        const batch = Array.from({ length: 1 + (n % 5) }, () => ++asked);
        const answers = await Promise.all(
          batch.map((note) => worker.ask(n % 3 === 0 ? { do: 'note', note } : { add: 1 })),
        );
        const seen = n % 3 === 0 ? answers.map((notes) => (notes as number[]).length) : answers;
        assert.deepEqual(seen, batch);
      }
      return asked;
    });
    const gone = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const { hostId } = runtime.hosts()[round % 2] ?? assert.fail('no host');
      await runtime.recycleHost(hostId);
      gone.add(hostId);
    }
    isOver = true;
    const asked = await Promise.all(load);
    assert.ok(asked.every((count) => count > 0));
    const hosts = runtime.hosts();
    assert.deepEqual(
      hosts.map(({ isolation, status }) => [isolation, status]),
      [
        ['shared', 'ready'],
        ['shared', 'ready'],
      ],
    );
    assert.ok(hosts.every(({ hostId }) => !gone.has(hostId)));
    for (const [n, worker] of workers.entries()) {
      assert.equal(worker.view().restarts, 0);
      const last = await worker.ask(n % 3 === 0 ? { do: 'note', note: 'last' } : { add: 1 });
      assert.equal(n % 3 === 0 ? (last as unknown[]).length : last, (asked[n] ?? 0) + 1);
    }
  });

  test('large inputs, which hosts look at first, are all accepted', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'steady' });
    const large = Buffer.from(JSON.stringify('x'.repeat(100_000)));
    let isOver = false;
    let count = 0;
    const load = (async () => {
      while (!isOver) {
        const record = await runtime.supervisor.deliverBytes(worker.workerId, large, {});
        assert.equal(record.outcome ?? 'none', 'none');
        count++;
        await runtime.supervisor.checkPayload(large);
      }
    })();
    for (let round = 0; round < 6; round++) await runtime.recycleHost(onlyHost(runtime));
    isOver = true;
    await load;
    assert.ok(count > 0);
    assert.equal(await worker.ask('end'), 'end');
  });
});

describe('a worker whose host is recycled', () => {
  test('goes on elsewhere after the input that it is at; what waits runs there, in order', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const running = worker.ask({ wait: 'moves', say: 0 });
    await emitted(worker, 'waiting');
    const { ended } = await beginRecycling(runtime, 'host-1');
    const later = Array.from({ length: 5 }, (_, n) => worker.ask({ say: n + 1 }));
    openGate('moves');
    assert.deepEqual(await Promise.all([running, ...later]), [0, 1, 2, 3, 4, 5]);
    await ended;
    assert.equal(hostOf(worker), onlyHost(runtime));
    assert.notEqual(hostOf(worker), 'host-1');
    assert.equal(worker.view().restarts, 0);
    assert.deepEqual(
      (await transcriptOf(worker)).filter(({ type }) => type === 'restarted'),
      [],
    );
  });

  test('hibernates if it is idle, and its next input finds it as it was', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'sleeper' });
    await worker.ask({ do: 'note', note: 1 });
    await runtime.recycleHost('host-1');
    assert.equal(worker.view().status, 'hibernated');
    assert.deepEqual(await worker.ask({ do: 'note', note: 2 }), [1, 2]);
    assert.equal(hostOf(worker), onlyHost(runtime));
    assert.equal((await transcriptOf(worker)).filter(({ data }) => data === 'put away').length, 1);
  });

  test('that never hibernates is on the new host when the old one has gone', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'steady' });
    await runtime.recycleHost('host-1');
    await hasStatus(worker, 'idle');
    assert.equal(hostOf(worker), onlyHost(runtime));
  });

  test('that is kept awake goes last, starts again, and is kept awake no longer', async (t) => {
    const runtime = await startRuntime(t);
    const kept = await runtime.create({ kind: 'sleeper' });
    await kept.ask({ do: 'keep', reason: 'a phone call' });
    const busy = await runtime.create({ kind: 'gate' });
    const running = busy.ask({ wait: 'kept-last' });
    await emitted(busy, 'waiting');
    const idle = await runtime.create({ kind: 'counter' });
    const { ended } = await beginRecycling(runtime, 'host-1');
    await hasStatus(idle, 'hibernated');
    assert.deepEqual([hostOf(kept), kept.view().awake?.reasons], ['host-1', ['kept']]);
    openGate('kept-last');
    await running;
    await ended;
    await hasStatus(kept, 'idle');
    assert.deepEqual([hostOf(kept), kept.view().awake?.kept], [onlyHost(runtime), []]);
  });

  test('of a single worker moves to one of the same kind', async (t) => {
    const runtime = await startRuntime(t, { actors: [fixture('lone')] });
    const worker = await runtime.create({ kind: 'lone' });
    assert.equal(await worker.ask({}), 1);
    const before = onlyHost(runtime, 'dedicated');
    assert.equal(hostOf(worker), before);
    const running = worker.ask({ wait: 'lone-moves' });
    await emitted(worker, 'waiting');
    const { ended } = await beginRecycling(runtime, before);
    const next = worker.ask({});
    openGate('lone-moves');
    assert.deepEqual([await running, await next], [2, 3]);
    await ended;
    const after = onlyHost(runtime, 'dedicated');
    assert.notEqual(after, before);
    assert.equal(hostOf(worker), after);
    // Idle, it hibernates, and nothing is left.
    await runtime.recycleHost(after);
    await hasStatus(worker, 'hibernated');
    assert.deepEqual(
      runtime.hosts().map(({ isolation }) => isolation),
      ['shared'],
    );
    assert.equal(await worker.ask({}), 4);
  });
});

test('a worker with a process of its own moves to another process', async (t) => {
  const runtime = await startRuntime(t, { actors: [fixture('alone')] });
  const worker = await runtime.create({ kind: 'alone' });
  const before = (await worker.ask({ do: 'tell' })) as { pid: number; runs: number };
  const old = onlyHost(runtime, 'process');
  const waiting = codeOf(worker.ask({ do: 'wait' }));
  await emitted(worker, 'waiting');
  const { ended } = await beginRecycling(runtime, old);
  const next = worker.ask({ do: 'tell' });
  await worker.cancel();
  assert.equal(await waiting, 'cancelled');
  const after = (await next) as { pid: number; runs: number };
  assert.notEqual(after.pid, before.pid);
  assert.equal(after.runs, before.runs + 1);
  assert.equal((await ended).status, 'dead');
  assert.equal(hostOf(worker), onlyHost(runtime, 'process'));
  assert.throws(() => process.kill(before.pid, 0), { code: 'ESRCH' });
});

/** What happens to a worker while it is on its way, and how that ends; `lingering` is on its way until its gate opens. */
describe('in the middle of a move', () => {
  async function leaving(t: TestContext, gate: string, options: Partial<RuntimeOptions> = {}) {
    const runtime = await startRuntime(t, options);
    const worker = await runtime.create({ kind: 'lingering' });
    assert.equal(await worker.ask({ gate }), 1);
    const { ended } = await beginRecycling(runtime, 'host-1');
    await emitted(worker, 'leaving');
    return { runtime, worker, ended };
  }

  test('an input waits for its end', async (t) => {
    const { worker, ended } = await leaving(t, 'move-input');
    const answer = worker.ask({});
    openGate('move-input');
    assert.equal(await answer, 2);
    await ended;
  });

  test('a cancelled input is removed, and the worker goes on', async (t) => {
    const { worker, ended } = await leaving(t, 'move-cancel');
    const { inputId } = await worker.tell({});
    assert.equal((await worker.cancel({ inputId })).effect, 'removed');
    openGate('move-cancel');
    await ended;
    assert.equal(await worker.ask({}), 2);
  });

  for (const drain of [true, false])
    test(`a stop ${drain ? 'with' : 'without'} drain comes to its end`, async (t) => {
      const { worker, ended } = await leaving(t, `move-stop-${drain}`);
      const answer = codeOf(worker.ask({}));
      const stopped = worker.stop({ drain });
      openGate(`move-stop-${drain}`);
      const { status, drained, cancelled } = await stopped;
      assert.deepEqual([status, drained, cancelled], ['stopped', drain ? 1 : 0, drain ? 0 : 1]);
      assert.equal(await answer, drain ? 2 : 'cancelled');
      await ended;
    });

  test('a delete with force does as well', async (t) => {
    const { runtime, worker, ended } = await leaving(t, 'move-delete');
    const deleted = worker.delete({ force: true });
    openGate('move-delete');
    await deleted;
    await ended;
    assert.throws(() => runtime.worker(worker.workerId), { code: 'worker_not_found' });
  });

  test('the death of the old host restarts the worker on the new one', async (t) => {
    const { runtime, worker, ended } = await leaving(t, 'move-dies');
    const answer = worker.ask({});
    openGate('move-dies-dies');
    assert.equal(await answer, 2);
    await ended;
    assert.equal(hostOf(worker), onlyHost(runtime));
  });

  test('a close of the runtime ends it', async (t) => {
    const { runtime, ended } = await leaving(t, 'move-close');
    const closed = runtime.close({ deadlineMs: 50 });
    assert.equal(await codeOf(ended), 'runtime_unavailable');
    openGate('move-close');
    const { cancelled } = await closed;
    assert.equal(cancelled, 0);
  });
});

test('what does not end in time is killed with its host, and is told so', async (t) => {
  const runtime = await startRuntime(t, { limits: { stopTimeoutMs: 100 } });
  const [held, idle] = [await runtime.create({ kind: 'gate' }), await runtime.create({ kind: 'steady' })];
  const asked = held.ask({ wait: 'never-opened' });
  const failed = assert.rejects(asked, { code: 'host_lost' });
  await emitted(held, 'waiting');
  const next = held.ask({ say: 'next' });
  await runtime.recycleHost('host-1');
  await failed;
  assert.equal(await next, 'next');
  assert.equal(await idle.ask(1), 1);
  assert.equal(hostOf(held), onlyHost(runtime));
  const [restarted] = (await transcriptOf(held)).filter(({ type }) => type === 'restarted');
  assert.equal((restarted?.data as { cause: string }).cause, 'recycle');
});

function fixture(name: string): URL {
  return new URL(`../fixtures/actors/${name}.js`, import.meta.url);
}

// What a death means for a worker, with real threads that really die.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { RESTART_POLICIES } from '../../lib/protocol/views.ts';
import type { RestartPolicy } from '../../lib/protocol/views.ts';
import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { codeOf, emitted, eventually, hasStatus, startRuntime, transcriptOf } from '../support/start-runtime.ts';

/** Ends the host of a worker, or the worker. Those after which it counts as running settle its input too. */
const CAUSES: Readonly<Record<string, (worker: WorkerHandle, runtime: Runtime) => Promise<unknown>>> = {
  'exited with code 0': (worker) => codeOf(worker.ask({ by: 'exit', code: 0 })),
  'exited with code 3': (worker) => codeOf(worker.ask({ by: 'exit', code: 3 })),
  'threw from a callback': (worker) => codeOf(worker.ask({ by: 'throw' })),
  'its host was killed to end a cancelled input': async (worker) => {
    const spinning = codeOf(worker.ask({ by: 'spin' }));
    await emitted(worker, 'running');
    await worker.cancel();
    return spinning;
  },
  'its neighbour exited': async (worker, runtime) => {
    const waiting = codeOf(worker.ask({ by: 'wait' }));
    await emitted(worker, 'running');
    const neighbour = await runtime.create({ kind: 'exits' });
    await codeOf(neighbour.ask({ code: 0 }));
    return waiting;
  },
};

/** What becomes of it, after how many deaths that were held against it. */
const EXPECTED: Readonly<Record<RestartPolicy, Readonly<Record<string, string>>>> = {
  permanent: {
    'exited with code 0': 'restarted, 1 death',
    'exited with code 3': 'restarted, 1 death',
    'threw from a callback': 'restarted, 1 death',
    'its host was killed to end a cancelled input': 'restarted, 0 deaths',
    'its neighbour exited': 'restarted, 0 deaths',
    'could not start': 'failed, 3 deaths',
  },
  transient: {
    'exited with code 0': 'stopped, 0 deaths',
    'exited with code 3': 'restarted, 1 death',
    'threw from a callback': 'restarted, 1 death',
    'its host was killed to end a cancelled input': 'restarted, 0 deaths',
    'its neighbour exited': 'restarted, 0 deaths',
    'could not start': 'failed, 3 deaths',
  },
  temporary: {
    'exited with code 0': 'stopped, 0 deaths',
    'exited with code 3': 'failed, 1 death',
    'threw from a callback': 'failed, 1 death',
    'its host was killed to end a cancelled input': 'restarted, 0 deaths',
    'its neighbour exited': 'restarted, 0 deaths',
    'could not start': 'failed, 1 death',
  },
};

function start(t: TestContext): Promise<Runtime> {
  return startRuntime(t, { limits: { cancelGraceMs: 50 } });
}

/** As the table above puts it, once it has come to rest. */
async function becameOf(worker: WorkerHandle): Promise<string> {
  const status = await eventually(() => {
    const { status } = worker.view();
    return ['idle', 'stopped', 'failed'].includes(status) && status;
  });
  const { deaths } = worker.view();
  return `${status === 'idle' ? 'restarted' : status}, ${deaths.length} death${deaths.length === 1 ? '' : 's'}`;
}

describe('restart policy and cause', () => {
  for (const policy of RESTART_POLICIES) {
    for (const [cause, end] of Object.entries(CAUSES)) {
      test(`${policy} · ${cause}: ${EXPECTED[policy][cause]}`, async (t) => {
        const runtime = await start(t);
        const worker = await runtime.create({ kind: `dies-${policy}`, workerId: 'w' });
        await end(worker, runtime);
        assert.equal(await becameOf(worker), EXPECTED[policy][cause]);
      });
    }
    const expected = EXPECTED[policy]['could not start'];
    test(`${policy} · could not start: ${expected}`, async (t) => {
      const runtime = await start(t);
      const worker = await runtime.create({ kind: `dies-${policy}`, config: { starts: false } });
      await hasStatus(worker, 'failed');
      assert.equal(await becameOf(worker), expected);
    });
  }
});

describe('on a host of its own', () => {
  test("every death is the worker's own, though it had nothing to do", async (t) => {
    const runtime = await start(t);
    for (const [code, expected] of [
      [3, 'restarted, 1 death'],
      [0, 'stopped, 0 deaths'],
    ] as const) {
      const worker = await runtime.create({ kind: 'exits-idle', workerId: `exits-${code}` });
      await worker.ask({ code });
      await eventually(async () =>
        (await transcriptOf(worker)).some(({ type }) => ['restarted', 'stopped'].includes(type)),
      );
      assert.equal(await becameOf(worker), expected);
    }
  });
});

describe('a worker that has ended itself', () => {
  test('is stopped: what waited is told so, what comes is refused, and restored it works again', async (t) => {
    const runtime = await start(t);
    const worker = await runtime.create({ kind: 'dies-transient', workerId: 'w' });
    const [ending, waiting] = [codeOf(worker.ask({ by: 'exit', code: 0 })), worker.tell({ by: 'nothing' })];
    assert.equal(await ending, 'host_lost');
    await hasStatus(worker, 'stopped');
    const { outcome, error } = worker.input((await waiting).inputId);
    assert.deepEqual([outcome, error?.code], ['cancelled', 'worker_stopped']);
    assert.equal(await codeOf(worker.ask({ by: 'nothing' })), 'worker_stopped');
    assert.deepEqual(worker.view().failure, null);
    const stopped = (await transcriptOf(worker)).findLast(({ type }) => type === 'stopped');
    assert.deepEqual(
      [(stopped?.data as { cause: string }).cause, (stopped?.data as { exit_code: number }).exit_code],
      ['exited', 0],
    );
    assert.equal((await worker.stop()).status, 'stopped');
    assert.equal((await worker.restore()).status, 'idle');
    assert.equal(await worker.ask({ by: 'nothing' }), null);
  });
});

describe('a worker that has failed', () => {
  test('tells the chain of its deaths in its view, its failure and its transcript; restored it has none', async (t) => {
    const runtime = await start(t);
    const worker = await runtime.create({ kind: 'dies-permanent', workerId: 'w' });
    for (const [input, code] of [
      [{ by: 'exit', code: 3 }, 'host_lost'],
      [{ by: 'throw' }, 'worker_crashed'],
      [{ by: 'exit', code: 0 }, 'host_lost'],
    ] as const)
      assert.equal(await codeOf(worker.ask(input)), code);
    await hasStatus(worker, 'failed');
    const { deaths, failure, restarts } = worker.view();
    const causes = deaths.map(({ cause, hostId }) => [cause, hostId]);
    assert.deepEqual(causes, [
      ['exited', 'host-1'],
      ['uncaught_exception', 'host-2'],
      ['exited', 'host-2'],
    ]);
    assert.deepEqual(
      deaths.map(({ at }) => at),
      deaths.map(({ at }) => at).sort(),
    );
    assert.equal(restarts, 2);
    const chain = deaths.map(({ at, cause, hostId }) => ({ at, cause, host_id: hostId }));
    assert.deepEqual([failure?.code, failure?.details?.['deaths']], ['host_lost', chain]);
    const entry = (await transcriptOf(worker)).at(-1);
    assert.deepEqual([entry?.type, entry?.data], ['failed', failure]);
    await worker.restore();
    assert.deepEqual([worker.view().deaths, worker.view().failure], [[], null]);
    assert.equal(await worker.ask({ by: 'nothing' }), null);
  });
});

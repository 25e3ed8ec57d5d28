// When a host is recycled or killed for what it has taken: the rule, and the same with real threads.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Runtime } from '../../lib/runtime.ts';
import type { HostDetail } from '../../lib/protocol/views.ts';
import { boundsOf, measureFor } from '../../lib/supervisor/recycling.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { resolveLimits } from '../../lib/limits.ts';
import {
  codeOf,
  emitted,
  eventually,
  openGate,
  recordLog,
  startRuntime,
  transcriptOf,
} from '../support/start-runtime.ts';

const MiB = 1024 * 1024;
const KILLED = { type: 'kill' };
const RECYCLED = { type: 'recycle' };

describe('a host', () => {
  const quiet = { heapBytes: 0, externalBytes: 0, handled: 0, ageMs: 0 };
  const bounds = { heapBytes: 1_000, externalBytes: 2_000, maxAgeMs: 60_000, maxInputs: 500 };
  const CASES = [
    ['that has taken nothing', {}, null],
    ['with four fifths of its heap', { heapBytes: 800 }, null],
    ['with more than four fifths of its heap', { heapBytes: 801 }, { ...RECYCLED, reason: 'heap' }],
    ['with all of its heap', { heapBytes: 1_000 }, { ...RECYCLED, reason: 'heap' }],
    ['with more than its heap', { heapBytes: 1_001 }, { ...KILLED, reason: 'heap' }],
    ['with four fifths of its external memory', { externalBytes: 1_600 }, null],
    ['with more than four fifths of it', { externalBytes: 1_601 }, { ...RECYCLED, reason: 'external' }],
    ['with more than all of it', { externalBytes: 2_001 }, { ...KILLED, reason: 'external' }],
    [
      'that is to be recycled for one and killed for the other',
      { heapBytes: 900, externalBytes: 2_001 },
      { ...KILLED, reason: 'external' },
    ],
    ['as old as it may be', { ageMs: 60_000 }, null],
    ['that is older', { ageMs: 60_001 }, { ...RECYCLED, reason: 'age' }],
    ['that has handled one less than it may', { handled: 499 }, null],
    ['that has handled as many as it may', { handled: 500 }, { ...RECYCLED, reason: 'inputs' }],
  ] as const;
  for (const [title, figures, measure] of CASES)
    test(`${title} is ${measure === null ? 'left alone' : `${measure.type === 'kill' ? 'killed' : 'recycled'} for its ${measure.reason}`}`, () =>
      assert.deepEqual(measureFor({ ...quiet, ...figures }, bounds), measure));

  test('without bounds of age and inputs is never too old, and never handles too many', () => {
    const figures = { ...quiet, handled: Number.MAX_SAFE_INTEGER, ageMs: Number.MAX_SAFE_INTEGER };
    assert.equal(measureFor(figures, { ...bounds, maxAgeMs: 0, maxInputs: 0 }), null);
  });

  test('has the heap of its kind', () => {
    const limits = resolveLimits({
      sharedHeapBytes: 1,
      dedicatedHeapBytes: 2,
      processHeapBytes: 3,
      hostExternalBytes: 4,
    });
    const found = (['shared', 'dedicated', 'process'] as const).map((isolation) => boundsOf({ isolation }, limits));
    assert.deepEqual(
      found.map(({ heapBytes, externalBytes }) => [heapBytes, externalBytes]),
      [
        [1, 4],
        [2, 4],
        [3, 4],
      ],
    );
  });
});

/** With a worker that is asked meanwhile: a host that does nothing is looked at less often. */
async function ended(runtime: Runtime, hostId: string, worker?: WorkerHandle): Promise<HostDetail> {
  return eventually(async () => {
    await worker?.ask({});
    const host = runtime.host(hostId);
    return host.status === 'dead' && host;
  });
}

async function leakHeap(worker: WorkerHandle, toBytes: number): Promise<number> {
  for (;;) {
    const { handled, heapBytes } = (await worker.ask({ heapMiB: 2 })) as { handled: number; heapBytes: number };
    if (heapBytes > toBytes) return handled;
  }
}

describe('with real threads', () => {
  test('a host whose heap fills is recycled, and its workers go on with their states', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { limits: { sharedHeapBytes: 256 * MiB }, log });
    const worker = await runtime.create({ kind: 'leaks-slowly' });
    const neighbour = await runtime.create({ kind: 'counter' });
    assert.equal(await neighbour.ask({ add: 5 }), 5);
    await leakHeap(worker, 215 * MiB);
    const { certificate, heapBytes } = await ended(runtime, 'host-1', worker);
    assert.equal(certificate, null);
    assert.ok(heapBytes > 200 * MiB, String(heapBytes));
    const [recycled] = lines.filter(({ message }) => message === 'host recycled');
    assert.deepEqual([recycled?.fields['reason'], recycled?.fields['orderly']], ['heap', true]);
    const inputs = (await transcriptOf(worker)).filter(({ type }) => type === 'output');
    assert.equal(
      ((await worker.ask({})) as { handled: number }).handled,
      (inputs.at(-1)?.data as { handled: number }).handled + 1,
    );
    assert.equal(await neighbour.ask({ add: 1 }), 6);
    assert.deepEqual([worker.view().restarts, neighbour.view().restarts], [0, 0]);
    // Full again at once, it is left alone for a while.
    await leakHeap(worker, 215 * MiB);
    await eventually(async () => {
      await worker.ask({});
      return lines.some(({ message }) => message.startsWith('host is full again'));
    });
    assert.deepEqual(
      runtime.hosts().map(({ hostId, status }) => [hostId, status]),
      [['host-2', 'ready']],
    );
  });

  test('a host whose Buffers fill is recycled', async (t) => {
    const runtime = await startRuntime(t, { limits: { hostExternalBytes: 200 * MiB } });
    const worker = await runtime.create({ kind: 'leaks-slowly' });
    await worker.ask({ externalMiB: 180 });
    const { certificate, externalBytes } = await ended(runtime, 'host-1', worker);
    assert.equal(certificate, null);
    assert.ok(externalBytes > 160 * MiB, String(externalBytes));
    assert.equal(worker.view().restarts, 0);
  });

  test('a host whose Buffers are beyond the bound is killed, and says so', async (t) => {
    const runtime = await startRuntime(t, { limits: { hostExternalBytes: 100 * MiB } });
    const worker = await runtime.create({ kind: 'leaks-slowly' });
    await worker.ask({ externalMiB: 150 });
    const { certificate } = await ended(runtime, 'host-1');
    assert.equal(certificate?.reason, 'memory');
    assert.ok((certificate?.evidence.externalBytes ?? 0) > 100 * MiB);
    assert.equal(((await worker.ask({})) as { handled: number }).handled, 2);
    const [restarted] = (await transcriptOf(worker)).filter(({ type }) => type === 'restarted');
    assert.equal((restarted?.data as { cause: string }).cause, 'memory');
  });

  test('a host is recycled for its age, and for the inputs that it has handled', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { limits: { hostMaxAgeMs: 60_000, hostMaxInputs: 100 }, log });
    const worker = await runtime.create({ kind: 'counter' });
    await Promise.all(Array.from({ length: 100 }, () => worker.ask({ add: 1 })));
    const { handled } = await ended(runtime, 'host-1');
    assert.equal(handled, 100);
    assert.equal(await worker.ask({ add: 1 }), 101);
    const aged = await startRuntime(t, { limits: { hostMaxAgeMs: 300 }, log });
    await ended(aged, 'host-1');
    const reasons = lines.filter(({ message }) => message === 'host recycled').map(({ fields }) => fields['reason']);
    assert.deepEqual(reasons.slice(0, 2), ['inputs', 'age']);
  });

  test('a host on the main thread has no memory of its own, and is not held to any', async (t) => {
    const runtime = await startRuntime(t, { hosts: 0, limits: { sharedHeapBytes: 1, hostExternalBytes: 1 } });
    const worker = await runtime.create({ kind: 'counter' });
    const host = await eventually(async () => {
      await worker.ask({ add: 1 });
      return runtime.hosts().find(({ utilization }) => utilization > 0);
    });
    assert.deepEqual([host.hostId, host.status, host.heapBytes, host.externalBytes], ['host-1', 'ready', 0, 0]);
  });

  test('a host that fills while it is being recycled is killed', async (t) => {
    const runtime = await startRuntime(t, { hosts: 1, limits: { hostExternalBytes: 100 * MiB } });
    const worker = await runtime.create({ kind: 'leaks-slowly' });
    const asked = codeOf(worker.ask({ externalMiB: 150, gate: 'fills-meanwhile' }));
    await emitted(worker, 'waiting');
    const recycled = runtime.recycleHost('host-1');
    await eventually(() => runtime.host('host-1').status === 'recycling');
    openGate('fills-meanwhile');
    const { status, certificate } = await recycled;
    assert.deepEqual([status, certificate?.reason], ['dead', 'memory']);
    assert.equal(await asked, 'host_lost');
    assert.equal(((await worker.ask({})) as { handled: number }).handled, 1);
    assert.equal(runtime.hosts().length, 1);
  });

  test('a new host has nothing of what an old one has left behind', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'leaks-slowly' });
    const kept: number[] = [];
    for (let round = 0; round < 8; round++) {
      kept.push(((await worker.ask({ heapMiB: 1 })) as { kept: number }).kept);
      // Two in a row: the thread of the first has just ended when the second is launched.
      for (const again of [1, 2]) await runtime.recycleHost(`host-${2 * round + again}`);
    }
    assert.deepEqual(
      kept,
      Array.from({ length: 8 }, () => 1),
    );
  });

  test('shared hosts are recycled one after the other', async (t) => {
    const runtime = await startRuntime(t, { hosts: 3 });
    const workers = await Promise.all(Array.from({ length: 3 }, () => runtime.create({ kind: 'gate' })));
    const asked = workers.map((worker, n) => worker.ask({ wait: `in-turn-${n}` }));
    for (const worker of workers) await emitted(worker, 'waiting');
    const hosts = workers.map((worker) => worker.view().hostId ?? '');
    const all = hosts.map((hostId) => runtime.recycleHost(hostId));
    for (const [n, hostId] of hosts.entries()) {
      await eventually(() => runtime.host(hostId).status === 'recycling');
      assert.equal(runtime.hosts().filter(({ status }) => status === 'recycling').length, 1);
      assert.equal(await codeOf(refused(() => runtime.recycleHost(hosts[2] ?? ''))), 'unsupported_operation');
      openGate(`in-turn-${n}`);
      assert.equal((await all[n])?.status, 'dead');
    }
    await Promise.all(asked);
    assert.deepEqual(
      runtime.hosts().map(({ status, isolation }) => [status, isolation]),
      Array.from({ length: 3 }, () => ['ready', 'shared']),
    );
    assert.equal(await codeOf(refused(() => runtime.recycleHost('host-1'))), 'unsupported_operation');
    assert.equal(await codeOf(refused(() => runtime.recycleHost('host-99'))), 'not_found');
  });

  test('a host that dies while it waits for its turn is replaced as after any death', async (t) => {
    const runtime = await startRuntime(t, { hosts: 2 });
    const [held, dies] = [await runtime.create({ kind: 'gate' }), await runtime.create({ kind: 'exits' })];
    const asked = held.ask({ wait: 'first-in-line' });
    await emitted(held, 'waiting');
    const hostIds = [held, dies].map((worker) => worker.view().hostId ?? '');
    const first = runtime.recycleHost(hostIds[0] ?? '');
    const second = codeOf(runtime.recycleHost(hostIds[1] ?? ''));
    await codeOf(dies.ask({ code: 1 }));
    await ended(runtime, hostIds[1] ?? '');
    openGate('first-in-line');
    await Promise.all([asked, first]);
    assert.equal(await second, 'host_lost');
    await eventually(() => runtime.hosts().every(({ status }) => status === 'ready'));
    assert.equal(runtime.hosts().length, 2);
  });
});

/** What throws, as a promise that rejects. */
async function refused<T>(call: () => Promise<T>): Promise<T> {
  return call();
}

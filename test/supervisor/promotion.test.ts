import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ISOLATIONS } from '../../lib/protocol/views.ts';
import type { Verdict } from '../../lib/protocol/views.ts';
import { higherTier, tierAfter } from '../../lib/supervisor/promotion.ts';
import { codeOf, recordLog, startRuntime, transcriptOf } from '../support/start-runtime.ts';

const MiB = 1024 * 1024;
/** Enough for a host to start, and soon full. */
const limits = { sharedHeapBytes: 48 * MiB, dedicatedHeapBytes: 48 * MiB, processHeapBytes: 48 * MiB };

test('what a tier does not contain moves a worker one tier up, and nothing else does', () => {
  const after = (cause: string, verdict: Verdict | null = null) =>
    ISOLATIONS.map((tier) => tierAfter(tier, cause, verdict));
  const up = ['dedicated', 'process', null];
  const stays = [null, null, null];
  assert.deepEqual([after('out_of_memory'), after('memory'), after('stuck', 'native_block')], [up, up, up]);
  for (const cause of ['exited', 'threw', 'crashed', 'start_failed', 'cancel_grace', 'close'])
    assert.deepEqual(after(cause), stays);
  assert.deepEqual(after('stuck', 'spinning'), stays);
});

test('the higher of two tiers counts', () => {
  assert.deepEqual(
    [higherTier('shared', 'process'), higherTier('process', 'dedicated'), higherTier('shared', 'shared')],
    ['process', 'process', 'shared'],
  );
});

test('a worker that leaks moves up tier by tier; its neighbours come back where they were', async (t) => {
  const { lines, log } = recordLog();
  const runtime = await startRuntime(t, { limits, log });
  const leaks = await runtime.create({ kind: 'leaks', workerId: 'leaks' });
  const neighbour = await runtime.create({ kind: 'exits' });
  assert.equal(await neighbour.ask({ add: 2 }), 2);
  for (const isolation of ['shared', 'dedicated', 'process', 'process']) {
    assert.equal(leaks.view().isolation, isolation);
    const error = (await leaks.ask({ leak: true }).catch((thrown: unknown) => thrown)) as {
      code: string;
      details: Record<string, unknown>;
    };
    const { cause, heap_limit_bytes: limitBytes, culprits } = error.details;
    assert.deepEqual([error.code, cause, limitBytes, culprits], ['host_lost', 'out_of_memory', 48 * MiB, ['leaks']]);
    assert.deepEqual(await leaks.ask({ leak: false }), { kept: 0 });
  }
  const promoted = (await transcriptOf(leaks)).filter(({ type }) => type === 'promoted').map(({ data }) => data);
  assert.deepEqual(promoted, [
    { from: 'shared', to: 'dedicated', cause: 'out_of_memory' },
    { from: 'dedicated', to: 'process', cause: 'out_of_memory' },
  ]);
  assert.equal(lines.filter(({ message }) => message === 'worker promoted').length, 2);
  assert.deepEqual(
    [await neighbour.ask({ add: 2 }), neighbour.view().restarts, neighbour.view().isolation],
    [4, 1, 'shared'],
  );
});

test('a promoted worker stays where it is when it is restored; one that is created again is where its actor says', async (t) => {
  const runtime = await startRuntime(t, { limits });
  const leaks = await runtime.create({ kind: 'leaks', workerId: 'leaks' });
  assert.equal(await codeOf(leaks.ask({ leak: true })), 'host_lost');
  await leaks.ask({ leak: false });
  await leaks.stop();
  await leaks.restore();
  assert.deepEqual([await leaks.ask({ leak: false }), leaks.view().isolation], [{ kept: 0 }, 'dedicated']);
  await leaks.stop();
  await leaks.delete();
  assert.equal((await runtime.create({ kind: 'leaks', workerId: 'leaks' })).view().isolation, 'shared');
});

test('a worker of an actor that does not say so is not promoted', async (t) => {
  const runtime = await startRuntime(t, { limits });
  const worker = await runtime.create({ kind: 'leaks-shared' });
  assert.equal(await codeOf(worker.ask({ leak: true })), 'host_lost');
  assert.deepEqual([await worker.ask({ leak: false }), worker.view().isolation], [{ kept: 0 }, 'shared']);
  assert.deepEqual(
    (await transcriptOf(worker)).filter(({ type }) => type === 'promoted'),
    [],
  );
});

test('a worker that blocks in native code, where no thread can be stopped, moves up a tier', async (t) => {
  const runtime = await startRuntime(t, { hosts: 2, limits: { stuckAfterMs: 200 } });
  const worker = await runtime.create({ kind: 'blocks-promoted' });
  const error = (await worker.ask({ iterations: 4_000_000 }).catch((thrown: unknown) => thrown)) as { code: string };
  assert.equal(error.code, 'host_lost');
  assert.deepEqual([await worker.ask({ iterations: 1 }), worker.view().isolation], [64, 'dedicated']);
  const promoted = (await transcriptOf(worker)).filter(({ type }) => type === 'promoted').map(({ data }) => data);
  assert.deepEqual(promoted, [{ from: 'shared', to: 'dedicated', cause: 'stuck', verdict: 'native_block' }]);
});

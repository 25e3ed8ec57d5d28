// The two clocks of an input: how long it waited, and how long it ran.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { eventually, openGate, startRuntime, transcriptOf } from '../support/start-runtime.ts';

const HANDLER_TIMEOUT_MS = 100;

async function errorOf(asked: Promise<unknown>): Promise<GreenroomError> {
  const thrown: unknown = await asked.then(
    (value) => assert.fail(`it was answered with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof GreenroomError, String(thrown));
  return thrown;
}

describe('a handler that runs longer than its actor allows', () => {
  test('is cancelled, and its input ends as failed with both clocks in the error', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'overruns' });
    const { code, details } = await errorOf(worker.ask('awaits'));
    assert.equal(code, 'handler_timeout');
    assert.deepEqual(Object.keys(details ?? {}), ['waited_ms', 'ran_ms', 'handler_timeout_ms', 'killed']);
    assert.deepEqual([details?.['handler_timeout_ms'], details?.['killed']], [HANDLER_TIMEOUT_MS, false]);
    assert.ok(Number(details?.['ran_ms']) >= HANDLER_TIMEOUT_MS);
    assert.equal(worker.view().restarts, 0);
    assert.equal(await worker.ask('quick'), 1);
  });

  test('and ignores that is killed with its host; its worker comes back, charged with a death, and its neighbours too', async (t) => {
    const runtime = await startRuntime(t, { limits: { cancelGraceMs: 50 } });
    const [worker, neighbour] = [await runtime.create({ kind: 'overruns' }), await runtime.create({ kind: 'counter' })];
    await neighbour.ask({ add: 2 });
    const { code, details } = await errorOf(worker.ask('ignores-cancel'));
    assert.deepEqual([code, details?.['killed']], ['handler_timeout', true]);
    assert.equal(await worker.ask('quick'), 1);
    assert.equal(await neighbour.ask({ add: 2 }), 4);
    const restarted = (await transcriptOf(worker)).find(({ type }) => type === 'restarted');
    assert.equal((restarted?.data as { cause: string }).cause, 'handler_timeout');
  });

  test('and returns a value all the same has completed', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'overruns' });
    assert.equal(await worker.ask('completes'), 1);
  });

  test('counts its own time only: those that wait behind it have all of theirs', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'overruns' });
    const asked = [...Array.from({ length: 3 }, () => errorOf(worker.ask('awaits'))), worker.ask('quick')];
    const errors = (await Promise.all(asked)).slice(0, 3) as GreenroomError[];
    errors.forEach(({ code, details }, at) => {
      assert.equal(code, 'handler_timeout');
      assert.ok(
        Number(details?.['waited_ms']) >= at * HANDLER_TIMEOUT_MS - 5,
        `waited ${String(details?.['waited_ms'])}`,
      );
      assert.ok(Number(details?.['ran_ms']) >= HANDLER_TIMEOUT_MS);
    });
  });
});

describe('a deadline', () => {
  test('that passes while the input waits ends it as expired, with how long it waited', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    await worker.tell({ wait: `${t.name}` });
    const { code, details } = await errorOf(worker.ask({ say: 1 }, { timeoutMs: 50 }));
    assert.deepEqual([code, details?.['deadline_ms']], ['expired', 50]);
    assert.ok(Number(details?.['waited_ms']) >= 50);
    openGate(t.name);
  });

  test('that passes while it runs ends the wait, with how long it waited and how long it has run', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const { code, details } = await errorOf(worker.ask({ wait: t.name }, { timeoutMs: 50 }));
    assert.equal(code, 'timeout');
    assert.ok(Number(details?.['ran_ms']) + Number(details?.['waited_ms']) >= 50, JSON.stringify(details));
    openGate(t.name);
    await eventually(() => worker.view().status === 'idle');
  });
});

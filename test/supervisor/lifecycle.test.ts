import assert from 'node:assert/strict';
import { writeFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  codeOf,
  emitted,
  eventually,
  hasStatus,
  openGate,
  recordLog,
  startRuntime,
  temporaryFolder,
  transcriptOf,
} from '../support/start-runtime.ts';

const types = (entries: { type: string }[]) => entries.map((entry) => entry.type);

describe('the death of a host', () => {
  test('ends the running input as unknown, runs those that had not started, in order, and keeps the saved state', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'exits', workerId: 'w' });
    assert.equal(await worker.ask({ add: 5 }), 5);
    const dying = worker.ask({ add: 100, code: 3 });
    const after = [worker.ask({ add: 1 }), worker.ask({ add: 2 }), worker.ask({ add: 3 })];
    assert.equal(await codeOf(dying), 'host_lost');
    assert.deepEqual(await Promise.all(after), [6, 8, 11]);
    const restarted = (await transcriptOf(worker)).filter((entry) => entry.type === 'restarted');
    assert.equal(restarted.length, 1);
    const { host_id, ...data } = restarted[0]?.data as Record<string, unknown>;
    assert.equal(host_id, 'host-1');
    assert.deepEqual(data, {
      cause: 'exited',
      restarts: 1,
      delay_ms: 0,
      exit_code: 3,
      culprits: ['w'],
      also_hit: [],
      workers_hit: 1,
    });
    assert.deepEqual([worker.view().restarts, worker.view().failure, worker.view().hostId], [1, null, 'host-2']);
  });

  test('runs the interrupted input again when the actor says retry, before those that waited', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'exits-once' });
    const receipt = await worker.tell('first');
    assert.equal(await eventually(() => worker.input(receipt.inputId).outcome), 'completed');
    const { output, attempt } = worker.input(receipt.inputId);
    assert.deepEqual({ output, attempt }, { output: 2, attempt: 2 });
  });

  test('restarts the neighbours without charging them, and their inputs have outcomes too', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxRestarts: 2 } });
    const culprit = await runtime.create({ kind: 'exits' });
    const idle = await runtime.create({ kind: 'counter', workerId: 'idle', config: { start: 7 } });
    const busy = await runtime.create({ kind: 'gate', workerId: 'busy' });
    assert.equal(await idle.ask({ add: 1 }), 8);
    for (let death = 1; death <= 2; death++) {
      const lastSequence = busy.view().lastSequence;
      const waiting = busy.ask({ wait: 'never' });
      await emitted(busy, 'waiting', lastSequence);
      assert.deepEqual(await Promise.all([codeOf(culprit.ask({ code: 1 })), codeOf(waiting)]), [
        'host_lost',
        'host_lost',
      ]);
      await Promise.all([culprit, idle, busy].map((worker) => hasStatus(worker, 'idle')));
    }
    assert.equal(await codeOf(culprit.ask({ code: 1 })), 'host_lost');
    await hasStatus(culprit, 'failed');
    assert.equal(await idle.ask({ add: 1 }), 9);
    assert.equal(await busy.ask({ say: 'alive' }), 'alive');
  });

  test('makes a worker that dies again and again fail, with its waiting inputs settled, until it is restored', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { limits: { maxRestarts: 2 }, log });
    const worker = await runtime.create({ kind: 'exits', workerId: 'w' });
    const codes = await Promise.all(
      [1, 1, 1].map(() => codeOf(worker.ask({ code: 1 }))).concat(codeOf(worker.ask({ add: 1 }))),
    );
    assert.deepEqual(codes, ['host_lost', 'host_lost', 'host_lost', 'worker_failed']);
    assert.equal(worker.view().status, 'failed');
    assert.equal(worker.view().failure?.code, 'host_lost');
    assert.equal(await codeOf(worker.ask({ add: 1 })), 'worker_failed');
    assert.ok(lines.some((line) => line.message === 'worker failed' && line.fields['worker_id'] === 'w'));
    assert.equal((await worker.restore()).status, 'idle');
    assert.equal(await worker.ask({ add: 1 }), 1);
    assert.deepEqual(
      types(await transcriptOf(worker)).filter((type) => type !== 'input'),
      ['created', 'failed', 'restarted', 'failed', 'restarted', 'failed', 'failed', 'failed', 'output'],
    );
  });

  test('does not run again what was cancelled or had expired while it waited on the dead host', async (t) => {
    const runtime = await startRuntime(t, { limits: { cancelGraceMs: 50 } });
    const spinning = await runtime.create({ kind: 'spins' });
    const worker = await runtime.create({ kind: 'counter' });
    const killed = codeOf(spinning.ask({ politely: false }));
    await emitted(spinning, 'spinning');
    const [cancelled, expired, kept] = await Promise.all([
      worker.tell({ add: 1 }),
      worker.tell({ add: 10 }, { deadlineMs: 1 }),
      worker.tell({ add: 100 }),
    ]);
    await worker.cancel({ inputId: cancelled.inputId });
    await spinning.cancel();
    assert.equal(await killed, 'cancelled');
    await hasStatus(worker, 'idle');
    const outcomes = [cancelled, expired, kept].map(({ inputId }) => worker.input(inputId).outcome);
    assert.deepEqual(outcomes, ['cancelled', 'expired', 'completed']);
    assert.equal(await worker.ask({ add: 0 }), 100);
  });

  test('is not what an error that was thrown from a callback leads to', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'throws' });
    assert.equal(await codeOf(worker.ask('later')), 'worker_crashed');
    assert.equal(await codeOf(worker.ask('typed')), 'no_such_thing');
  });
});

describe('an actor that cannot start', () => {
  test('fails after its restarts, and create says so', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxRestarts: 1 } });
    const worker = await runtime.create({ kind: 'bad-start' });
    await hasStatus(worker, 'failed');
    assert.equal(worker.view().failure?.code, 'actor_error');
    assert.equal(await codeOf(worker.ask(1)), 'worker_failed');
    await worker.restore();
    await hasStatus(worker, 'failed');
  });

  test('and blocks its thread is killed after the start deadline; its neighbours come back', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxRestarts: 1, startTimeoutMs: 1_000 } });
    const neighbour = await runtime.create({ kind: 'counter' });
    const worker = await runtime.create({ kind: 'slow-start', config: { file: '/nowhere' } });
    await hasStatus(worker, 'failed');
    assert.deepEqual((worker.view().failure?.details as { cause?: unknown }).cause, 'start_timeout');
    assert.equal(await neighbour.ask({ add: 1 }), 1);
  });

  test('takes inputs while it is starting; they run when it has', async (t) => {
    const file = join(temporaryFolder(t), 'gate');
    const runtime = await startRuntime(t);
    const creating = runtime.create({ kind: 'slow-start', workerId: 'slow', config: { file } });
    const worker = runtime.worker('slow');
    assert.equal(worker.view().status, 'starting');
    const answer = worker.ask({});
    writeFileSync(file, '');
    assert.equal(await answer, 'started');
    await creating;
  });
});

describe('stop', () => {
  test('lets what waits run first when it drains, and the acknowledgement counts it', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const asks = [worker.ask({ wait: 'drain', say: 1 }), worker.ask({ say: 2 }), worker.ask({ say: 3 })];
    await emitted(worker, 'waiting');
    const stopping = worker.stop({ drain: true, reason: 'deploy' });
    assert.equal(worker.view().status, 'stopping');
    assert.equal(await codeOf(worker.ask({})), 'worker_stopping');
    openGate('drain');
    const ack = {
      workerId: worker.workerId,
      status: 'stopped',
      drained: 3,
      cancelled: 0,
      refused: 1,
      reason: 'deploy',
    };
    assert.deepEqual(await stopping, ack);
    assert.deepEqual(await Promise.all(asks), [1, 2, 3]);
    assert.deepEqual(await worker.stop(), ack);
  });

  test('cancels what waits and ends what runs when it does not drain', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const asks = [codeOf(worker.ask({ wait: 'never' })), codeOf(worker.ask({ say: 2 }))];
    await emitted(worker, 'waiting');
    const { drained, cancelled, status } = await worker.stop();
    assert.deepEqual({ drained, cancelled, status }, { drained: 0, cancelled: 2, status: 'stopped' });
    assert.deepEqual(await Promise.all(asks), ['cancelled', 'cancelled']);
    assert.equal(await codeOf(worker.ask({})), 'worker_stopped');
  });

  test('cancels what is left of a drain when its deadline has passed', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const asks = [codeOf(worker.ask({ wait: 'never' })), codeOf(worker.ask({ say: 2 }))];
    const { drained, cancelled } = await worker.stop({ drain: true, deadlineMs: 20 });
    assert.deepEqual({ drained, cancelled }, { drained: 0, cancelled: 2 });
    assert.deepEqual(await Promise.all(asks), ['cancelled', 'cancelled']);
  });

  test('runs stopped() once, and the state is there after restore', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'context' });
    await worker.ask({ do: 'who' });
    await worker.stop();
    await emitted(worker, 'stopped() ran');
    await worker.restore();
    assert.equal(await worker.ask({ do: 'count' }), 2);
    assert.equal(types(await transcriptOf(worker)).filter((type) => type === 'emitted').length, 1);
  });

  test('while a worker is restarting ends the restart', async (t) => {
    const file = join(temporaryFolder(t), 'gate');
    writeFileSync(file, '');
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'slow-start', config: { file } });
    rmSync(file);
    // It has never completed an input, but its first state is saved: the restart need not wait for the file.
    assert.equal(await codeOf(worker.ask({ exit: true })), 'host_lost');
    const ack = await worker.stop();
    assert.equal(ack.status, 'stopped');
    assert.equal(worker.view().status, 'stopped');
  });
});

// Inputs that were running at too many deaths, and what can be done with them.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { DurableRuntime } from '../support/durable.ts';
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

const NOWHERE = '/nowhere/mended';
const poison = (name: string, mendedBy = NOWHERE) => ({ name, mendedBy });

/** Sends it an input that ends its host at each attempt; resolves to its id once it is a dead letter. */
async function poisoned(runtime: Runtime, worker: WorkerHandle, input: object): Promise<string> {
  const { inputId } = await worker.tell(input);
  await eventually(() => idsOf(runtime).includes(inputId));
  return inputId;
}

function idsOf(runtime: Runtime): string[] {
  return runtime.deadLetters().deadLetters.map(({ inputId }) => inputId);
}

describe('an input that was running at maxAttempts host deaths', () => {
  test('is not delivered again: it ends as poison_input and is kept; what waited behind it runs', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { log });
    const worker = await runtime.create({ kind: 'poison', workerId: 'w' });
    const [asked, after] = [worker.tell(poison('bad')), worker.ask({ name: 'good' })];
    const { inputId } = await asked;
    assert.deepEqual(await after, ['good']);
    const { outcome, attempt, error, acceptedAt, endedAt } = worker.input(inputId);
    assert.deepEqual(
      [outcome, attempt, error?.code, error?.details],
      ['failed', 2, 'poison_input', { attempts: 2, cause: 'exited' }],
    );
    assert.equal(worker.view().restarts, 2);
    const [letter, ...others] = runtime.deadLetters().deadLetters;
    const bytes = JSON.stringify(poison('bad')).length;
    const { endedAt: keptAt, ...facts } = letter ?? assert.fail();
    assert.deepEqual(facts, { inputId, workerId: 'w', kind: 'poison', attempts: 2, bytes, error, acceptedAt });
    assert.ok(keptAt >= (endedAt ?? ''));
    assert.deepEqual(others, []);
    assert.deepEqual(runtime.deadLetter(inputId), { ...letter, payload: poison('bad') });
    assert.deepEqual(
      lines.filter(({ fields }) => fields['input_id'] === inputId).map(({ level, fields }) => [level, fields]),
      [['error', { input_id: inputId, worker_id: 'w', kind: 'poison', attempts: 2 }]],
    );
  });

  test('is one at as many as the limits say, if its actor says nothing', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxAttempts: 1 } });
    const worker = await runtime.create({ kind: 'exits-once' });
    assert.equal(await codeOf(worker.ask('x')), 'poison_input');
    assert.deepEqual(
      runtime.deadLetters().deadLetters.map(({ kind, attempts }) => [kind, attempts]),
      [['exits-once', 1]],
    );
  });

  test('is one whoever ended the host: nobody can tell for sure', async (t) => {
    const runtime = await startRuntime(t);
    const waiting = await runtime.create({ kind: 'poison', workerId: 'waiting' });
    const { inputId } = await waiting.tell({ name: 'x', gate: 'bystander' });
    const neighbour = await runtime.create({ kind: 'exits' });
    for (const attempt of [1, 2]) {
      await eventually(async () => {
        const entries = await transcriptOf(waiting);
        return entries.filter(({ type }) => type === 'emitted').length === attempt;
      });
      assert.equal(await codeOf(neighbour.ask({ code: 1 })), 'host_lost');
    }
    assert.equal(waiting.input(inputId).error?.code, 'poison_input');
    assert.deepEqual([idsOf(runtime), waiting.view().deaths], [[inputId], []]);
  });

  test('is none if its actor does not want it again, nor if somebody has cancelled it', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxAttempts: 1, cancelGraceMs: 50 } });
    assert.equal(await codeOf((await runtime.create({ kind: 'exits' })).ask({ code: 1 })), 'host_lost');
    const worker = await runtime.create({ kind: 'poison' });
    const asked = codeOf(worker.ask({ name: 'x', gate: 'never' }));
    await emitted(worker, 'waiting');
    await worker.cancel();
    assert.equal(await asked, 'cancelled');
    assert.deepEqual(idsOf(runtime), []);
  });
});

describe('dead letters', () => {
  test('are listed in the order of their inputs, page by page, of a kind or of a worker', async (t) => {
    const runtime = await startRuntime(t);
    const [a, b] = [
      await runtime.create({ kind: 'poison', workerId: 'a' }),
      await runtime.create({ kind: 'poison', workerId: 'b' }),
    ];
    const ids: string[] = [];
    for (const worker of [a, b, a]) ids.push(await poisoned(runtime, worker, poison('x')));
    assert.deepEqual(idsOf(runtime), ids);
    const pages = [];
    for (let after: string | undefined; ;) {
      const { deadLetters, nextAfter } = runtime.deadLetters({ limit: 2, after });
      pages.push(deadLetters.map(({ inputId }) => inputId));
      if (nextAfter === null) break;
      after = nextAfter;
    }
    assert.deepEqual(pages, [ids.slice(0, 2), ids.slice(2)]);
    const idsWith = (query: object) => runtime.deadLetters(query).deadLetters.map(({ inputId }) => inputId);
    assert.deepEqual(
      [idsWith({ workerId: 'b' }), idsWith({ kind: 'poison' }), idsWith({ kind: 'exits' })],
      [[ids[1]], ids, []],
    );
    assert.deepEqual([idsWith({ after: ids[2] }), idsWith({ after: 'no id' })], [[], ids]);
    for (const limit of [0, 1.5, 1_001])
      assert.throws(() => runtime.deadLetters({ limit }), { code: 'invalid_request' });
  });

  test('are given back as new inputs, once, and are gone then', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'poison', workerId: 'w' });
    const file = join(temporaryFolder(t), 'mended');
    const inputId = await poisoned(runtime, worker, poison('bad', file));
    writeFileSync(file, '');
    const [one, other] = await Promise.all([runtime.redeliver(inputId), runtime.redeliver(inputId)]);
    assert.equal(one.inputId, other.inputId);
    assert.notEqual(one.inputId, inputId);
    assert.equal(await eventually(() => worker.input(one.inputId).outcome), 'completed');
    assert.deepEqual([worker.input(one.inputId).output, worker.input(one.inputId).attempt], [['bad'], 1]);
    assert.deepEqual(idsOf(runtime), []);
    assert.equal(await codeOf(runtime.redeliver(inputId)), 'input_not_found');
    assert.throws(() => runtime.deadLetter(inputId), { code: 'input_not_found' });
  });

  test('are letters again if they are poison still, with an id of their own', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'poison', workerId: 'w' });
    const inputId = await poisoned(runtime, worker, poison('bad'));
    const again = await runtime.redeliver(inputId);
    assert.deepEqual(await eventually(() => idsOf(runtime).length > 0 && idsOf(runtime)), [again.inputId]);
  });

  test('are kept when their worker refuses them, and when it is gone', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'poison', workerId: 'w' });
    const inputId = await poisoned(runtime, worker, poison('bad'));
    await worker.stop();
    assert.equal(await codeOf(runtime.redeliver(inputId)), 'worker_stopped');
    await worker.delete();
    assert.equal(await codeOf(runtime.redeliver(inputId)), 'worker_not_found');
    assert.deepEqual(idsOf(runtime), [inputId]);
  });

  test('can be discarded', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'poison' });
    const inputId = await poisoned(runtime, worker, poison('bad'));
    assert.equal((await runtime.discard(inputId)).inputId, inputId);
    assert.equal(await codeOf(runtime.discard(inputId)), 'input_not_found');
    assert.deepEqual(idsOf(runtime), []);
    await runtime.close();
    for (const call of [runtime.discard(inputId), runtime.redeliver(inputId)])
      assert.equal(await codeOf(call), 'runtime_unavailable');
  });

  test('beyond the bounds, in number and in bytes, the oldest are dropped, and the log says which', async (t) => {
    const { log, lines } = recordLog();
    const limits = { maxDeadLetters: 2, maxMessageBytes: 65_536, maxDeadLetterBytes: 65_536 };
    const runtime = await startRuntime(t, { log, limits });
    const worker = await runtime.create({ kind: 'poison', workerId: 'w' });
    const ids: string[] = [];
    for (const name of ['1', '2', '3']) ids.push(await poisoned(runtime, worker, poison(name)));
    assert.deepEqual(idsOf(runtime), ids.slice(1));
    const large = await poisoned(runtime, worker, { ...poison('4'), fill: 'x'.repeat(65_000) });
    assert.deepEqual(idsOf(runtime).at(-1), large);
    const larger = await poisoned(runtime, worker, { ...poison('5'), fill: 'x'.repeat(65_000) });
    assert.deepEqual(idsOf(runtime), [larger]);
    const dropped = lines.filter(({ message }) => message.includes('dropped')).map(({ fields }) => fields['input_id']);
    assert.deepEqual(dropped, [...ids, large]);
  });
});

describe('with a durable store', () => {
  test('dead letters outlive the process, and so do redelivery and discarding', async (t) => {
    const durable = new DurableRuntime(t);
    let runtime = await durable.open();
    const worker = await runtime.create({ kind: 'poison', workerId: 'w' });
    const file = join(temporaryFolder(t), 'mended');
    const ids = [await poisoned(runtime, worker, poison('a', file)), await poisoned(runtime, worker, poison('b'))];
    await eventually(() => ids.every((id) => worker.input(id).outcome === 'failed'));
    const letters = runtime.deadLetters();
    runtime = await durable.killAndOpen();
    assert.deepEqual(runtime.deadLetters(), letters);
    assert.deepEqual(runtime.deadLetter(ids[1] as string).payload, poison('b'));
    writeFileSync(file, '');
    const { inputId } = await runtime.redeliver(ids[0] as string);
    await eventually(() => runtime.worker('w').input(inputId).outcome === 'completed');
    await runtime.discard(ids[1] as string);
    runtime = await durable.killAndOpen();
    assert.deepEqual(idsOf(runtime), []);
    assert.deepEqual(await runtime.worker('w').ask({ name: 'last' }), ['a', 'last']);
  });

  test('an input that is running each time the process ends is poison as well; what stood behind it is not', async (t) => {
    const durable = new DurableRuntime(t);
    let runtime = await durable.open();
    const worker = await runtime.create({ kind: 'poison', workerId: 'w' });
    const { inputId } = await worker.tell({ name: 'first', gate: 'crash-loop' });
    const behind = await worker.tell({ name: 'second', gate: 'crash-loop' });
    await emitted(worker, 'waiting');
    runtime = await durable.killAndOpen();
    await eventually(() => runtime.worker('w').view().running?.attempt === 2);
    runtime = await durable.killAndOpen();
    await eventually(() => runtime.worker('w').input(inputId).outcome);
    const { error, outcome } = runtime.worker('w').input(inputId);
    assert.deepEqual(
      [outcome, error?.code, error?.details],
      ['failed', 'poison_input', { attempts: 2, cause: 'runtime_restart' }],
    );
    assert.deepEqual(idsOf(runtime), [inputId]);
    await eventually(() => runtime.worker('w').view().running?.inputId === behind.inputId);
    assert.equal(
      await eventually(() => {
        openGate('crash-loop');
        return runtime.worker('w').input(behind.inputId).outcome;
      }),
      'completed',
    );
  });

  test('an orderly close is no death: what it interrupts runs again, however often, and knows that it does', async (t) => {
    const durable = new DurableRuntime(t);
    let runtime = await durable.open();
    const { inputId } = await (
      await runtime.create({ kind: 'poison', workerId: 'w' })
    ).tell({ name: 'x', gate: 'closes' });
    for (const attempt of [1, 2, 3, 4]) {
      await eventually(() => runtime.worker('w').view().running?.attempt === attempt);
      const sequence = runtime.worker('w').view().lastSequence;
      if (attempt > 1) await emitted(runtime.worker('w'), 'waiting', sequence - 1);
      else await emitted(runtime.worker('w'), 'waiting');
      await runtime.close({ deadlineMs: 1 });
      runtime = await durable.open();
    }
    await eventually(() => {
      openGate('closes');
      return runtime.worker('w').input(inputId).outcome === 'completed';
    });
    const restarts = (await transcriptOf(runtime.worker('w'))).filter(({ type }) => type === 'restarted');
    assert.deepEqual(
      restarts.map(({ data }) => data),
      [2, 3, 4, 5].map((attempt) => ({ cause: 'runtime_restart', attempt })),
    );
    assert.equal(runtime.worker('w').input(inputId).attempt, 5);
  });

  test('a worker that has failed tells the chain of its deaths after a restart of the process', async (t) => {
    const durable = new DurableRuntime(t);
    let runtime = await durable.open();
    const worker = await runtime.create({ kind: 'dies-temporary', workerId: 'w' });
    assert.equal(await codeOf(worker.ask({ by: 'exit', code: 3 })), 'host_lost');
    await hasStatus(worker, 'failed');
    const { deaths } = worker.view();
    assert.equal(deaths.length, 1);
    // A create is on disk with all that came before it.
    await runtime.create({ kind: 'echo' });
    runtime = await durable.killAndOpen();
    const view = runtime.worker('w').view();
    assert.deepEqual([view.status, view.deaths], ['failed', deaths]);
  });
});

// What a durable input causes: it is there if and only if the input has completed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { Disk } from '../support/disk.ts';
import { DurableRuntime } from '../support/durable.ts';
import { codeOf, emitted, eventually, openGate, transcriptOf } from '../support/start-runtime.ts';

const say = (name: string) => ({ name, steps: [{ do: 'say', value: name }] });
const tell = (worker: string, name: string) => ({ do: 'tell', worker, input: { name } });
const LOG = { name: 'log', steps: [{ do: 'log' }] };

async function two(t: TestContext, kind = 'errand') {
  const durable = new DurableRuntime(t);
  const runtime = await durable.open();
  const parent = await runtime.create({ kind, workerId: 'parent' });
  const child = await runtime.create({ kind: 'errand', workerId: 'child' });
  return { durable, runtime, parent, child };
}

async function inputsOf(worker: WorkerHandle): Promise<string[]> {
  const entries = await transcriptOf(worker);
  return entries.filter(({ type }) => type === 'input').map(({ data }) => (data as { name: string }).name);
}

describe('what a handler tells', () => {
  test('is in the mailbox of the other when the handler has completed, under the ids that it was given, in order', async (t) => {
    const { durable, parent } = await two(t);
    const steps = [tell('child', 'a'), tell('child', 'b'), tell('parent', 'own'), tell('child', 'c')];
    const ids = (await parent.ask({ name: 'p', steps })) as string[];
    const runtime = await durable.killAndOpen();
    const child = runtime.worker('child');
    for (const id of [ids[0], ids[1], ids[3]])
      await eventually(() => child.input(String(id)).outcome !== undefined);
    assert.deepEqual(await inputsOf(child), ['a', 'b', 'c']);
    assert.deepEqual(await inputsOf(runtime.worker('parent')), ['p', 'own']);
    assert.equal(runtime.worker('parent').input(String(ids[2])).workerId, 'parent');
  });

  test('is not there before that, and never if the handler fails or is cancelled', async (t) => {
    const { parent, child } = await two(t);
    const running = codeOf(parent.ask({ name: 'p', steps: [tell('child', 'a'), { do: 'wait', gate: 'dropped' }] }));
    await emitted(parent, 'waiting');
    assert.deepEqual(await inputsOf(child), []);
    await parent.cancel();
    assert.equal(await running, 'cancelled');
    assert.equal(await codeOf(parent.ask({ name: 'q', steps: [tell('child', 'b'), { do: 'fail' }] })), 'as_told');
    assert.deepEqual(await child.ask(LOG), [[]]);
    assert.deepEqual(await inputsOf(child), ['log']);
  });

  test('is not there after a kill in the middle of it', async (t) => {
    const { durable, parent } = await two(t);
    const { inputId } = await parent.tell({ name: 'p', steps: [tell('child', 'a'), { do: 'wait', gate: 'killed' }] });
    await emitted(parent, 'waiting');
    const runtime = await durable.killAndOpen();
    assert.equal(await eventually(() => runtime.worker('parent').input(inputId).outcome), 'unknown');
    assert.deepEqual(await inputsOf(runtime.worker('child')), []);
  });

  test('by an attempt whose host died is not told twice by the next one', async (t) => {
    const { parent, child } = await two(t, 'errand-again');
    const steps = [tell('child', 'a'), { do: 'exit', onAttempt: 1 }, { do: 'attempt' }];
    const [, attempt] = (await parent.ask({ name: 'p', steps })) as unknown[];
    assert.equal(attempt, 2);
    await child.ask(LOG);
    assert.deepEqual(await inputsOf(child), ['a', 'log']);
  });

  test('comes before what it asks of the same worker, and before what an asked one does', async (t) => {
    const { runtime, parent, child } = await two(t);
    await runtime.create({ kind: 'errand', workerId: 'third' });
    const third = { name: 'third', steps: [{ do: 'ask', worker: 'child', input: LOG }] };
    const steps = [
      tell('child', 'a'),
      { do: 'ask', worker: 'child', input: LOG },
      tell('child', 'b'),
      { do: 'ask', worker: 'third', input: third },
    ];
    const came = (await parent.ask({ name: 'p', steps })) as unknown[];
    assert.deepEqual([came[1], came[3]], [[['a']], [[['a', 'log', 'b']]]]);
    assert.deepEqual(await inputsOf(child), ['a', 'log', 'b', 'log']);
  });

  test('stays within the room of the other, which it counts before it is there', async (t) => {
    const { runtime, parent } = await two(t);
    const turn = await runtime.create({ kind: 'turn', workerId: 'turn' });
    const input = { say: 1 };
    const steps = [1, 2].map(() => ({ do: 'tell', worker: 'turn', input }));
    const [id, code] = (await parent.ask({ name: 'p', steps })) as string[];
    assert.equal(code, 'worker_busy');
    assert.equal(await eventually(() => turn.input(String(id)).outcome), 'completed');
  });

  test('is refused with what it would be refused with now, and dropped if its worker ends meanwhile', async (t) => {
    const { parent, child } = await two(t);
    const none = { name: 'p', steps: [{ do: 'tell', worker: 'child', input: 1 }, tell('nobody', 'a')] };
    assert.deepEqual(await parent.ask(none), ['invalid_input', 'worker_not_found']);
    const running = parent.ask({ name: 'q', steps: [tell('child', 'a'), { do: 'wait', gate: 'late' }] });
    await emitted(parent, 'waiting');
    await child.stop();
    openGate('late');
    const [id] = (await running) as string[];
    assert.throws(() => child.input(String(id)), { code: 'input_not_found' });
  });

  test('by a volatile input is told at once', async (t) => {
    const { parent, child } = await two(t);
    const input = { name: 'p', steps: [tell('child', 'a'), { do: 'wait', gate: 'volatile' }] };
    const running = parent.ask(input, { durability: 'volatile' });
    await emitted(parent, 'waiting');
    assert.deepEqual(await inputsOf(child), ['a']);
    openGate('volatile');
    await running;
  });

  test('is kept with the outcome when the disk fails just then: both, or neither', async (t) => {
    const disk = new Disk(t);
    const { durable, parent, child } = await two(t);
    const running = parent.tell({ name: 'p', steps: [{ do: 'wait', gate: 'disk' }, tell('child', 'a')] });
    const { inputId } = await running;
    await emitted(parent, 'waiting');
    disk.fail();
    openGate('disk');
    await eventually(() => durable.runtime.supervisor.storeTrouble !== null);
    assert.equal(parent.input(inputId).outcome, undefined);
    assert.deepEqual(await inputsOf(child), []);
    disk.mend();
    assert.equal(await eventually(() => parent.input(inputId).outcome), 'completed');
    assert.deepEqual(await child.ask(LOG), [['a']]);
  });
});

test('a worker that a handler made stays, whatever becomes of the handler', async (t) => {
  const { durable, parent } = await two(t);
  const steps = [{ do: 'create', kind: 'errand', worker: 'made' }, { do: 'fail' }];
  assert.equal(await codeOf(parent.ask({ name: 'p', steps })), 'as_told');
  const made = (await durable.killAndOpen()).worker('made');
  assert.deepEqual(await made.ask(say('x')), ['x']);
});

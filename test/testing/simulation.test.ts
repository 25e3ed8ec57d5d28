// A runtime in a simulation: what each fault does to it, and that it has its thread to itself.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createSimulation, createTestRuntime } from '../../lib/testing/index.ts';
import type { LaneChoice, Simulation, SimulationOptions } from '../../lib/testing/index.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { codeOf } from '../support/start-runtime.ts';

const SHIPPED = new URL('../../actors/', import.meta.url);

async function open(t: TestContext, options: Partial<SimulationOptions> = {}): Promise<Simulation> {
  const simulation = await createSimulation({ seed: 1, actors: [SHIPPED], hosts: 1, ...options });
  t.after(() => simulation.close());
  return simulation;
}

async function counter({ clock, runtime }: Simulation): Promise<WorkerHandle> {
  return clock.until(runtime.create({ kind: 'counter', workerId: 'c' }));
}

const causeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((error: { details?: { cause?: string } }) => error.details?.cause);

test('hours pass in a moment, and timers and dates go along', async (t) => {
  const simulation = await open(t, { limits: { idleAfterMs: 3_600_000 } });
  const worker = await counter(simulation);
  await simulation.clock.until(worker.ask({ add: 2 }));
  assert.equal(worker.view().status, 'idle');
  await simulation.clock.advance(3_700_000);
  assert.equal(worker.view().status, 'hibernated');
  assert.equal(await simulation.clock.until(worker.ask({ add: 3 })), 5);
  assert.match(worker.view().createdAt, /^2100-01-01T00:00:00/);
});

describe('a host that', () => {
  test('is killed or runs out of memory has a successor, and its workers go on there', async (t) => {
    const simulation = await open(t);
    const { clock, faults } = simulation;
    const worker = await counter(simulation);
    for (const fault of ['kill', 'oom'] as const) {
      await clock.until(worker.ask({ add: 1 }));
      const [host] = simulation.hosts;
      assert.ok(host);
      faults[fault](host.hostId);
      await clock.advance(100);
      assert.notEqual(simulation.hosts[0]?.hostId, host.hostId);
    }
    assert.equal(await clock.until(worker.ask({ add: 1 })), 3);
    assert.throws(() => faults.kill('host-1'), { code: 'invalid_option' });
  });

  test('hangs for a time goes on afterwards', async (t) => {
    const simulation = await open(t);
    const worker = await counter(simulation);
    simulation.faults.hang('host-1', 5_000);
    const startMs = simulation.clock.now();
    assert.equal(await simulation.clock.until(worker.ask({ add: 1 })), 1);
    assert.ok(simulation.clock.now() - startMs >= 5_000);
    assert.equal(simulation.hosts[0]?.hostId, 'host-1');
  });

  test('hangs for ever is ended by the watchdog, and what had not begun runs elsewhere', async (t) => {
    const simulation = await open(t, { limits: { stuckAfterMs: 2_000 } });
    const worker = await counter(simulation);
    simulation.faults.hang('host-1');
    assert.equal(await simulation.clock.until(worker.ask({ add: 1 })), 1);
    assert.notEqual(worker.view().hostId, 'host-1');
  });

  test('is slow is only slow', async (t) => {
    const simulation = await open(t);
    const worker = await counter(simulation);
    simulation.faults.slow('host-1', 500);
    for (const expected of [1, 2, 3]) assert.equal(await simulation.clock.until(worker.ask({ add: 1 })), expected);
    assert.equal(worker.view().hostId, 'host-1');
  });
});

describe('a wire that', () => {
  test('repeats a batch changes nothing', async (t) => {
    const simulation = await open(t);
    const worker = await counter(simulation);
    for (const from of ['out', 'in'] as const) simulation.faults.duplicate('host-1', { from });
    for (const expected of [1, 2, 3]) assert.equal(await simulation.clock.until(worker.ask({ add: 1 })), expected);
    assert.equal(worker.view().hostId, 'host-1');
  });

  for (const next of [false, true]) {
    test(`loses inputs loses its host, and they run on another${next ? '; the next batch tells' : '; a ping tells'}`, async (t) => {
      const simulation = await open(t);
      const worker = await counter(simulation);
      simulation.faults.drop('host-1');
      const answers = [worker.ask({ add: 1 })];
      await simulation.clock.advance(5);
      if (next) answers.push(worker.ask({ add: 1 }));
      assert.deepEqual(await simulation.clock.until(Promise.all(answers)), next ? [1, 2] : [1]);
      assert.equal(worker.view().hostId, 'host-2');
      // Nobody is to blame for it.
      assert.deepEqual(worker.view().deaths, []);
    });
  }

  test('loses replies loses its host, and what had begun there ends as unknown', async (t) => {
    const simulation = await open(t);
    const worker = await counter(simulation);
    simulation.faults.drop('host-1', { from: 'in' });
    assert.equal(await simulation.clock.until(causeOf(worker.ask({ add: 1 }))), 'link_fault');
    // It had no effect on the state: that came with the reply.
    assert.equal(await simulation.clock.until(worker.ask({ add: 5 })), 5);
  });

  for (const from of ['out', 'in'] as const) {
    test(`swaps batches (${from}) loses its host, and each input has its outcome`, async (t) => {
      const simulation = await open(t);
      const worker = await counter(simulation);
      simulation.faults.reorder('host-1', { from });
      const outcomes: Promise<unknown>[] = [];
      for (let n = 0; n < 3; n++) {
        outcomes.push(causeOf(worker.ask({ add: 1 })));
        await simulation.clock.advance(10);
      }
      const answers = await simulation.clock.until(Promise.all(outcomes));
      assert.deepEqual(answers, from === 'out' ? [1, 2, 3] : [1, 'link_fault', 'link_fault']);
    });
  }

  test('loses or repeats control frames harms nobody', async (t) => {
    const simulation = await open(t);
    const worker = await counter(simulation);
    const lane: LaneChoice = { lane: 'control' };
    simulation.faults.drop('host-1', lane);
    simulation.faults.duplicate('host-1', lane);
    await simulation.clock.advance(20_000);
    assert.equal(await simulation.clock.until(worker.ask({ add: 1 })), 1);
    assert.equal(worker.view().hostId, 'host-1');
  });
});

test('a fault that was armed and taken back does not happen', async (t) => {
  const simulation = await open(t);
  const worker = await counter(simulation);
  simulation.faults.drop('host-1');
  simulation.faults.slow('host-1', 60_000);
  simulation.faults.clear();
  assert.equal(await simulation.clock.until(worker.ask({ add: 1 })), 1);
  assert.equal(worker.view().hostId, 'host-1');
});

describe('a probe', () => {
  test('waits for its inputs, and answers as it is told', async (t) => {
    const simulation = await open(t);
    const probe = await simulation.probe('p');
    probe.reply((input) => `got ${String(input)}`);
    const answer = probe.worker.ask('one');
    await probe.expect('one');
    assert.equal(await simulation.clock.until(answer), 'got one');
    await probe.expectNone(1_000);
    void probe.worker.tell('two');
    await assert.rejects(probe.expect('three'), /expected 'three' and got 'two'/);
    await assert.rejects(probe.next(50), /no input within 50 ms/);
    void probe.worker.tell('four');
    await assert.rejects(probe.expectNone(50), /expected nothing and got 'four'/);
  });
});

describe('a thread', () => {
  test('has one simulation, or runtimes on the time of the machine', async () => {
    const simulation = await createSimulation({ seed: 1, actors: [SHIPPED] });
    assert.equal(await codeOf(createTestRuntime({ actors: [SHIPPED] })), 'unsupported_operation');
    assert.equal(await codeOf(createSimulation({ seed: 2, actors: [SHIPPED] })), 'unsupported_operation');
    await simulation.close();
    const runtime = await createTestRuntime({ actors: [SHIPPED] });
    assert.equal(await codeOf(createSimulation({ seed: 1, actors: [SHIPPED] })), 'unsupported_operation');
    await runtime.close();
    await (await createSimulation({ seed: 1, actors: [SHIPPED] })).close();
  });

  test('is free again after a runtime that could not open', async () => {
    const actors = [new URL('../fixtures/nothing-here.js', import.meta.url)];
    const [one, other] = [createTestRuntime({ actors }), createSimulation({ seed: 1, actors })].map(codeOf);
    assert.deepEqual(await Promise.all([one, other]), ['invalid_actor', 'unsupported_operation']);
    assert.equal(await codeOf(createSimulation({ seed: 1, actors })), 'invalid_actor');
    await (await createSimulation({ seed: 1, actors: [SHIPPED] })).close();
    assert.ok(new Date().getUTCFullYear() < 2100);
  });
});

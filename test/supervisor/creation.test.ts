import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import type { CreateOutcome } from '../../lib/runtime.ts';
import { codeOf, startRuntime, transcriptOf } from '../support/start-runtime.ts';

/** The worker's id, or the code of the error. */
const outcomeOf = ({ worker, error }: CreateOutcome): string => (error === null ? worker.workerId : error.code);

async function outcomesOf(outcomes: AsyncIterable<CreateOutcome>): Promise<string[]> {
  const all: string[] = [];
  for await (const outcome of outcomes) all.push(outcomeOf(outcome));
  return all;
}

/** Requests one by one; `made` counts those that were asked for, `isEnded` tells that nobody will ask for more. */
class Source {
  made = 0;
  isEnded = false;

  *each(): Generator<{ kind: string; workerId: string }> {
    try {
      for (;;) yield { kind: 'echo', workerId: `w${++this.made}` };
    } finally {
      this.isEnded = true;
    }
  }

  async *eachLater(): AsyncGenerator<{ kind: string; workerId: string }> {
    for (const request of this.each()) {
      await new Promise((resolve) => setImmediate(resolve));
      yield request;
    }
  }
}

describe('createAll', () => {
  test('yields a worker for each request, in order, with given and with generated ids', async (t) => {
    const runtime = await startRuntime(t);
    const outcomes = runtime.createAll([
      { kind: 'counter', workerId: 'b', config: { start: 5 } },
      { kind: 'echo', workerId: 'a', displayName: 'Anna' },
      { kind: 'echo' },
    ]);
    const [b, a, generated] = await outcomesOf(outcomes);
    assert.deepEqual([b, a], ['b', 'a']);
    assert.match(generated ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}$/);
    assert.deepEqual(
      [runtime.worker('b').view().config, runtime.worker('a').view().displayName],
      [{ start: 5 }, 'Anna'],
    );
    assert.equal(await runtime.worker('b').ask({ add: 1 }), 6);
  });

  test('yields an error in the place of its request, and goes on', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxMessageBytes: 1_000 } });
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    const requests = [
      { kind: 'echo', workerId: 'first' },
      { kind: 'no-such-actor' },
      { kind: 'counter', config: { start: 'five' } },
      { kind: 'echo', workerId: 'not an id' },
      { kind: 'echo', config: cycle },
      { kind: 'echo', config: { large: 'x'.repeat(1_000) } },
      { kind: 'counter', workerId: 'first' },
      null,
      { workerId: 'w' },
      { kind: 'echo', workerId: 7 },
      { kind: 'echo', workerId: 'last' },
    ] as { kind: string }[];
    assert.deepEqual(await outcomesOf(runtime.createAll(requests)), [
      'first',
      'actor_not_found',
      'invalid_request',
      'invalid_worker_id',
      'invalid_input',
      'payload_too_large',
      'worker_exists',
      'invalid_request',
      'invalid_request',
      'invalid_request',
      'last',
    ]);
    assert.deepEqual((await runtime.describe()).workers, { total: 2, hibernated: 2 });
  });

  test('checks a config that it has accepted for one actor again for another', async (t) => {
    const runtime = await startRuntime(t);
    const config = { start: 1 };
    const requests = ['counter', 'counter', 'echo'].map((kind, n) => ({ kind, workerId: `w${n}`, config }));
    assert.deepEqual(await outcomesOf(runtime.createAll(requests)), ['w0', 'w1', 'invalid_request']);
  });

  test('finds the same worker for the same request, whoever created it and however it is', async (t) => {
    const runtime = await startRuntime(t);
    const awake = await runtime.create({ kind: 'counter', workerId: 'awake', config: { start: 1 } });
    const requests = [
      { kind: 'counter', workerId: 'awake', config: { start: 1 } },
      { kind: 'counter', workerId: 'new' },
      { kind: 'counter', workerId: 'new' },
    ];
    assert.deepEqual(await outcomesOf(runtime.createAll(requests)), ['awake', 'new', 'new']);
    assert.equal((await runtime.create({ kind: 'counter', workerId: 'new' })).view().status, 'hibernated');
    assert.deepEqual([awake.view().status, (await runtime.describe()).workers.total], ['idle', 2]);
  });

  test('puts nothing on a host and runs nothing of the actor', async (t) => {
    const runtime = await startRuntime(t);
    const [workerId = ''] = await outcomesOf(runtime.createAll([{ kind: 'bad-start', displayName: 'B' }]));
    const worker = runtime.worker(workerId);
    const { status, hostId, failure, lastSequence } = worker.view();
    assert.deepEqual(
      { status, hostId, failure, lastSequence },
      {
        status: 'hibernated',
        hostId: null,
        failure: null,
        lastSequence: 1,
      },
    );
    const { hosts } = await runtime.describe();
    assert.deepEqual(
      hosts.map(({ workers }) => workers),
      [0],
    );
    const [created, ...others] = await transcriptOf(worker);
    assert.deepEqual(
      { ...created, at: '', others },
      { sequence: 1, at: '', type: 'created', data: { kind: 'bad-start', display_name: 'B' }, others: [] },
    );
    assert.equal(created?.at, worker.view().createdAt);
  });

  for (const way of ['each', 'eachLater'] as const) {
    test(`reads (${way}) and creates no more than was asked of it, and ends its source when the loop is left`, async (t) => {
      const runtime = await startRuntime(t);
      const source = new Source();
      let read = 0;
      for await (const { worker } of runtime.createAll(source[way]())) {
        assert.equal(worker?.workerId, `w${++read}`);
        assert.deepEqual([source.made, (await runtime.describe()).workers.total], [read, read]);
        if (read === 3) break;
      }
      assert.deepEqual([source.made, source.isEnded, (await runtime.describe()).workers.total], [3, true, 3]);
    });
  }

  test('leaves the event loop its turns', async (t) => {
    const runtime = await startRuntime(t);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    for await (const { error } of runtime.createAll(new Source().each())) {
      assert.equal(error, null);
      // Without a turn for the timer this would go on until the limit of workers, and fail.
      if (turns > 2) break;
    }
    clearInterval(timer);
  });

  test('yields runtime_overloaded beyond the limit of workers', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxWorkers: 2 } });
    const requests = ['a', 'b', 'c', 'a'].map((workerId) => ({ kind: 'echo', workerId }));
    assert.deepEqual(await outcomesOf(runtime.createAll(requests)), ['a', 'b', 'runtime_overloaded', 'a']);
  });

  test('yields runtime_unavailable for what comes after a close', async (t) => {
    const runtime = await startRuntime(t);
    const outcomes = runtime.createAll(new Source().each());
    assert.equal(outcomeOf((await outcomes.next()).value as CreateOutcome), 'w1');
    await runtime.close();
    assert.equal(outcomeOf((await outcomes.next()).value as CreateOutcome), 'runtime_unavailable');
    await outcomes.return();
  });

  test('rejects with what its requests throw, and with invalid_request if there are none', async (t) => {
    const runtime = await startRuntime(t);
    function* broken(): Generator<{ kind: string }> {
      yield { kind: 'echo' };
      throw new Error('of the source');
    }
    await assert.rejects(outcomesOf(runtime.createAll(broken())), new Error('of the source'));
    assert.equal((await runtime.describe()).workers.total, 1);
    for (const nothing of [undefined, null, 7, {}]) {
      assert.equal(await codeOf(outcomesOf(runtime.createAll(nothing as []))), 'invalid_request');
    }
  });

  test('gives its errors as GreenroomErrors with details', async (t) => {
    const runtime = await startRuntime(t);
    const { value } = await runtime.createAll([{ kind: 'counter', config: { start: 'x' } }]).next();
    const { details } = (value as { error: GreenroomError }).error;
    assert.deepEqual(details, { issues: [{ path: 'config.start', message: 'expected number' }] });
  });
});

// The end of a durable runtime, and creating many workers on it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { CREDIT_BYTES_PER_WORKER } from '../../lib/limits.ts';
import { Disk } from '../support/disk.ts';
import { DurableRuntime } from '../support/durable.ts';
import { codeOf, emitted, eventually, openGate, transcriptOf } from '../support/start-runtime.ts';

const say = (name: string) => ({ name, steps: [{ do: 'say', value: name }] });
/** At its host it is alone: it is as large as all that a worker may have there. */
const wait = (name: string, gate: string) => ({
  name,
  steps: [{ do: 'wait', gate }],
  fill: 'x'.repeat(CREDIT_BYTES_PER_WORKER),
});
const small = (name: string, gate: string) => ({ name, steps: [{ do: 'wait', gate }] });
const LOG = { name: 'log', steps: [{ do: 'log' }] };

async function open(t: TestContext, kind = 'errand') {
  const durable = new DurableRuntime(t);
  const runtime = await durable.open();
  return { durable, runtime, worker: await runtime.create({ kind, workerId: 'w' }) };
}

describe('close', () => {
  test('lets what runs end, keeps what waits for the next start, and has stopped() run', async (t) => {
    const { durable, runtime, worker } = await open(t);
    const running = await worker.tell(wait('a', 'close'));
    const waiting = await worker.tell(say('b'));
    await emitted(worker, 'waiting');
    const asked = codeOf(worker.ask(say('c')));
    const closed = runtime.close();
    assert.equal(await codeOf(worker.tell(say('d'))), 'runtime_unavailable');
    openGate('close');
    assert.deepEqual(await closed, {
      finished: 1,
      refused: 1,
      cancelled: 0,
      killed: 0,
      kept: 2,
      unclean: [],
      uncleanTotal: 0,
    });
    assert.equal(await asked, 'timeout');
    const again = (await durable.open()).worker('w');
    assert.deepEqual(await again.ask(LOG), [['a', 'b', 'c']]);
    assert.equal(again.input(running.inputId).outcome, 'completed');
    assert.deepEqual(again.input(waiting.inputId).attempt, 1);
    assert.ok((await transcriptOf(again)).some(({ data }) => data === 'stopped() ran'));
  });

  test('ends what still runs at its deadline with its host; what had not begun runs after the next start', async (t) => {
    const { durable, runtime, worker } = await open(t);
    const running = await worker.tell(small('a', 'never'));
    await emitted(worker, 'waiting');
    const behind = await Promise.all(['b', 'c', 'd'].map((name) => worker.tell(say(name))));
    const asked = codeOf(worker.ask(say('e')));
    const report = await runtime.close({ deadlineMs: 1 });
    assert.deepEqual(report, {
      finished: 1,
      refused: 0,
      cancelled: 0,
      killed: 1,
      kept: 4,
      unclean: [{ workerId: 'w', reason: 'killed' }],
      uncleanTotal: 1,
    });
    assert.equal(await asked, 'timeout');
    const again = (await durable.open()).worker('w');
    assert.deepEqual(await again.ask(LOG), [['b', 'c', 'd', 'e']]);
    assert.equal(again.input(running.inputId).outcome, 'unknown');
    for (const { inputId } of behind) assert.equal(again.input(inputId).outcome, 'completed');
  });

  test('has what it interrupted run again when its actor says so', async (t) => {
    const { durable, runtime, worker } = await open(t, 'errand-again');
    const { inputId } = await worker.tell({ name: 'a', steps: [...small('a', 'twice').steps, { do: 'attempt' }] });
    await emitted(worker, 'waiting');
    assert.deepEqual(await runtime.close({ deadlineMs: 1 }), {
      finished: 0,
      refused: 0,
      cancelled: 0,
      killed: 1,
      kept: 1,
      unclean: [{ workerId: 'w', reason: 'killed' }],
      uncleanTotal: 1,
    });
    const again = (await durable.open()).worker('w');
    await eventually(() => again.input(inputId).status === 'running');
    await eventually(() => {
      openGate('twice');
      return again.input(inputId).outcome;
    });
    assert.deepEqual(again.input(inputId).output, [2]);
  });

  test('cancels volatile inputs that wait: they would be gone', async (t) => {
    const { durable, runtime, worker } = await open(t);
    const told = worker.ask(wait('a', 'volatile close'));
    await emitted(worker, 'waiting');
    const asked = codeOf(worker.ask(say('b'), { durability: 'volatile' }));
    const kept = await worker.tell(say('c'));
    const closed = runtime.close();
    assert.equal(await asked, 'cancelled');
    openGate('volatile close');
    await told;
    assert.deepEqual(await closed, {
      finished: 1,
      refused: 0,
      cancelled: 1,
      killed: 0,
      kept: 1,
      unclean: [],
      uncleanTotal: 0,
    });
    const again = (await durable.open()).worker('w');
    assert.deepEqual(await again.ask(LOG), [['a', 'c']]);
    assert.equal(again.input(kept.inputId).outcome, 'completed');
  });

  test('with a disk that fails ends, tells everybody, and loses nothing that was acknowledged', async (t) => {
    const disk = new Disk(t);
    const { durable, runtime, worker } = await open(t);
    const { inputId } = await worker.tell(small('a', 'broken close'));
    await emitted(worker, 'waiting');
    disk.fail();
    const asked = codeOf(worker.ask(say('b')));
    openGate('broken close');
    await eventually(() => runtime.supervisor.storeTrouble);
    const { kept } = await runtime.close({ deadlineMs: 1 });
    assert.equal(kept, 1);
    assert.equal(await asked, 'runtime_unavailable');
    disk.mend();
    const again = (await durable.open()).worker('w');
    assert.equal(await eventually(() => again.input(inputId).outcome), 'unknown');
    assert.deepEqual(await again.ask(LOG), [[]]);
  });
});

describe('createAll on a durable store', () => {
  test('tells of 10,000 workers when they are kept, with few commits', async (t) => {
    const durable = new DurableRuntime(t);
    const runtime = await durable.open();
    const before = (await runtime.describe()).storage?.commits ?? 0;
    const requests = Array.from({ length: 10_000 }, (_, n) => ({ kind: 'errand', workerId: `w${n}` }));
    let told = 0;
    for await (const { worker } of runtime.createAll(requests)) {
      assert.equal(worker?.workerId, `w${told}`);
      if (++told === 7_000) break;
    }
    const { storage } = await runtime.describe();
    assert.ok((storage?.commits ?? Infinity) - before < 200, String(storage?.commits));
    const again = await durable.killAndOpen();
    const kept = (await again.describe()).workers.total;
    assert.ok(kept >= 7_000, String(kept));
    assert.deepEqual(await again.worker('w6999').ask(say('x')), ['x']);
  });

  test('does not tell of any before it is kept', async (t) => {
    const disk = new Disk(t);
    const { runtime } = await open(t);
    disk.hold();
    const writes = disk.writes;
    const outcomes = runtime.createAll([{ kind: 'errand', workerId: 'a' }]);
    let isTold = false;
    const first = outcomes.next().then((outcome) => {
      isTold = true;
      return outcome;
    });
    await eventually(() => disk.writes > writes);
    assert.equal(isTold, false);
    disk.mend();
    assert.equal((await first).value?.worker?.workerId, 'a');
    assert.equal((await outcomes.next()).done, true);
  });

  test('asks for a request whose maker waits for the outcome of the one before', async (t) => {
    const { runtime } = await open(t);
    const told = new EventTarget();
    async function* requests() {
      for (const workerId of ['a', 'b', 'c']) {
        const isTold = once(told, workerId);
        yield { kind: 'errand', workerId };
        await isTold;
      }
    }
    const made: unknown[] = [];
    for await (const { worker } of runtime.createAll(requests())) {
      made.push(worker?.workerId);
      told.dispatchEvent(new Event(String(worker?.workerId)));
    }
    assert.deepEqual(made, ['a', 'b', 'c']);
  });

  test('can be left while the maker of requests waits for ever', async (t) => {
    const { runtime } = await open(t);
    async function* requests() {
      yield { kind: 'errand', workerId: 'a' };
      await new Promise<never>(() => undefined);
    }
    for await (const { worker } of runtime.createAll(requests())) {
      assert.equal(worker?.workerId, 'a');
      break;
    }
    assert.equal(runtime.worker('a').view().status, 'hibernated');
  });

  test('tells of what was made before the requests throw', async (t) => {
    const { runtime } = await open(t);
    function* requests() {
      yield { kind: 'errand', workerId: 'a' };
      yield { kind: 'nobody', workerId: 'b' };
      throw new Error('no more');
    }
    const made: unknown[] = [];
    await assert.rejects(async () => {
      for await (const { worker, error } of runtime.createAll(requests())) made.push(worker?.workerId ?? error?.code);
    }, /no more/);
    assert.deepEqual(made, ['a', 'actor_not_found']);
  });
});

// What every store must do with inputs, rests and timers, wherever it keeps them. Run by each store's test.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { OUTCOMES } from '../../lib/protocol/views.ts';
import { ENTRY_OF, entryData } from '../../lib/store/store.ts';
import type { Ending, Store, StoredInput, StoreEvents, WorkerStore } from '../../lib/store/store.ts';
import { RECORD, WIDE } from './store.ts';
import type { MakeStore } from './store.ts';

const AT_MS = 1_700_000_000_000;

export function inputOf(seq: number, more: Partial<StoredInput> = {}): StoredInput {
  const input = { seq, payload: `{"n":${seq}}`, acceptedAtMs: AT_MS + seq, deadlineAtMs: 0, key: null, attempt: 1 };
  return { ...input, isVolatile: false, ...more };
}

export function endingOf(input: StoredInput, more: Partial<Ending> = {}): Ending {
  const { acceptedAtMs, attempt } = input;
  const times = { acceptedAtMs, startedAtMs: acceptedAtMs + 1, endedAtMs: acceptedAtMs + 2 };
  return { outcome: 'completed', output: '1', error: null, attempt, ...times, ...more };
}

export const HOST_LOST = { code: 'host_lost', message: 'gone', retryable: false };

/** What was told, in its order: the call, and all that it was given. */
export function recorded(store: Store): { readonly told: unknown[][] } {
  const told: unknown[][] = [];
  const events: StoreEvents = {
    accepted: (...given) => told.push(['accepted', ...given]),
    refused: (...given) => told.push(['refused', ...given]),
    started: (...given) => told.push(['started', ...given]),
    ended: (...given) => told.push(['ended', ...given]),
  };
  store.connect(events);
  return { told };
}

export function storeInputsContract(name: string, makeStore: MakeStore): void {
  const open = async (t: TestContext) => {
    const store = await makeStore(WIDE);
    t.after(() => store.close());
    const { told } = recorded(store);
    return { store, told, worker: store.create(RECORD) };
  };
  const entriesOf = (worker: WorkerStore) => worker.read(0, 1_000).items;

  describe(`${name}: inputs`, () => {
    test('are told in the order in which they were given, as the objects that they are', async (t) => {
      const { store, told, worker } = await open(t);
      const other = store.create({ ...RECORD, workerId: 'w2' });
      const [a, b, c] = [inputOf(1), inputOf(2), inputOf(3)];
      const [endOfA, endOfC] = [endingOf(a), endingOf(c, { outcome: 'cancelled', output: null, error: HOST_LOST })];
      worker.accept(a);
      other.accept(b);
      worker.start(a);
      worker.accept(c);
      worker.end(a, endOfA);
      worker.end(c, endOfC);
      await store.committed();
      const expected = [
        ['accepted', a],
        ['accepted', b],
        ['started', a],
        ['accepted', c],
        ['ended', a, endOfA],
        ['ended', c, endOfC],
      ];
      assert.deepEqual(told, expected);
      assert.ok(told.every(([, input], n) => input === expected[n]?.[1]));
    });

    test('and what is given in an event is kept as everything else', async (t) => {
      const store = await makeStore(WIDE);
      t.after(() => store.close());
      const told: string[] = [];
      store.connect({
        accepted: (input) => {
          told.push('accepted');
          worker.start(input);
        },
        refused: () => assert.fail('refused'),
        started: (input) => {
          told.push('started');
          worker.end(input, endingOf(input));
        },
        ended: () => told.push('ended'),
      });
      const worker = store.create(RECORD);
      worker.accept(inputOf(1));
      for (let n = 0; n < 3; n++) await store.committed();
      assert.deepEqual(told, ['accepted', 'started', 'ended']);
    });

    test('leave an entry when they are accepted, and one when they end, however they do', async (t) => {
      const { store, worker } = await open(t);
      const given = OUTCOMES.map((outcome, n) => {
        const input = inputOf(n + 1);
        const more = outcome === 'completed' ? { outcome } : { outcome, output: null, error: HOST_LOST };
        return { input, ending: endingOf(input, more) };
      });
      for (const { input, ending } of given) {
        worker.accept(input);
        worker.start(input);
        worker.end(input, ending);
      }
      await store.committed();
      const entries = given.flatMap(({ input, ending }) => [
        { atMs: input.acceptedAtMs, type: 'input', inputSeq: input.seq, data: input.payload },
        { atMs: ending.endedAtMs, type: ENTRY_OF[ending.outcome], inputSeq: input.seq, data: entryData(ending) },
      ]);
      assert.deepEqual(
        entriesOf(worker),
        entries.map((entry, n) => ({ sequence: n + 1, ...entry })),
      );
    });

    test('that are volatile are told at once, and leave the same entries', async (t) => {
      const { store, told, worker } = await open(t);
      const input = inputOf(1, { isVolatile: true });
      const ending = endingOf(input);
      worker.accept(input);
      worker.start(input);
      worker.end(input, ending);
      assert.deepEqual(told, [
        ['accepted', input],
        ['started', input],
        ['ended', input, ending],
      ]);
      await store.committed();
      assert.deepEqual(
        entriesOf(worker).map(({ type, inputSeq, data }) => ({ type, inputSeq, data })),
        [
          { type: 'input', inputSeq: 1, data: '{"n":1}' },
          { type: 'output', inputSeq: 1, data: '1' },
        ],
      );
    });
  });

  describe(`${name}: a worker`, () => {
    test('is found as the same object, and not any more after its delete', async (t) => {
      const { store, worker } = await open(t);
      assert.equal(store.find(RECORD.workerId), worker);
      await store.committed();
      assert.equal(store.find(RECORD.workerId), worker);
      worker.delete();
      assert.equal(store.find(RECORD.workerId), undefined);
      await store.committed();
      assert.equal(store.find(RECORD.workerId), undefined);
      assert.equal(store.find('nobody'), undefined);
    });

    test('rests as was said last, with its failure', async (t) => {
      const { store, worker } = await open(t);
      assert.deepEqual([worker.rest, worker.failure], ['hibernated', null]);
      worker.saveRest('failed', HOST_LOST);
      await store.committed();
      assert.deepEqual([worker.rest, worker.failure], ['failed', HOST_LOST]);
      worker.saveRest('stopped', null);
      await store.committed();
      assert.deepEqual([worker.rest, worker.failure], ['stopped', null]);
    });

    test('has the version of its state', async (t) => {
      const { store, worker } = await open(t);
      assert.equal(worker.stateVersion, 0);
      worker.saveState('1', 3);
      await store.committed();
      assert.deepEqual([worker.state, worker.stateVersion], ['1', 3]);
      worker.saveState('1', 4);
      await store.committed();
      assert.deepEqual([worker.state, worker.stateVersion], ['1', 4]);
    });

    test('has its timers until they are deleted, at once and later, and one of a number', async (t) => {
      const { store, worker } = await open(t);
      const timers = [1, 2, 3].map((timerId) => ({
        timerId,
        dueAtMs: AT_MS,
        input: `${timerId}`,
        name: 't',
        repeat: null,
        lastSeq: 0,
      }));
      for (const timer of timers) worker.putTimer(timer);
      worker.putTimer({ timerId: 2, dueAtMs: 5, input: '"later"', name: 't', repeat: null, lastSeq: 0 });
      worker.deleteTimer(1);
      worker.deleteTimer(99);
      const byNumber = () => worker.timers().sort((a, b) => a.timerId - b.timerId);
      const atOnce = byNumber();
      await store.committed();
      assert.deepEqual(atOnce, byNumber());
      assert.deepEqual(atOnce, [
        { timerId: 2, dueAtMs: 5, input: '"later"', name: 't', repeat: null, lastSeq: 0 },
        timers[2],
      ]);
    });

    test('that is deleted has nothing, whatever was on its way, and late words do no harm', async (t) => {
      const { store, worker } = await open(t);
      worker.accept(inputOf(1));
      worker.putTimer({ timerId: 1, dueAtMs: 5, input: '1', name: 't', repeat: null, lastSeq: 0 });
      worker.delete();
      worker.append('emitted', 5, 0, '1');
      worker.saveRest('failed', HOST_LOST);
      worker.delete();
      await store.committed();
      assert.deepEqual([[...store.list('')], entriesOf(worker), [...store.timersBefore(10, 10)]], [[], [], []]);
    });

    test('is listed behind the id that is given, ascending, however many there are', async (t) => {
      const { store, worker } = await open(t);
      worker.delete();
      const ids = Array.from({ length: 350 }, (_, n) => `w${String(n).padStart(3, '0')}`);
      for (const workerId of [...ids].reverse()) store.create({ ...RECORD, workerId });
      await store.committed();
      const listed = (after: string) => Array.from(store.list(after), ({ workerId }) => workerId);
      assert.deepEqual(listed(''), ids);
      assert.deepEqual(listed('w099'), ids.slice(100));
      assert.deepEqual(listed('w0995'), ids.slice(100));
      assert.deepEqual(listed('w349'), []);
    });
  });

  describe(`${name}: records of functions`, () => {
    test('are there as they were put last, ascending by id, until they are deleted', async (t) => {
      const { store } = await open(t);
      const functionOf = (functionId: string, document: string) => ({ functionId, document });
      for (const id of ['b::x', 'a::x', 'c::x']) store.putFunction(functionOf(id, '{}'));
      store.putFunction(functionOf('b::x', '{"n":2}'));
      store.deleteFunction('c::x');
      store.deleteFunction('nobody');
      await store.committed();
      assert.deepEqual([...store.functions()], [functionOf('a::x', '{}'), functionOf('b::x', '{"n":2}')]);
    });
  });
}

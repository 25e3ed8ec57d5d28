// What every store must do with children, isolation and dead letters, wherever it keeps them. Run by each store's test.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ISOLATIONS } from '../../lib/protocol/views.ts';
import type { DeadLetterRecord, Store, WorkerStore } from '../../lib/store/store.ts';
import { HOST_LOST } from './store-inputs.ts';
import { RECORD, WIDE } from './store.ts';
import type { MakeStore } from './store.ts';

export function deadLetterOf(inputId: string, more: Partial<DeadLetterRecord> = {}): DeadLetterRecord {
  const times = { acceptedAtMs: 1_700_000_000_000.5, endedAtMs: 1_700_000_000_001 };
  const error = { ...HOST_LOST, details: { n: 1 } };
  return { inputId, workerId: 'w1', kind: 'counter', payload: '{"n":"ä"}', attempts: 3, error, ...times, ...more };
}

export function storeFamiliesContract(name: string, makeStore: MakeStore): void {
  const open = async (t: TestContext): Promise<Store> => {
    const store = await makeStore(WIDE);
    t.after(() => store.close());
    return store;
  };
  const childOf = (store: Store, parentId: string | null, workerId: string): WorkerStore =>
    store.create({ ...RECORD, workerId, parentId });

  describe(`${name}: children`, () => {
    test('know their parent, and are told in the order of their creation, at once and later', async (t) => {
      const store = await open(t);
      const parent = store.create(RECORD);
      for (const workerId of ['c', 'a', 'b']) childOf(store, 'w1', workerId);
      assert.deepEqual(store.children('w1'), ['c', 'a', 'b']);
      await store.committed();
      assert.deepEqual(store.children('w1'), ['c', 'a', 'b']);
      assert.deepEqual(
        ['w1', 'a'].map((id) => store.find(id)?.parentId),
        [null, 'w1'],
      );
      assert.deepEqual([parent.parentId, store.children('a'), store.children('nobody')], [null, [], []]);
    });

    test('of one parent are no others', async (t) => {
      const store = await open(t);
      // One id is the beginning of another one.
      for (const [parentId, workerId] of [
        ['p', 'a'],
        ['p.q', 'b'],
        ['p', 'c'],
        ['a', 'd'],
      ] as const)
        childOf(store, parentId, workerId);
      await store.committed();
      assert.deepEqual(
        ['p', 'p.q', 'a'].map((id) => store.children(id)),
        [['a', 'c'], ['b'], ['d']],
      );
    });

    test('that are deleted are none any more, at once and later, and stand last when they are created again', async (t) => {
      const store = await open(t);
      const [a, , c] = ['a', 'b', 'c'].map((workerId) => childOf(store, 'p', workerId));
      await store.committed();
      a?.delete();
      assert.deepEqual(store.children('p'), ['b', 'c']);
      childOf(store, 'p', 'a');
      assert.deepEqual(store.children('p'), ['b', 'c', 'a']);
      await store.committed();
      c?.delete();
      childOf(store, 'q', 'c');
      assert.deepEqual([store.children('p'), store.children('q')], [['b', 'a'], ['c']]);
      await store.committed();
      assert.deepEqual([store.children('p'), store.children('q')], [['b', 'a'], ['c']]);
    });

    test('stay when their parent is deleted, and are not listed otherwise than others', async (t) => {
      const store = await open(t);
      const parent = store.create(RECORD);
      childOf(store, 'w1', 'a');
      await store.committed();
      parent.delete();
      await store.committed();
      assert.deepEqual(store.children('w1'), ['a']);
      assert.deepEqual(
        Array.from(store.list(''), ({ workerId }) => workerId),
        ['a'],
      );
    });
  });

  describe(`${name}: what a worker runs on`, () => {
    test('is what was said last, at once and later, and null says nothing', async (t) => {
      const store = await open(t);
      const worker = store.create(RECORD);
      assert.equal(worker.isolation, null);
      for (const isolation of [...ISOLATIONS, null]) {
        worker.saveIsolation(isolation);
        assert.equal(worker.isolation, isolation);
        await store.committed();
        assert.equal(worker.isolation, isolation);
      }
    });
  });

  describe(`${name}: dead letters`, () => {
    const idsOf = (store: Store) => Array.from(store.deadLetters(), ({ inputId }) => inputId);

    test('are there as they were put, in that order, as text or as bytes', async (t) => {
      const store = await open(t);
      assert.deepEqual([...store.deadLetters()], []);
      const letters = [
        deadLetterOf('b-2'),
        deadLetterOf('b-10', { payload: new TextEncoder().encode('[1]'), attempts: 1 }),
        deadLetterOf('a-1', { workerId: 'w2' }),
      ];
      for (const letter of letters) store.putDeadLetter(letter);
      await store.committed();
      assert.deepEqual([...store.deadLetters()], letters);
    });

    test('are the newest when they are put again, and gone when they are deleted', async (t) => {
      const store = await open(t);
      for (const inputId of ['x-1', 'x-2', 'x-3', 'x-1']) store.putDeadLetter(deadLetterOf(inputId));
      await store.committed();
      assert.deepEqual(idsOf(store), ['x-2', 'x-3', 'x-1']);
      for (const gone of ['x-3', 'x-3', 'nothing']) store.deleteDeadLetter(gone);
      await store.committed();
      assert.deepEqual(idsOf(store), ['x-2', 'x-1']);
    });

    test('outlive their worker, and may be deleted while they are gone through', async (t) => {
      const store = await open(t);
      const worker = store.create(RECORD);
      for (const inputId of ['x-1', 'x-2']) store.putDeadLetter(deadLetterOf(inputId));
      worker.delete();
      await store.committed();
      const seen: string[] = [];
      for (const { inputId } of store.deadLetters()) {
        seen.push(inputId);
        store.deleteDeadLetter(inputId);
      }
      await store.committed();
      assert.deepEqual([seen, idsOf(store)], [['x-1', 'x-2'], []]);
    });
  });
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Environment } from '../../lib/lmdb/environment.ts';
import { groupKey, META_KEY, nameKey, TABLES, workerNumberKey } from '../../lib/lmdb/keys.ts';
import type { Progress } from '../../lib/lmdb/recovery.ts';
import { endingOf, inputOf } from '../contract/store-inputs.ts';
import { appendMany, RECORD } from '../contract/store.ts';
import { codeOf } from '../support/start-runtime.ts';
import { newStoreFile } from './open-store.ts';
import type { StoreFile } from './open-store.ts';

type Change = (value: Buffer) => Buffer | null;

const flipped: Change = (value) => {
  const copy = Buffer.from(value);
  copy[copy.length - 1] = (copy[copy.length - 1] as number) ^ 1;
  return copy;
};
const removed: Change = () => null;
/** The byte of the version, with a checksum that is wrong only if it is looked at first. */
const shortened: Change = (value) => value.subarray(0, 3);

async function damage({ file }: StoreFile, key: Buffer, change: Change): Promise<void> {
  const environment = new Environment(file);
  const value = environment.get(key);
  assert.ok(value !== undefined, 'there is such a row');
  const after = change(value);
  await environment.write((writer) => (after === null ? writer.remove(key) : writer.put(key, after)));
  await environment.close();
}

/** Two workers in the tables, each with a state, entries and an input that waits. */
async function twoWorkers(file: StoreFile): Promise<void> {
  const store = await file.open();
  for (const workerId of ['bad', 'good']) {
    const worker = store.create({ ...RECORD, workerId, state: '"s"', config: `"${'x'.repeat(500)}"` });
    appendMany(worker, 3);
    worker.accept(inputOf(store.firstSeq));
  }
  await store.committed();
  await store.close();
}

describe('a worker whose rows cannot be read', () => {
  const rows: [string, Buffer, Change][] = [
    ['record', nameKey(TABLES.workers, 'bad'), flipped],
    ['record, cut off', nameKey(TABLES.workers, 'bad'), shortened],
    ['state', nameKey(TABLES.states, 'bad'), flipped],
    ['config', nameKey(TABLES.configs, 'bad'), flipped],
    ['config, gone', nameKey(TABLES.configs, 'bad'), removed],
    ['input', workerNumberKey(TABLES.inputs, 'bad', 1), flipped],
  ];
  for (const [row, key, change] of rows)
    test(`(${row}) is failed, and the others are not; it can be deleted and made anew`, async (t) => {
      const file = newStoreFile(t);
      await twoWorkers(file);
      await damage(file, key, change);
      const store = await file.open({ foldBytes: 1 });
      const bad = store.find('bad');
      assert.ok(bad !== undefined);
      assert.deepEqual([bad.rest, bad.failure?.code, bad.read(0, 10).items], ['failed', 'store_corrupt', []]);
      const good = store.find('good');
      assert.deepEqual([good?.rest, good?.lastSequence, good?.inputs().length], ['hibernated', 4, 1]);
      assert.deepEqual(
        Array.from(store.list(''), ({ workerId }) => workerId),
        ['bad', 'good'],
      );
      bad.delete();
      await store.committed();
      assert.equal(store.find('bad'), undefined);
      const anew = store.create({ ...RECORD, workerId: 'bad' });
      await store.committed();
      assert.deepEqual([anew.rest, anew.lastSequence, anew.inputs()], ['hibernated', 0, []]);
      await store.close();
      const found = (await file.open()).find('bad');
      assert.deepEqual([found?.rest, found?.config, found?.lastSequence], ['hibernated', RECORD.config, 0]);
    });

  test('(entries) says so when they are read, and takes new ones', async (t) => {
    const file = newStoreFile(t);
    await twoWorkers(file);
    await damage(file, workerNumberKey(TABLES.blocks, 'bad', 1), flipped);
    const store = await file.open({ foldBytes: 1 });
    const bad = store.find('bad');
    assert.throws(() => bad?.read(0, 10), { code: 'store_corrupt' });
    bad?.append('emitted', 1, 0, '5');
    await store.committed();
    assert.deepEqual(
      bad?.read(4, 10).items.map(({ data }) => data),
      ['5'],
    );
  });
});

describe('a store that cannot be read', () => {
  /** Three groups in the journal that are not folded. */
  async function threeGroups(file: StoreFile): Promise<void> {
    const store = await file.open();
    // Closed as by a crash: nothing more is written.
    for (const workerId of ['a', 'b', 'c']) {
      store.create({ ...RECORD, workerId });
      await store.committed();
    }
    await store.environment.close();
  }

  test('is not opened when a group of its journal is damaged: the error says which', async (t) => {
    const file = newStoreFile(t);
    await threeGroups(file);
    await damage(file, groupKey(2), flipped);
    const error = await file.open().catch((thrown: unknown) => thrown);
    assert.deepEqual(
      [(error as { code: string }).code, (error as Error).message],
      ['store_corrupt', 'Group 2 of the journal cannot be read.'],
    );
  });

  test('is not opened when a group of its journal is missing', async (t) => {
    const file = newStoreFile(t);
    await threeGroups(file);
    await damage(file, groupKey(2), removed);
    const error = await file.open().catch((thrown: unknown) => thrown);
    assert.equal((error as Error).message, 'Group 2 of the journal is missing.');
  });

  test('is not opened when its first record is damaged or missing, and not taken for an empty one', async (t) => {
    for (const change of [flipped, shortened, removed]) {
      const file = newStoreFile(t);
      await threeGroups(file);
      await damage(file, META_KEY, change);
      assert.equal(await codeOf(file.open()), 'store_corrupt');
    }
  });

  test('is opened as it was once the damage is undone', async (t) => {
    const file = newStoreFile(t);
    await threeGroups(file);
    await damage(file, groupKey(2), flipped);
    await codeOf(file.open());
    await damage(file, groupKey(2), flipped);
    assert.equal([...(await file.open()).list('')].length, 3);
  });
});

describe('opening a store again', () => {
  test('tells how far it is', async (t) => {
    const file = newStoreFile(t);
    const store = await file.open();
    const worker = store.create(RECORD);
    for (let seq = 1; seq <= 5; seq++) {
      worker.accept(inputOf(seq));
      await store.committed();
    }
    await store.environment.close();
    const told: Progress[] = [];
    await file.open({ onProgress: (progress) => told.push(progress) });
    assert.deepEqual(told, [{ groups: 5, of: 5 }]);
  });

  test('gives no number of an input again, whether it was closed or not, and the same prefix', async (t) => {
    const file = newStoreFile(t);
    const first = await file.open();
    const worker = first.create(RECORD);
    const seqs = [first.firstSeq, first.firstSeq + 1];
    worker.accept(inputOf(seqs[0] as number));
    // Kept in memory only, and its number is in many a log.
    worker.accept(inputOf(seqs[1] as number, { isVolatile: true }));
    await first.committed();
    await first.environment.close();
    const second = await file.open();
    assert.ok(second.firstSeq > (seqs[1] as number));
    assert.equal(second.inputIdPrefix, first.inputIdPrefix);
    await second.close();
    const third = await file.open();
    assert.equal(third.firstSeq, second.firstSeq);
  });

  test('says which workers had inputs, ascending, and whether they had started', async (t) => {
    const file = newStoreFile(t);
    const store = await file.open();
    const workers = ['c', 'a', 'b', 'd'].map((workerId) => store.create({ ...RECORD, workerId }));
    const [c, a, b] = workers;
    const [started, waiting, ended] = [inputOf(1, { attempt: 3 }), inputOf(2), inputOf(3)];
    c?.accept(started);
    c?.start(started);
    a?.accept(waiting);
    b?.accept(ended);
    b?.end(ended, endingOf(ended));
    await store.committed();
    await store.close();
    const again = await file.open();
    assert.deepEqual([...again.waiting()], ['a', 'c']);
    assert.deepEqual(again.find('c')?.inputs(), [{ ...started, isStarted: true }]);
    assert.deepEqual(again.find('a')?.inputs(), [{ ...waiting, isStarted: false }]);
    assert.deepEqual(again.find('b')?.ended(3), { seq: 3, ...endingOf(ended) });
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Environment } from '../../lib/lmdb/environment.ts';
import type { Writer } from '../../lib/lmdb/environment.ts';
import {
  endOfTable,
  groupKey,
  META_KEY,
  nameKey,
  startOfTable,
  TABLES,
  workerNumberKey,
  workerTextKey,
} from '../../lib/lmdb/keys.ts';
import type { Table } from '../../lib/lmdb/keys.ts';
import type { Progress } from '../../lib/lmdb/recovery.ts';
import { dueKey } from '../../lib/lmdb/timers.ts';
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

async function keysOf({ file }: StoreFile, table: Table): Promise<Buffer[]> {
  const environment = new Environment(file, { isReadOnly: true });
  const rows = environment.range({ start: startOfTable(table), end: endOfTable(table) });
  const keys = Array.from(rows, ({ key }) => Buffer.from(key));
  await environment.close();
  return keys;
}

/** What the change removes is read before. */
async function change(
  { file }: StoreFile,
  make: (writer: Writer, value: (key: Buffer) => Buffer) => void,
): Promise<void> {
  const environment = new Environment(file);
  await environment.write((writer) => make(writer, (key) => environment.get(key) as Buffer));
  await environment.close();
}

/** Its last letter or number is another one. */
function misplace(file: StoreFile, key: Buffer, by: number): Promise<void> {
  const wrong = Buffer.from(key);
  const last = wrong.length - 1;
  // Numbers end with the byte that counts.
  wrong[last] = (wrong[last] as number) + by;
  return change(file, (writer, value) => {
    writer.put(wrong, value(key));
    writer.remove(key);
  });
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
    ['input, gone', workerNumberKey(TABLES.inputs, 'bad', 1), removed],
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

describe('a row that lies under another key, because that is damaged', () => {
  for (const [row, key] of [
    ['record', nameKey(TABLES.workers, 'bad')],
    ['state', nameKey(TABLES.states, 'bad')],
    ['config', nameKey(TABLES.configs, 'bad')],
    ['input', workerNumberKey(TABLES.inputs, 'bad', 1)],
  ] as const)
    for (const [where, move] of [
      ['before its place', -1],
      ['behind its place', 1],
    ] as const)
      test(`(${row}, ${where}) makes its worker failed, until that is deleted and made anew`, async (t) => {
        const file = newStoreFile(t);
        await twoWorkers(file);
        await misplace(file, key, move);
        const store = await file.open({ foldBytes: 1 });
        const bad = store.find('bad');
        assert.deepEqual([bad?.rest, bad?.failure?.code], ['failed', 'store_corrupt']);
        assert.deepEqual([store.find('good')?.rest, store.find('other')], ['hibernated', undefined]);
        bad?.delete();
        await store.committed();
        store.create({ ...RECORD, workerId: 'bad' });
        await store.committed();
        await store.close();
        const anew = (await file.open()).find('bad');
        assert.deepEqual([anew?.rest, anew?.state, anew?.inputs()], ['hibernated', null, []]);
      });

  test('(an idempotency key) is store_corrupt where it is asked for, and other keys are not', async (t) => {
    const file = newStoreFile(t);
    const written = await file.open({ idempotencyTtlMs: Infinity });
    const worker = written.create(RECORD);
    const input = inputOf(1, { key: { key: 'k', digest: 'd' } });
    worker.accept(input);
    worker.end(input, endingOf(input));
    await written.close();
    await misplace(file, workerTextKey(TABLES.keys, RECORD.workerId, 'k'), 1);
    const found = (await file.open({ idempotencyTtlMs: Infinity })).find(RECORD.workerId);
    assert.throws(() => found?.keyed('k'), { code: 'store_corrupt' });
    assert.equal(found?.keyed('other'), undefined);
  });

  test('(when a timer is due) costs nothing: the timer is there when it is due', async (t) => {
    const file = newStoreFile(t);
    const written = await file.open();
    for (const timerId of [1, 2])
      written
        .create({ ...RECORD, workerId: `w${timerId}` })
        .putTimer({ timerId, dueAtMs: 1_000, input: '1', name: 't', repeat: null, lastSeq: 0 });
    await written.close();
    const key = dueKey(
      { timerId: 2, dueAtMs: 1_000, input: '1', name: 't', repeat: null, lastSeq: 0 },
      workerNumberKey(TABLES.timers, 'w2', 2),
    );
    const late = Buffer.from(key);
    late[3] = 1;
    await change(file, (writer, value) => {
      writer.put(late, value(key));
      writer.remove(key);
    });
    const due = (await file.open()).timersBefore(2_000, 10);
    assert.deepEqual(
      due.map(({ workerId }) => workerId),
      ['w1', 'w2'],
    );
  });

  test('(whose child a worker is) costs nothing: it is among the children of its parent, until it is deleted', async (t) => {
    const file = newStoreFile(t);
    const written = await file.open();
    for (const workerId of ['b', 'a', 'c']) written.create({ ...RECORD, workerId, parentId: 'p' });
    await written.close();
    const [key] = await keysOf(file, TABLES.children);
    await misplace(file, key as Buffer, 8);
    const store = await file.open({ foldBytes: 1 });
    assert.deepEqual(store.children('p'), ['b', 'a', 'c']);
    store.find('b')?.delete();
    await store.committed();
    assert.deepEqual(store.children('p'), ['a', 'c']);
  });

  test('(that a worker has inputs) costs nothing: it is among those that have', async (t) => {
    const file = newStoreFile(t);
    await twoWorkers(file);
    await misplace(file, nameKey(TABLES.waiting, 'bad'), 1);
    assert.deepEqual([...(await file.open()).waiting()], ['bad', 'good']);
  });

  test('(the newest group of the journal) is refused, wherever it lies', async (t) => {
    for (const to of [groupKey(1), Buffer.concat([Buffer.from('K'), groupKey(2).subarray(1)])]) {
      const file = newStoreFile(t);
      const written = await file.open();
      const worker = written.create(RECORD);
      for (const seq of [1, 2]) {
        worker.accept(inputOf(seq));
        await written.committed();
      }
      await written.environment.close();
      await change(file, (writer, value) => {
        writer.put(to, value(groupKey(2)));
        writer.remove(groupKey(2));
      });
      assert.equal(await codeOf(file.open()), 'store_corrupt');
    }
  });
});

describe('opening a store again', () => {
  test('lets others have their turns while it reads the journal', async (t) => {
    const file = newStoreFile(t);
    const store = await file.open();
    const worker = store.create(RECORD);
    for (let seq = 1; seq <= 20; seq++) {
      worker.accept(inputOf(seq));
      await store.committed();
    }
    await store.environment.close();
    // Each look at the clock is a second later, so that every group is as long as a slice may be.
    let now = 0;
    t.mock.method(performance, 'now', () => (now += 1_000));
    const told: number[] = [];
    let turns = 0;
    let isOpen = false;
    const count = (): void => {
      turns++;
      if (!isOpen) setImmediate(count);
    };
    setImmediate(count);
    await file.open({ onProgress: () => told.push(turns) });
    isOpen = true;
    assert.ok(turns >= 20, `${turns} turns`);
    assert.equal(told.length, 1);
  });

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

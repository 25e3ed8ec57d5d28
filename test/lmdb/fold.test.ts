import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FORGET_EVERY_MS } from '../../lib/lmdb/fold.ts';
import { TABLES } from '../../lib/lmdb/keys.ts';
import type { LmdbStore } from '../../lib/lmdb/store.ts';
import { endingOf, inputOf } from '../contract/store-inputs.ts';
import { appendMany, RECORD, seqsOf } from '../contract/store.ts';
import { eventually } from '../support/start-runtime.ts';
import { folded, newStoreFile } from './open-store.ts';

const ALWAYS = { foldBytes: 1 };

/** How many rows each table has, without the first record. */
function rowsOf({ environment }: LmdbStore): Record<string, number> {
  const rows: Record<string, number> = {};
  for (const { key } of environment.range({ start: Buffer.of(0), end: Buffer.of(0xff) })) {
    const table = key.toString('latin1', 0, 1);
    if (table !== TABLES.meta) rows[table] = (rows[table] ?? 0) + 1;
  }
  return rows;
}

describe('folding', () => {
  test('moves everything into the tables, and empties the journal', async (t) => {
    const store = await newStoreFile(t).open(ALWAYS);
    const worker = store.create({ ...RECORD, state: '1', config: `"${'x'.repeat(1_000)}"` });
    worker.accept(inputOf(1, { key: { key: 'k', digest: 'd' } }));
    worker.putTimer({ timerId: 1, dueAtMs: 5, input: '1', name: 't', repeat: null, lastSeq: 0 });
    store.putFunction({ functionId: 'f::x', document: '{}' });
    await store.committed();
    await folded(store);
    assert.deepEqual(rowsOf(store), { W: 1, S: 1, C: 1, B: 1, I: 1, Q: 1, K: 1, T: 1, D: 1, F: 1 });
    worker.delete();
    store.deleteFunction('f::x');
    await store.committed();
    await folded(store);
    assert.deepEqual(rowsOf(store), {});
  });

  test('comes by itself when it is quiet', async (t) => {
    const store = await newStoreFile(t).open();
    store.create(RECORD);
    await store.committed();
    assert.ok(store.figures().journalBytes > 0);
    await folded(store);
    assert.deepEqual(rowsOf(store), { W: 1 });
  });

  test('lets go of a worker that nobody uses, and not of one that somebody does', async (t) => {
    const store = await newStoreFile(t).open(ALWAYS);
    const [used, unused] = ['a', 'b'].map((workerId) => store.create({ ...RECORD, workerId }));
    assert.ok(used !== undefined && unused !== undefined);
    store.unload(unused);
    assert.equal(store.find('b'), unused);
    store.unload(unused);
    await store.committed();
    await folded(store);
    assert.equal(store.find('a'), used);
    assert.notEqual(store.find('b'), unused);
    assert.equal(store.find('b')?.config, RECORD.config);
  });

  test('keeps a transcript in few blocks, and removes those that are behind its bound', async (t) => {
    const store = await newStoreFile(t).open(ALWAYS);
    const worker = store.create(RECORD);
    for (let n = 0; n < 50; n++) {
      appendMany(worker, 20);
      await store.committed();
      await folded(store);
    }
    assert.deepEqual(
      seqsOf(worker.read(0, 1_000).items),
      Array.from({ length: 100 }, (_, n) => 901 + n),
    );
    // 100 entries of some 17 bytes: a few blocks of 2 KiB at most.
    assert.ok((rowsOf(store)['B'] ?? 0) <= 3, `${rowsOf(store)['B']} blocks`);
  });

  test('drops entries that are too old', async (t) => {
    let now = 1_000;
    const limits = { maxEntries: 100, maxBytes: 1_000_000, maxAgeMs: 500 };
    const store = await newStoreFile(t).open({ ...ALWAYS, limits, now: () => now });
    const worker = store.create(RECORD);
    for (const atMs of [900, 1_000]) worker.append('emitted', atMs, 0, '1');
    await store.committed();
    await folded(store);
    assert.equal(worker.firstSequence, 1);
    now = 1_501;
    worker.append('emitted', now, 0, '2');
    await store.committed();
    assert.deepEqual([seqsOf(worker.read(0, 10).items), worker.firstSequence], [[3], 3]);
  });

  test('keeps the key of an input whose ending was given as a view of another record', async (t) => {
    const file = newStoreFile(t);
    const store = await file.open({ ...ALWAYS, now: () => 1_700_000_000_000 });
    const worker = store.create(RECORD);
    const input = inputOf(1, { key: { key: 'k', digest: 'd' } });
    worker.accept(input);
    const ending = endingOf(input, {});
    // All of it behind getters of a prototype: a spread of it is empty.
    const getters = Object.entries(ending).map(([name, value]) => [name, { get: () => value as unknown }] as const);
    const view = Object.create(Object.create({}, Object.fromEntries(getters)) as object) as typeof ending;
    worker.end(input, view);
    await store.committed();
    await folded(store);
    assert.deepEqual(worker.keyed('k'), { seq: 1, digest: 'd', ended: { seq: 1, ...ending } });
  });

  test('forgets keys whose time is over, and they may be used again', async (t) => {
    let now = 1_700_000_000_000;
    const store = await newStoreFile(t).open({ ...ALWAYS, idempotencyTtlMs: 1_000, now: () => now });
    const worker = store.create(RECORD);
    const key = { key: 'k', digest: 'd' };
    const input = inputOf(1, { key, acceptedAtMs: now });
    worker.accept(input);
    await store.committed();
    assert.deepEqual(worker.keyed('k'), { seq: 1, digest: 'd', ended: null });
    const ending = endingOf(input, { endedAtMs: now });
    worker.end(input, ending);
    await store.committed();
    await folded(store);
    now += 999;
    assert.deepEqual(worker.keyed('k'), { seq: 1, digest: 'd', ended: { seq: 1, ...ending } });
    now += 1;
    assert.equal(worker.keyed('k'), undefined);
    worker.accept(inputOf(2, { key: { key: 'k', digest: 'other' } }));
    await store.committed();
    await folded(store);
    assert.deepEqual(worker.keyed('k'), { seq: 2, digest: 'other', ended: null });
    now += 1_000_000;
    store.create({ ...RECORD, workerId: 'w2' });
    await store.committed();
    await folded(store);
    assert.deepEqual(worker.keyed('k'), { seq: 2, digest: 'other', ended: null });
    assert.deepEqual(rowsOf(store), { W: 2, B: 1, I: 1, Q: 1, K: 1 });
  });

  test('removes expired keys of workers that nobody uses', async (t) => {
    let now = 1_700_000_000_000;
    const store = await newStoreFile(t).open({ ...ALWAYS, idempotencyTtlMs: 1_000, now: () => now });
    const worker = store.create(RECORD);
    for (let seq = 1; seq <= 2_500; seq++) {
      const input = inputOf(seq, { key: { key: `k${seq}`, digest: 'd' } });
      worker.accept(input);
      worker.end(input, endingOf(input, { endedAtMs: now }));
    }
    await store.committed();
    await folded(store);
    assert.deepEqual([rowsOf(store)['K'], rowsOf(store)['E']], [2_500, 2_500]);
    now += 1_001;
    store.create({ ...RECORD, workerId: 'w2' });
    await store.committed();
    await folded(store);
    assert.deepEqual([rowsOf(store)['K'], rowsOf(store)['E']], [undefined, undefined]);
  });

  test('comes by itself when there are keys to be forgotten, and nothing else happens', async (t) => {
    let now = 1_700_000_000_000;
    const file = newStoreFile(t);
    t.mock.timers.enable({ apis: ['setInterval'] });
    const store = await file.open({ ...ALWAYS, idempotencyTtlMs: 1_000, now: () => now });
    const worker = store.create(RECORD);
    const input = inputOf(1, { key: { key: 'k', digest: 'd' } });
    worker.accept(input);
    worker.end(input, endingOf(input, { endedAtMs: now }));
    await store.committed();
    await folded(store);
    t.mock.timers.tick(FORGET_EVERY_MS);
    now += 1_001;
    t.mock.timers.tick(FORGET_EVERY_MS);
    await eventually(() => rowsOf(store)['K'] === undefined && rowsOf(store)['E'] === undefined);
  });

  test('that cannot write is told, and tried again', async (t) => {
    const errors: unknown[] = [];
    const store = await newStoreFile(t).open({ ...ALWAYS, onFoldError: (error) => errors.push(error) });
    const { environment } = store;
    const write = environment.write.bind(environment);
    let left = 1;
    t.mock.method(environment, 'write', (change: Parameters<typeof write>[0]) =>
      // The group itself is the first; the slice behind it fails.
      left-- === 0 ? Promise.reject(new Error('no space left')) : write(change),
    );
    store.create(RECORD);
    await store.committed();
    await folded(store);
    assert.equal(errors.length, 1);
    assert.deepEqual(rowsOf(store), { W: 1 });
  });
});

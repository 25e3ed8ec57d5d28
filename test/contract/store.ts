// What every store must do, wherever it keeps things. Run by each store's test.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import type { Payload } from '../../lib/protocol/payload.ts';
import { ENTRY_TYPES } from '../../lib/protocol/views.ts';
import type { Store, StoredEntry, TranscriptBounds, WorkerRecord, WorkerStore } from '../../lib/store/store.ts';
import { seeded } from '../support/seeded.ts';

/** `now` is the store's clock, epoch ms. */
export type MakeStore = (bounds: TranscriptBounds, now?: () => number) => Store | Promise<Store>;

export const WIDE: TranscriptBounds = { maxEntries: 1_000, maxBytes: 1_000_000, maxAgeMs: Number.MAX_SAFE_INTEGER };

export const RECORD: WorkerRecord = {
  workerId: 'w1',
  kind: 'counter',
  displayName: null,
  config: '{"start":1}',
  createdAtMs: 1_700_000_000_000,
  state: null,
  parentId: null,
};

export const seqsOf = (items: readonly StoredEntry[]): number[] => items.map(({ sequence }) => sequence);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

function recordOf({ workerId, kind, displayName, config, createdAtMs, state, parentId }: WorkerStore): WorkerRecord {
  return { workerId, kind, displayName, config, createdAtMs, state, parentId };
}

/** Appends that many entries of one digit. */
export function appendMany(worker: WorkerStore, count: number): void {
  for (const n of upTo(count)) worker.append('input', n, n, String(n % 10));
}

export function storeContract(name: string, makeStore: MakeStore): void {
  const open = async (t: TestContext, bounds: TranscriptBounds = WIDE): Promise<Store> => {
    const store = await makeStore(bounds);
    t.after(() => store.close());
    return store;
  };
  /** With a worker, and a call that resolves when all that was given is kept. */
  const openWorker = async (t: TestContext, bounds?: TranscriptBounds) => {
    const store = await open(t, bounds);
    return { store, worker: store.create(RECORD), committed: () => store.committed() };
  };

  describe(`${name}: records of sources`, () => {
    const sourceOf = (sourceName: string, document: Payload = '{}') => ({
      name: sourceName,
      document,
      isFromOperator: false,
    });

    test('are there as they were put, ascending by name, as text or as bytes', async (t) => {
      const store = await open(t);
      assert.deepEqual([...store.sources()], []);
      const records = [
        sourceOf('B', '{"name":"B","x":"ä😀"}'),
        { ...sourceOf('a', new TextEncoder().encode('{"b":1}')), isFromOperator: true },
        sourceOf('b'),
      ];
      for (const record of [...records].reverse()) store.putSource(record);
      await store.committed();
      assert.deepEqual([...store.sources()], records);
    });

    test('are replaced by the next of that name, and deleted by it', async (t) => {
      const store = await open(t);
      for (const record of [sourceOf('a'), sourceOf('b'), sourceOf('a', '[1]')]) store.putSource(record);
      await store.committed();
      assert.deepEqual([...store.sources()], [sourceOf('a', '[1]'), sourceOf('b')]);
      for (const gone of ['a', 'a', 'nobody']) store.deleteSource(gone);
      await store.committed();
      assert.deepEqual([...store.sources()], [sourceOf('b')]);
    });

    test('stand apart from workers of the same name', async (t) => {
      const store = await open(t);
      const worker = store.create(RECORD);
      store.putSource(sourceOf(RECORD.workerId));
      worker.delete();
      await store.committed();
      assert.deepEqual([[...store.list('')], [...store.sources()]], [[], [sourceOf(RECORD.workerId)]]);
    });

    test('may be deleted while they are gone through', async (t) => {
      const store = await open(t);
      for (const sourceName of ['a', 'b', 'c']) store.putSource(sourceOf(sourceName));
      await store.committed();
      const seen: string[] = [];
      for (const { name: sourceName } of store.sources()) {
        seen.push(sourceName);
        store.deleteSource(sourceName);
      }
      await store.committed();
      assert.deepEqual([seen, [...store.sources()]], [['a', 'b', 'c'], []]);
    });
  });

  describe(`${name}: a worker's record`, () => {
    test('is there as it was created', async (t) => {
      const { worker } = await openWorker(t);
      assert.deepEqual(recordOf(worker), RECORD);
    });

    test('has the state that was saved last, and nothing else changes', async (t) => {
      const { worker, committed } = await openWorker(t, WIDE);
      worker.saveState('{"total":1}', 0);
      worker.saveState('{"total":2}', 0);
      await committed();
      assert.deepEqual(recordOf(worker), { ...RECORD, state: '{"total":2}' });
    });

    test('has the version that its state was saved with, and another one alone is a change', async (t) => {
      const { worker, committed } = await openWorker(t);
      assert.equal(worker.stateVersion, 0);
      const seen: unknown[] = [];
      for (const stateVersion of [3, 4, 4]) {
        worker.saveState('{"total":1}', stateVersion);
        await committed();
        seen.push([worker.state, worker.stateVersion]);
      }
      assert.deepEqual(seen, [
        ['{"total":1}', 3],
        ['{"total":1}', 4],
        ['{"total":1}', 4],
      ]);
    });

    test('keeps config and state that are bytes', async (t) => {
      const bytes = new TextEncoder().encode('{"start":"ä😀"}');
      const record = { ...RECORD, config: bytes, state: bytes };
      assert.deepEqual(recordOf((await open(t)).create(record)), record);
    });

    test('does not touch the transcript', async (t) => {
      const { worker, committed } = await openWorker(t);
      appendMany(worker, 2);
      await committed();
      worker.saveState('1', 0);
      await committed();
      assert.deepEqual([worker.lastSequence, seqsOf(worker.read(0, 10).items)], [2, [1, 2]]);
    });
  });

  describe(`${name}: workers`, () => {
    test('are all there, and none after it was deleted', async (t) => {
      const store = await open(t);
      const idsOf = () => Array.from(store.list(''), (worker) => worker.workerId).sort();
      assert.deepEqual(idsOf(), []);
      const workers = ['b', 'a', 'c'].map((workerId) => store.create({ ...RECORD, workerId }));
      await store.committed();
      assert.deepEqual(idsOf(), ['a', 'b', 'c']);
      workers[1]?.delete();
      await store.committed();
      assert.deepEqual(idsOf(), ['b', 'c']);
    });

    test('have records and transcripts of their own', async (t) => {
      const store = await open(t);
      const [a, b] = [store.create({ ...RECORD, workerId: 'a' }), store.create({ ...RECORD, workerId: 'b' })];
      appendMany(a, 3);
      b.append('created', 1, 0, '"b"');
      a.saveState('1', 0);
      await store.committed();
      assert.deepEqual([a.lastSequence, b.lastSequence], [3, 1]);
      assert.deepEqual(recordOf(b), { ...RECORD, workerId: 'b' });
      assert.deepEqual(b.read(0, 10).items, [{ sequence: 1, atMs: 1, type: 'created', inputSeq: 0, data: '"b"' }]);
    });

    test('that are created anew after a delete know nothing of the old ones', async (t) => {
      const store = await open(t);
      const old = store.create({ ...RECORD, state: '"old"' });
      appendMany(old, 3);
      old.delete();
      const fresh = store.create(RECORD);
      await store.committed();
      assert.deepEqual(recordOf(fresh), RECORD);
      assert.deepEqual([fresh.lastSequence, fresh.read(0, 10)], [0, { items: [], nextAfter: 0, hasMore: false }]);
      fresh.append('created', 1, 0, 'null');
      await store.committed();
      assert.equal(fresh.lastSequence, 1);
    });
  });

  describe(`${name}: a transcript`, () => {
    test('is empty at first', async (t) => {
      const { worker } = await openWorker(t);
      assert.deepEqual([worker.lastSequence, worker.read(0, 10)], [0, { items: [], nextAfter: 0, hasMore: false }]);
    });

    test('gives back each entry as it was appended, of every type, as text or as bytes', async (t) => {
      const { worker, committed } = await openWorker(t);
      const data = ['null', '{"a":"ä😀"}', new TextEncoder().encode('[1]')];
      const entries = ENTRY_TYPES.map((type, n) => ({
        sequence: n + 1,
        atMs: 1_700_000_000_000 + n,
        type,
        inputSeq: [0, 1, Number.MAX_SAFE_INTEGER][n % 3] as number,
        data: data[n % data.length] as string,
      }));
      for (const { type, atMs, inputSeq, data: value } of entries) worker.append(type, atMs, inputSeq, value);
      await committed();
      assert.deepEqual(worker.read(0, 100), { items: entries, nextAfter: entries.length, hasMore: false });
    });

    test('is numbered from 1 without gaps, whatever was dropped', async (t) => {
      const { worker, committed } = await openWorker(t, { ...WIDE, maxEntries: 3 });
      appendMany(worker, 20);
      await committed();
      assert.deepEqual([seqsOf(worker.read(0, 100).items), worker.lastSequence], [[18, 19, 20], 20]);
    });

    test('keeps as many entries as its bound says; one more and the oldest is gone', async (t) => {
      for (const maxEntries of [1, 2, 3, 4, 5, 8, 16, 17]) {
        const { worker, committed } = await openWorker(t, { ...WIDE, maxEntries });
        appendMany(worker, maxEntries);
        await committed();
        assert.deepEqual(seqsOf(worker.read(0, 100).items), upTo(maxEntries));
        worker.append('output', 1, 0, 'null');
        await committed();
        assert.deepEqual(seqsOf(worker.read(0, 100).items), upTo(maxEntries + 1).slice(1));
      }
    });

    test('keeps its newest entry whatever its size', async (t) => {
      const { worker, committed } = await openWorker(t, { ...WIDE, maxBytes: 100 });
      appendMany(worker, 1);
      await committed();
      const data = `"${'x'.repeat(10_000)}"`;
      worker.append('output', 5, 9, data);
      await committed();
      const entry = { sequence: 2, atMs: 5, type: 'output', inputSeq: 9, data };
      assert.deepEqual(worker.read(0, 10), { items: [entry], nextAfter: 2, hasMore: false });
      worker.append('output', 6, 0, '1');
      await committed();
      assert.deepEqual(seqsOf(worker.read(0, 10).items), [3]);
    });

    test('drops its oldest entries to stay within its bytes, and no other', async (t) => {
      const { worker, committed } = await openWorker(t, { ...WIDE, maxBytes: 10_000 });
      for (let n = 0; n < 100; n++) {
        worker.append('output', n, 0, 'x'.repeat(1_000));
        await committed();
        const kept = seqsOf(worker.read(0, 1_000).items);
        assert.deepEqual(kept, upTo(n + 1).slice(-kept.length));
        assert.ok(kept.length * 1_000 <= 10_000 && kept.length >= Math.min(n + 1, 7), `${kept.length} kept`);
      }
    });

    test('read in pages gives every entry once', async (t) => {
      const { worker, committed } = await openWorker(t);
      appendMany(worker, 7);
      await committed();
      const pages = [0, 3, 6].map((after) => worker.read(after, 3));
      assert.deepEqual(
        pages.map(({ items, nextAfter, hasMore }) => ({ seqs: seqsOf(items), nextAfter, hasMore })),
        [
          { seqs: [1, 2, 3], nextAfter: 3, hasMore: true },
          { seqs: [4, 5, 6], nextAfter: 6, hasMore: true },
          { seqs: [7], nextAfter: 7, hasMore: false },
        ],
      );
    });

    test('has no more behind a page that ends at its newest entry', async (t) => {
      const { worker, committed } = await openWorker(t);
      appendMany(worker, 6);
      await committed();
      const { items, nextAfter, hasMore } = worker.read(3, 3);
      assert.deepEqual([seqsOf(items), nextAfter, hasMore], [[4, 5, 6], 6, false]);
    });

    test('read after its end gives nothing and leaves the place where it was', async (t) => {
      const { worker, committed } = await openWorker(t);
      appendMany(worker, 2);
      await committed();
      assert.deepEqual(worker.read(2, 10), { items: [], nextAfter: 2, hasMore: false });
      assert.deepEqual(worker.read(99, 10), { items: [], nextAfter: 99, hasMore: false });
    });

    test('starts at its oldest entry for a reader whose place was dropped', async (t) => {
      const { worker, committed } = await openWorker(t, { ...WIDE, maxEntries: 3 });
      appendMany(worker, 10);
      await committed();
      const { items, nextAfter, hasMore } = worker.read(2, 2);
      assert.deepEqual([seqsOf(items), nextAfter, hasMore], [[8, 9], 9, true]);
    });

    test('a page that was read does not change when entries are appended', async (t) => {
      const { worker, committed } = await openWorker(t, { ...WIDE, maxEntries: 2 });
      appendMany(worker, 2);
      await committed();
      const page = worker.read(0, 10);
      appendMany(worker, 5);
      await committed();
      assert.deepEqual([seqsOf(page.items), page.nextAfter, page.hasMore], [[1, 2], 2, false]);
    });

    test('gives all entries up to their age, and from then on none but the newest', async (t) => {
      const startMs = RECORD.createdAtMs;
      let nowMs = startMs;
      const store = await makeStore({ ...WIDE, maxAgeMs: 1_000 }, () => nowMs);
      t.after(() => store.close());
      const worker = store.create(RECORD);
      const seen = () => [seqsOf(worker.read(0, 100).items), worker.firstSequence, worker.lastSequence];
      for (const n of upTo(4)) worker.append('output', startMs + n, 0, String(n));
      await store.committed();
      nowMs = startMs + 1_001;
      assert.deepEqual(seen(), [[1, 2, 3, 4], 1, 4]);
      nowMs = startMs + 1_005;
      assert.deepEqual(seen(), [[4], 4, 4]);
      assert.deepEqual([worker.read(4, 100).items, worker.read(2, 1).hasMore], [[], false]);
      nowMs += 1_000_000;
      assert.deepEqual(seen(), [[4], 4, 4]);
      worker.append('output', nowMs, 0, '5');
      await store.committed();
      assert.deepEqual(seen(), [[5], 5, 5]);
    });

    test('says which of its entries is the oldest that is kept', async (t) => {
      const { worker, committed } = await openWorker(t, { ...WIDE, maxEntries: 3 });
      assert.deepEqual([worker.firstSequence, worker.lastSequence], [1, 0]);
      const firsts: number[] = [];
      for (let n = 0; n < 6; n++) {
        appendMany(worker, 1);
        await committed();
        firsts.push(worker.firstSequence);
      }
      assert.deepEqual(firsts, [1, 1, 1, 2, 3, 4]);
    });

    test('does what a list would do', async (t) => {
      const steps = fc.array(
        fc.record({ appends: fc.nat({ max: 9 }), after: fc.nat({ max: 40 }), limit: fc.integer({ min: 1, max: 12 }) }),
      );
      const property = fc.asyncProperty(fc.integer({ min: 1, max: 20 }), steps, async (maxEntries, plan) => {
        const store = await makeStore({ ...WIDE, maxEntries });
        const worker = store.create(RECORD);
        for (const { appends, after, limit } of plan) {
          appendMany(worker, appends);
          await store.committed();
          const all = upTo(worker.lastSequence).slice(-maxEntries);
          const later = all.filter((sequence) => sequence > after);
          const seqs = later.slice(0, limit);
          const page = worker.read(after, limit);
          assert.deepEqual(
            { seqs: seqsOf(page.items), nextAfter: page.nextAfter, hasMore: page.hasMore },
            { seqs, nextAfter: seqs.at(-1) ?? after, hasMore: later.length > limit },
          );
        }
        await store.close();
      });
      await fc.assert(property, seeded(t, 100));
    });
  });
}

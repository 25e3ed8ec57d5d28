import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryStore } from '../../lib/store/memory.ts';
import type { TranscriptBounds, WorkerStore } from '../../lib/store/store.ts';
import { appendMany, RECORD, seqsOf, storeContract, WIDE } from '../contract/store.ts';
import { storeFamiliesContract } from '../contract/store-families.ts';
import { storeInputsContract } from '../contract/store-inputs.ts';

storeContract('memory', (bounds, now) => new MemoryStore(bounds, now));
storeInputsContract('memory', (bounds) => new MemoryStore(bounds));
storeFamiliesContract('memory', (bounds) => new MemoryStore(bounds));

const workerOf = (bounds: Partial<TranscriptBounds> = {}): WorkerStore =>
  new MemoryStore({ ...WIDE, ...bounds }).create(RECORD);
const keptOf = (worker: WorkerStore): number[] => seqsOf(worker.read(0, 10_000).items);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

/** What an entry counts beside its data. */
const OVERHEAD_BYTES = 64;

describe('the memory store', () => {
  test('says what it is', () => assert.equal(new MemoryStore(WIDE).kind, 'memory'));

  test('can be read after it was closed, by who still has the worker', async () => {
    const store = new MemoryStore(WIDE);
    const worker = store.create(RECORD);
    appendMany(worker, 3);
    await store.close();
    assert.deepEqual(keptOf(worker), [1, 2, 3]);
  });

  test('keeps every entry while its ring grows', () => {
    const worker = workerOf();
    for (let count = 1; count <= 300; count++) {
      appendMany(worker, 1);
      assert.deepEqual(keptOf(worker), range(1, count));
    }
  });

  test('keeps every entry while its ring grows after entries were dropped', () => {
    const worker = workerOf({ maxBytes: 3 * (OVERHEAD_BYTES + 100) });
    for (let n = 0; n < 6; n++) worker.append('output', n, 0, 'x'.repeat(100));
    assert.deepEqual(keptOf(worker), [4, 5, 6]);
    worker.append('output', 7, 0, 'x'.repeat(200)); // one large entry in place of several
    assert.deepEqual(keptOf(worker), [6, 7]);
    appendMany(worker, 20);
    assert.deepEqual(keptOf(worker), range(21, 27)); // 65 bytes each, 492 at most
  });

  test('keeps entries that reach its byte bound, and drops the oldest at one byte more', () => {
    const maxBytes = 3 * (OVERHEAD_BYTES + 10);
    const data = 'x'.repeat(10);
    const worker = workerOf({ maxBytes });
    for (const value of [data, new Uint8Array(10), data]) worker.append('output', 1, 0, value);
    assert.deepEqual(keptOf(worker), [1, 2, 3]);
    const other = workerOf({ maxBytes });
    for (const value of [data, data, `${data}x`]) other.append('output', 1, 0, value);
    assert.deepEqual(keptOf(other), [2, 3]);
  });

  test('gives each entry up to its own age', () => {
    const startMs = RECORD.createdAtMs;
    let nowMs = startMs;
    const worker = new MemoryStore({ ...WIDE, maxAgeMs: 1_000 }, () => nowMs).create(RECORD);
    for (const n of range(1, 4)) worker.append('output', startMs + 100 * n, 0, String(n));
    const seen = [1_100, 1_101, 1_200, 1_350].map((afterMs) => {
      nowMs = startMs + afterMs;
      return [keptOf(worker), worker.firstSequence];
    });
    assert.deepEqual(seen, [
      [[1, 2, 3, 4], 1],
      [[2, 3, 4], 2],
      [[2, 3, 4], 2],
      [[4], 4],
    ]);
  });

  test('drops entries for their age before others for their bytes, and lets go of what they held', () => {
    const maxBytes = 4 * (OVERHEAD_BYTES + 10);
    const startMs = RECORD.createdAtMs;
    const store = new MemoryStore({ ...WIDE, maxBytes, maxAgeMs: 10 }, () => startMs + 20);
    const worker = store.create(RECORD);
    for (const atMs of [0, 1, 12, 13]) worker.append('output', startMs + atMs, 0, 'x'.repeat(10));
    assert.deepEqual([worker.heldBytes, keptOf(worker), worker.heldBytes], [2 * 74, [3, 4], 2 * 74]);
    for (const atMs of [14, 15]) worker.append('output', startMs + atMs, 0, 'x'.repeat(10));
    assert.deepEqual(keptOf(worker), range(3, 6));
  });

  test('gets the bytes of dropped entries back', () => {
    const worker = workerOf({ maxBytes: 1_000 });
    worker.append('output', 1, 0, 'x'.repeat(5_000));
    appendMany(worker, 15);
    assert.deepEqual(keptOf(worker), range(2, 16)); // 15 × 65 bytes
    appendMany(worker, 1);
    assert.deepEqual(keptOf(worker), range(3, 17));
  });

  test('overwrites its oldest entry again and again at its bound', () => {
    const worker = workerOf({ maxEntries: 1_024 });
    appendMany(worker, 5_000);
    assert.deepEqual(keptOf(worker), range(3_977, 5_000));
  });

  test('has nothing of a worker after its delete, and a late entry does no harm', () => {
    const store = new MemoryStore(WIDE);
    const worker = store.create(RECORD);
    appendMany(worker, 5);
    worker.delete();
    assert.deepEqual([worker.read(0, 10).items, [...store.list('')]], [[], []]);
    worker.append('emitted', 1, 0, 'null');
    worker.delete();
    assert.deepEqual([worker.read(0, 10).items, [...store.list('')]], [[], []]);
  });
});

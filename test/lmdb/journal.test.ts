import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import type { LmdbStore } from '../../lib/lmdb/store.ts';
import { endingOf, inputOf, recorded } from '../contract/store-inputs.ts';
import { RECORD } from '../contract/store.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { newStoreFile } from './open-store.ts';

/** Makes writing fail until the returned function is called; says how often it was tried. */
function failing(t: TestContext, store: LmdbStore): { readonly tries: () => number; readonly mend: () => void } {
  const write = t.mock.method(store.environment, 'write', () => Promise.reject(new Error('no space left')));
  return { tries: () => write.mock.callCount(), mend: () => write.mock.restore() };
}

describe('the journal', () => {
  test('shares one commit among all that comes within a turn, and among all that comes while it writes', async (t) => {
    const store = await newStoreFile(t).open();
    const { told } = recorded(store);
    const worker = store.create(RECORD);
    for (let seq = 1; seq <= 1_000; seq++) worker.accept(inputOf(seq));
    await store.committed();
    assert.deepEqual([store.figures().commits, told.length], [1, 1_000]);
    worker.accept(inputOf(1_001));
    const first = store.committed();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    for (let seq = 1_002; seq <= 2_000; seq++) worker.accept(inputOf(seq));
    await Promise.all([first, store.committed()]);
    assert.ok(store.figures().commits <= 3, `${store.figures().commits} commits`);
    assert.equal(told.length, 2_000);
  });

  test('tells nothing before it is on disk, and shows nothing', async (t) => {
    const store = await newStoreFile(t).open();
    const { told } = recorded(store);
    const worker = store.create(RECORD);
    worker.accept(inputOf(1));
    worker.saveState('1', 1);
    worker.saveRest('stopped', null);
    assert.deepEqual(
      [told, worker.lastSequence, worker.state, worker.rest, [...store.list('')], store.counts().size],
      [[], 0, null, 'hibernated', [], 0],
    );
    assert.ok(store.figures().pendingBytes > 0);
    await store.committed();
    assert.deepEqual([told.length, worker.lastSequence, worker.state, worker.rest], [1, 1, '1', 'stopped']);
    assert.equal(store.figures().pendingBytes, 0);
  });

  test('that cannot write refuses new inputs without a trace, keeps the rest, and writes it when it can', async (t) => {
    const file = newStoreFile(t);
    const store = await file.open();
    const { told } = recorded(store);
    const worker = store.create(RECORD);
    const [old, fresh, late] = [inputOf(1), inputOf(2), inputOf(3)];
    worker.accept(old);
    await store.committed();
    const disk = failing(t, store);
    worker.start(old);
    worker.accept(fresh);
    worker.start(fresh);
    worker.end(fresh, endingOf(fresh));
    worker.saveState('"kept"', 1);
    assert.equal(store.trouble, null);
    assert.equal(await codeOf(store.committed()), 'runtime_unavailable');
    const trouble = store.trouble as GreenroomError | null;
    assert.deepEqual(trouble?.details, { reason: 'store_failed' });
    assert.deepEqual(told.slice(1), [['refused', fresh, trouble]]);
    // Given by who has not heard of it: refused with the next effort.
    worker.accept(late);
    worker.end(old, endingOf(old));
    assert.equal(await codeOf(store.committed()), 'runtime_unavailable');
    await eventually(() => disk.tries() >= 2);
    await eventually(() => told.length === 3);
    assert.deepEqual(told[2]?.slice(0, 2), ['refused', late]);
    disk.mend();
    await eventually(() => store.trouble === null);
    await store.committed();
    assert.deepEqual(told.slice(3), [
      ['started', old],
      ['ended', old, endingOf(old)],
    ]);
    const view = (from: LmdbStore) => {
      const found = from.find(RECORD.workerId);
      const entries = found?.read(0, 10).items.map(({ type, inputSeq }) => [type, inputSeq]);
      return [found?.state, found?.inputs(), entries];
    };
    const expected = ['"kept"', [], [['input', 1], ['output', 1]]]; // prettier-ignore
    assert.deepEqual(view(store), expected);
    await store.close();
    assert.deepEqual(view(await file.open()), expected);
  });

  test('closes although it cannot write, and what was on disk is there', async (t) => {
    const file = newStoreFile(t);
    const store = await file.open();
    const { told } = recorded(store);
    const worker = store.create(RECORD);
    await store.committed();
    failing(t, store);
    worker.accept(inputOf(1));
    await store.close();
    assert.equal(told[0]?.[0], 'refused');
    const again = await file.open();
    assert.deepEqual(again.find(RECORD.workerId)?.inputs(), []);
  });
});

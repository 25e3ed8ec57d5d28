import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { GreenroomError } from '../../lib/errors.ts';
import { Peers } from '../../lib/functions/peers.ts';
import { MAX_PAGE_ITEMS } from '../../lib/limits.ts';
import type { WorkerStatus } from '../../lib/protocol/views.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import type { WorkerStore } from '../../lib/store/store.ts';
import { Directory, requireWorkerId } from '../../lib/supervisor/directory.ts';
import type { ListQuery } from '../../lib/supervisor/directory.ts';
import { peerOf } from '../support/peers.ts';
import { seeded } from '../support/seeded.ts';

interface Listed {
  workerId: string;
  kind: string;
  status: WorkerStatus;
}

const workerOf = (workerId: string, kind = 'echo', status: WorkerStatus = 'idle'): Listed => ({
  workerId,
  kind,
  status,
});

/** With a store that has the same workers. */
class StoredDirectory extends Directory<Listed> {
  readonly #store: MemoryStore;
  readonly #stored = new Map<Listed, WorkerStore>();

  constructor(peers?: Peers) {
    const store = new MemoryStore({ maxEntries: 1, maxBytes: 1, maxAgeMs: 1_000_000 });
    super(store, () => assert.fail('everything is loaded'), peers);
    this.#store = store;
  }

  override add(worker: Listed): void {
    const { workerId, kind } = worker;
    const record = { workerId, kind, displayName: null, config: '{}', createdAtMs: 1, state: null, parentId: null };
    this.#stored.set(worker, this.#store.create(record));
    super.add(worker);
  }

  override delete(worker: Listed): void {
    const isThere = this.isLoaded(worker);
    super.delete(worker);
    if (isThere) this.#stored.get(worker)?.delete();
  }
}

function directoryOf(workers: Iterable<Listed>): Directory<Listed> {
  const directory = new StoredDirectory();
  for (const worker of workers) directory.add(worker);
  return directory;
}

function listIds(directory: Directory<Listed>, query: ListQuery): { ids: string[]; nextAfter: string | null } {
  const { workers, nextAfter } = directory.list(query);
  return { ids: workers.map(({ workerId }) => workerId), nextAfter };
}

const refusal = (code: string, message: string) => (thrown: unknown) => {
  assert.ok(thrown instanceof GreenroomError);
  assert.deepEqual(thrown.toWire(), { code, message, retryable: false });
  return true;
};
const INVALID = refusal('invalid_worker_id', 'The worker id is not valid.');

describe('a worker id', () => {
  for (const id of ['a', '0', 'A.b_c:d-9', '.', '..', '__proto__', 'x'.repeat(128)]) {
    test(`such as ${id.slice(0, 20)} (${id.length} characters) is accepted`, () =>
      assert.equal(requireWorkerId(id), id));
  }
  for (const id of ['', 'x'.repeat(129), 'a b', 'a/b', 'a\n', '\na', 'a%20', 'ä', '😀', 'a\u0000']) {
    test(`such as ${JSON.stringify(id).slice(0, 20)} (${id.length} characters) is refused`, () =>
      assert.throws(() => requireWorkerId(id), INVALID));
  }
});

describe('a directory', () => {
  test('gives the worker of an id, and tells an unknown id from an impossible one', () => {
    const worker = workerOf('w1');
    const directory = directoryOf([worker]);
    assert.equal(directory.require('w1'), worker);
    assert.throws(() => directory.require('w2'), refusal('worker_not_found', 'There is no worker w2.'));
    assert.throws(() => directory.require('no such/id'), INVALID);
    assert.throws(() => directory.require('__proto__'), refusal('worker_not_found', 'There is no worker __proto__.'));
  });

  test('forgets a worker that is deleted, also in its listings', () => {
    const [a, b] = [workerOf('a'), workerOf('b')];
    const directory = directoryOf([a, b]);
    assert.deepEqual(listIds(directory, {}).ids, ['a', 'b']);
    directory.delete(a);
    directory.delete(a);
    assert.deepEqual([directory.size, directory.get('a'), listIds(directory, {}).ids], [1, undefined, ['b']]);
    assert.deepEqual([...directory.loaded()], [b]);
  });

  test('keeps the new worker of an id when the old one is deleted twice', () => {
    const [old, fresh] = [workerOf('a'), workerOf('a')];
    const directory = directoryOf([old]);
    directory.delete(old);
    directory.add(fresh);
    directory.delete(old);
    assert.equal(directory.get('a'), fresh);
  });
});

describe('a listing', () => {
  test('is in code unit order and ends without a next page', () => {
    const directory = directoryOf(['b', 'a', 'B', '10', '9', '_', '-'].map((id) => workerOf(id)));
    assert.deepEqual(listIds(directory, {}), { ids: ['-', '10', '9', 'B', '_', 'a', 'b'], nextAfter: null });
  });

  test('goes on after an id, whether or not there is a worker of that id', () => {
    const directory = directoryOf(['a', 'c', 'e'].map((id) => workerOf(id)));
    assert.deepEqual(listIds(directory, { after: 'c' }).ids, ['e']);
    assert.deepEqual(listIds(directory, { after: 'b' }).ids, ['c', 'e']);
    assert.deepEqual(listIds(directory, { after: '' }).ids, ['a', 'c', 'e']);
    assert.deepEqual(listIds(directory, { after: 'e' }), { ids: [], nextAfter: null });
  });

  test('names a next page only if it would hold something', () => {
    const directory = directoryOf(['a', 'b', 'c'].map((id) => workerOf(id)));
    assert.deepEqual(listIds(directory, { limit: 2 }), { ids: ['a', 'b'], nextAfter: 'b' });
    assert.deepEqual(listIds(directory, { limit: 2, after: 'a' }), { ids: ['b', 'c'], nextAfter: null });
    assert.deepEqual(listIds(directory, { limit: 3 }), { ids: ['a', 'b', 'c'], nextAfter: null });
  });

  test('holds 100 workers unless it is told otherwise, and never more than the limit of a page', () => {
    const directory = directoryOf(Array.from({ length: MAX_PAGE_ITEMS + 1 }, (_, n) => workerOf(String(n))));
    const lengths = [{}, { limit: MAX_PAGE_ITEMS }, { limit: MAX_PAGE_ITEMS + 1 }].map(
      (query) => directory.list(query).workers.length,
    );
    assert.deepEqual(lengths, [100, MAX_PAGE_ITEMS, MAX_PAGE_ITEMS]);
  });

  test('shows the status of now, not of when the worker was added', () => {
    const worker = workerOf('a');
    const directory = directoryOf([worker]);
    assert.deepEqual(listIds(directory, { status: 'failed' }).ids, []);
    worker.status = 'failed';
    assert.deepEqual(listIds(directory, { status: 'failed' }).ids, ['a']);
  });

  test('read page by page gives every worker that fits once, in order', (t) => {
    const workers = fc.uniqueArray(
      fc.record({
        workerId: fc.stringMatching(/^[A-Za-z0-9._:-]{1,4}$/),
        kind: fc.constantFrom('echo', 'counter'),
        status: fc.constantFrom<WorkerStatus>('idle', 'running', 'failed'),
      }),
      { selector: ({ workerId }) => workerId, maxLength: 60 },
    );
    const query = fc.record({
      limit: fc.integer({ min: 1, max: 10 }),
      kind: fc.constantFrom(undefined, 'echo', 'counter', 'none'),
      status: fc.constantFrom<WorkerStatus | undefined>(undefined, 'idle', 'failed', 'stopped'),
    });
    const property = fc.property(workers, query, (all, { limit, kind, status }) => {
      const directory = directoryOf(all);
      const expected = all
        .filter((worker) => (kind ?? worker.kind) === worker.kind && (status ?? worker.status) === worker.status)
        .map(({ workerId }) => workerId)
        .sort();
      const seen: string[] = [];
      for (let after: string | null | undefined = undefined; after !== null;) {
        const page: { ids: string[]; nextAfter: string | null } = listIds(directory, { limit, kind, status, after });
        assert.ok(page.ids.length === limit || page.nextAfter === null);
        seen.push(...page.ids);
        after = page.nextAfter;
      }
      assert.deepEqual(seen, expected);
    });
    fc.assert(property, seeded(t, 300));
  });
});

describe('a directory with peers', () => {
  const withPeers = (workers: Iterable<Listed>, ids: Iterable<string>) => {
    const peers = new Peers();
    for (const id of ids) peers.add(peerOf(id));
    const directory = new StoredDirectory(peers);
    for (const worker of workers) directory.add(worker);
    return directory;
  };

  test('refuses commands on a peer by name, after impossible ids', () => {
    const directory = withPeers([workerOf('w')], ['p']);
    assert.throws(() => directory.require('p'), { code: 'unsupported_operation' });
    assert.throws(() => directory.require('q'), { code: 'worker_not_found' });
    assert.throws(() => directory.requireNoPeer('p'), { code: 'worker_exists' });
    directory.requireNoPeer('q');
  });

  test('lists both in one order, page by page, whatever their ids', (t) => {
    const ids = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9._:-]{1,4}$/), { maxLength: 30 });
    const property = fc.property(ids, fc.array(fc.boolean()), fc.integer({ min: 1, max: 7 }), (all, kinds, limit) => {
      const isPeer = (_id: string, at: number) => kinds[at] === true;
      const directory = withPeers(
        all.filter((id, at) => !isPeer(id, at)).map((id) => workerOf(id)),
        all.filter(isPeer),
      );
      const listed: string[] = [];
      let after: string | undefined;
      do {
        const page = listIds(directory, { limit, after });
        assert.ok(page.ids.length === limit || page.nextAfter === null);
        listed.push(...page.ids);
        after = page.nextAfter ?? undefined;
      } while (after !== undefined);
      assert.deepEqual(listed, [...all].sort());
    });
    fc.assert(property, seeded(t, 300));
  });
});

// A store on disk with something of everything in it, and what is read of it again.

import { LmdbStore } from '../../lib/lmdb/store.ts';
import type { LmdbStoreOptions } from '../../lib/lmdb/store.ts';
import type { Ending, StoredInput, StoredTimer, WorkerStore } from '../../lib/store/store.ts';
import { deadLetterOf } from '../contract/store-families.ts';
import { codeOf } from '../support/start-runtime.ts';

export const NOW_MS = 1_790_000_000_000;
const TTL_MS = 24 * 3_600_000;

export function openStore(path: string, more: Partial<LmdbStoreOptions> = {}): Promise<LmdbStore> {
  return LmdbStore.open({
    path,
    limits: { maxEntries: 256, maxBytes: 1_048_576, maxAgeMs: Number.MAX_SAFE_INTEGER },
    idempotencyTtlMs: TTL_MS,
    now: () => NOW_MS,
    ...more,
  });
}

const REPEATS: readonly StoredTimer['repeat'][] = [{ cron: '0 9 * * 1-5', timeZone: 'Europe/Berlin' }, 60_000, null];

/** `onWritten` is called when all is in the journal, and nothing in the tables yet. */
export async function populate(path: string, workers: number, onWritten: () => void = () => undefined): Promise<void> {
  const store = await openStore(path);
  let seq = store.firstSeq;
  for (let n = 0; n < workers; n++) {
    const worker = store.create({
      workerId: `worker-${n}`,
      kind: n % 3 === 0 ? 'counter' : 'echo',
      displayName: n % 2 === 0 ? `Number ${n}` : null,
      // A large one has a row of its own.
      config: JSON.stringify({ n, text: n % 5 === 0 ? 'x'.repeat(300) : '' }),
      createdAtMs: NOW_MS + n,
      state: null,
      parentId: n % 3 === 2 ? `worker-${n - 2}` : null,
    });
    for (let i = 0; i < 5; i++) addInput(worker, seq++, i);
    worker.saveState(JSON.stringify({ n, text: 'state '.repeat(n % 40) }), 2);
    if (n % 4 === 0)
      worker.putTimer({
        timerId: 1,
        dueAtMs: NOW_MS + 60_000 + n,
        input: JSON.stringify({ due: n }),
        name: `timer ${n}`,
        repeat: REPEATS[n % REPEATS.length] ?? null,
        lastSeq: n,
      });
    if (n % 4 === 1) worker.saveIsolation('process');
    if (n % 5 === 0) worker.saveRest('stopped', null);
    if (n % 20 === 0) await store.committed();
  }
  store.putSource({ name: 'source', document: '{"a":1}', isFromOperator: false });
  store.putFunction({ functionId: 'functions::one', document: '{"b":2}' });
  for (const inputId of ['x-2', 'x-1']) store.putDeadLetter(deadLetterOf(inputId));
  await store.committed();
  onWritten();
  await store.close();
}

function addInput(worker: WorkerStore, seq: number, i: number): void {
  const input: StoredInput = {
    seq,
    payload: JSON.stringify({ seq, text: 'input '.repeat(i * 20) }),
    acceptedAtMs: NOW_MS,
    deadlineAtMs: 0,
    key: i % 2 === 1 ? { key: `key ${i}`, digest: `digest ${i}` } : null,
    attempt: 1,
    isVolatile: false,
  };
  worker.accept(input);
  if (i >= 4) return;
  worker.start(input);
  if (i < 3) worker.end(input, ending(seq));
}

function ending(seq: number): Ending {
  return {
    outcome: 'completed',
    output: JSON.stringify({ done: seq }),
    error: null,
    attempt: 1,
    acceptedAtMs: NOW_MS,
    startedAtMs: NOW_MS + 1,
    endedAtMs: NOW_MS + 2,
  };
}

/** What of a store is served, by what it is of; an error in a place is its code. */
export type Served = ReadonlyMap<string, string>;

/** Everything that can be read of a store, of the workers it lists and of those that are named. Rejects if it does not open. */
export async function readStore(path: string, workerIds: Iterable<string> = []): Promise<Served> {
  const store = await openStore(path);
  try {
    const served = new Map<string, string>();
    const tell = async (what: string, read: () => unknown) => {
      const code = await codeOf(Promise.resolve().then(() => void served.set(what, JSON.stringify(read()))));
      if (code !== undefined) served.set(what, code as string);
    };
    await tell('prefix', () => store.inputIdPrefix);
    await tell('counts', () => [...store.counts()].sort());
    await tell('sources', () => [...store.sources()]);
    await tell('functions', () => [...store.functions()]);
    await tell('dead letters', () => [...store.deadLetters()]);
    await tell('waiting', () => [...store.waiting()]);
    await tell('due', () => store.timersBefore(NOW_MS + 1_000_000, 10_000));
    const listed = new Map<string, unknown>();
    await tell('list', () => {
      for (const summary of store.list('')) listed.set(summary.workerId, summary);
      return listed.size;
    });
    for (const workerId of new Set([...listed.keys(), ...workerIds])) {
      if (listed.has(workerId)) await tell(`${workerId}: summary`, () => listed.get(workerId));
      const worker = store.find(workerId);
      await tell(`${workerId}: record`, () => worker && recordOf(worker));
      await tell(`${workerId}: children`, () => store.children(workerId));
      await tell(`${workerId}: entries`, () => worker?.read(0, 1_000));
      await tell(`${workerId}: inputs`, () => worker?.inputs());
      await tell(`${workerId}: timers`, () => worker?.timers());
      for (const key of ['key 1', 'key 3']) await tell(`${workerId}: ${key}`, () => worker?.keyed(key) ?? null);
    }
    return served;
  } finally {
    await store.close();
  }
}

function recordOf(worker: WorkerStore): unknown {
  const { kind, displayName, config, createdAtMs, state, stateVersion, rest, failure, parentId, isolation } = worker;
  return { kind, displayName, config, createdAtMs, state, stateVersion, rest, failure, parentId, isolation };
}

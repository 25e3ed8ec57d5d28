// What a durable store is to do, as plainly as it can be said: everything in arrays and maps, nothing ever forgotten but by the bound
// on entries. And one view of a store through its contract, to be compared with the model's, or with another store's.

import type { WireError } from '../../lib/errors.ts';
import type { Payload } from '../../lib/protocol/payload.ts';
import { payloadBytes } from '../../lib/protocol/payload.ts';
import type { EntryType, Isolation } from '../../lib/protocol/views.ts';
import { ENTRY_OF, entryData } from '../../lib/store/store.ts';
import type {
  DeadLetterRecord,
  Ending,
  KeyedInput,
  RestoredInput,
  Rest,
  Store,
  StoredEntry,
  StoredInput,
  StoredTimer,
  WorkerRecord,
} from '../../lib/store/store.ts';

/** All that can be read of a store, as plain values. */
export interface StoreView {
  readonly workers: readonly unknown[];
  readonly listing: readonly unknown[];
  readonly counts: unknown;
  readonly waiting: readonly string[];
  readonly due: readonly unknown[];
  readonly sources: readonly unknown[];
  readonly functions: readonly unknown[];
  readonly families: readonly unknown[];
  readonly deadLetters: readonly DeadLetterRecord[];
}

/** What is asked of every worker: inputs by seq, and keys. */
export interface Questions {
  readonly seqs: readonly number[];
  readonly keys: readonly string[];
  /** Ids of workers that are asked for their children, whether they are there or not. */
  readonly parents: readonly string[];
}

export class ModelWorker {
  readonly record: WorkerRecord;
  state: Payload | null;
  stateVersion = 0;
  rest: Rest = 'hibernated';
  failure: WireError | null = null;
  isolation: Isolation | null = null;
  entries: StoredEntry[] = [];
  lastSequence = 0;
  readonly open = new Map<number, RestoredInput>();
  readonly ended = new Map<number, Ending>();
  readonly keys = new Map<string, KeyedInput>();
  readonly timers = new Map<number, StoredTimer>();
  readonly #maxEntries: number;

  constructor(record: WorkerRecord, maxEntries: number) {
    this.record = record;
    this.state = record.state;
    this.#maxEntries = maxEntries;
  }

  accept(input: StoredInput): void {
    this.append('input', input.acceptedAtMs, input.seq, input.payload);
    if (input.isVolatile) return;
    this.open.set(input.seq, { ...input, isStarted: false });
    if (input.key !== null) this.keys.set(input.key.key, { seq: input.seq, digest: input.key.digest, ended: null });
  }

  start(input: StoredInput): void {
    if (!input.isVolatile) this.open.set(input.seq, { ...input, isStarted: true });
  }

  end(input: StoredInput, ending: Ending): void {
    this.append(ENTRY_OF[ending.outcome], ending.endedAtMs, input.seq, entryData(ending));
    this.ended.set(input.seq, ending);
    this.open.delete(input.seq);
    if (input.key === null || input.isVolatile) return;
    this.keys.set(input.key.key, { seq: input.seq, digest: input.key.digest, ended: { seq: input.seq, ...ending } });
  }

  append(type: EntryType, atMs: number, inputSeq: number, data: Payload): void {
    this.entries.push({ sequence: ++this.lastSequence, atMs, type, inputSeq, data });
    this.entries = this.entries.slice(-this.#maxEntries);
  }

  view({ seqs, keys }: Questions): unknown {
    const { record, state, stateVersion, rest, failure, isolation, lastSequence, entries } = this;
    return viewOf({
      record: { ...record, state },
      stateVersion,
      rest,
      failure,
      isolation,
      firstSequence: lastSequence - entries.length + 1,
      lastSequence,
      entries,
      inputs: [...this.open.values()],
      ended: seqs.map((seq) => this.#endedView(seq)),
      keyed: keys.map((key) => this.keys.get(key) ?? null),
      timers: [...this.timers.values()],
    });
  }

  get summary(): unknown {
    const { workerId, kind, displayName, createdAtMs } = this.record;
    const open = [...this.open.values()];
    const bytes = open.reduce((sum, { payload }) => sum + payloadBytes(payload), 0);
    return { workerId, kind, displayName, createdAtMs, rest: this.rest, waiting: { messages: open.length, bytes } };
  }

  /** Told as long as its entry is kept. */
  #endedView(seq: number): unknown {
    const isKept = this.entries.some(({ inputSeq, type }) => inputSeq === seq && ENDING_TYPES.has(type));
    const ending = this.ended.get(seq);
    return isKept && ending !== undefined ? { seq, ...ending } : null;
  }
}

const ENDING_TYPES = new Set<EntryType>(Object.values(ENTRY_OF));

export class Model {
  readonly workers = new Map<string, ModelWorker>();
  readonly sources = new Map<string, Payload>();
  readonly functions = new Map<string, Payload>();
  deadLetters: DeadLetterRecord[] = [];

  view(questions: Questions): StoreView {
    const workers = [...this.workers.values()].sort((a, b) => (a.record.workerId < b.record.workerId ? -1 : 1));
    const counts: Record<string, Record<Rest, number>> = {};
    for (const { record, rest } of workers) (counts[record.kind] ??= { hibernated: 0, stopped: 0, failed: 0 })[rest]++;
    return {
      workers: workers.map((worker) => worker.view(questions)),
      listing: workers.map(({ summary }) => summary),
      counts,
      waiting: workers.filter(({ open }) => open.size > 0).map(({ record }) => record.workerId),
      due: dueOf(
        workers.flatMap(({ record, timers }) =>
          Array.from(timers.values(), (timer) => ({ workerId: record.workerId, timer })),
        ),
      ),
      sources: sorted(this.sources),
      functions: sorted(this.functions),
      families: questions.parents.map((parentId) => this.#childrenOf(parentId)),
      deadLetters: this.deadLetters,
    };
  }

  /** Workers are in the order of their creation. */
  #childrenOf(parentId: string): string[] {
    const children = [...this.workers.values()].filter(({ record }) => record.parentId === parentId);
    return children.map(({ record }) => record.workerId);
  }
}

/** Loads every worker, and lets go of those that nobody holds. */
export function viewOfStore(store: Store, questions: Questions, isHeld: (workerId: string) => boolean): StoreView {
  const workers: unknown[] = [];
  const waiting: string[] = [];
  const listing = [...store.list('')];
  for (const { workerId } of listing) {
    const worker = store.find(workerId);
    if (worker === undefined) throw new Error(`${workerId} is listed, and cannot be found`);
    const { kind, displayName, config, createdAtMs, state, parentId, stateVersion, rest, failure, isolation } = worker;
    const inputs = worker.inputs();
    if (inputs.length > 0) waiting.push(workerId);
    workers.push(
      viewOf({
        record: { workerId, kind, displayName, config, createdAtMs, state, parentId },
        stateVersion,
        rest,
        failure,
        isolation,
        firstSequence: worker.firstSequence,
        lastSequence: worker.lastSequence,
        entries: worker.read(0, 10_000).items,
        inputs,
        ended: questions.seqs.map((seq) => worker.ended(seq) ?? null),
        keyed: questions.keys.map((key) => worker.keyed(key) ?? null),
        timers: worker.timers(),
      }),
    );
    if (!isHeld(workerId)) store.unload(worker);
  }
  return {
    workers,
    listing,
    counts: Object.fromEntries(store.counts()),
    waiting,
    due: dueOf(store.timersBefore(Number.MAX_SAFE_INTEGER, 1_000)),
    sources: Array.from(store.sources(), ({ name, document }) => [name, document]),
    functions: Array.from(store.functions(), ({ functionId, document }) => [functionId, document]),
    families: questions.parents.map((parentId) => store.children(parentId)),
    deadLetters: [...store.deadLetters()],
  };
}

interface WorkerView {
  readonly record: WorkerRecord;
  readonly inputs: readonly RestoredInput[];
  readonly timers: readonly StoredTimer[];
  readonly [more: string]: unknown;
}

/** Timers have no order of their own. */
function viewOf(view: WorkerView): WorkerView {
  return { ...view, timers: [...view.timers].sort((a, b) => a.timerId - b.timerId) };
}

type Due = { readonly workerId: string; readonly timer: StoredTimer };

/** Equal times come in any order. */
function dueOf(due: readonly Due[]): readonly Due[] {
  const key = ({ workerId, timer }: Due) => `${String(timer.dueAtMs).padStart(20, '0')} ${workerId} ${timer.timerId}`;
  return [...due].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function sorted(records: ReadonlyMap<string, Payload>): [string, Payload][] {
  return [...records].sort(([a], [b]) => (a < b ? -1 : 1));
}

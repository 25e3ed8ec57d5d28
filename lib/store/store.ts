// The contract of a store: what outlives a worker's host, and with a durable store, the process.
//
// A store takes what happens to workers in the order in which it happens, and applies it in groups: what is given to it within one
// turn of the event loop is one group, and either all of a group is kept or nothing of it. What is read (records, transcripts,
// outcomes) shows whole groups only. A store that keeps nothing applies everything at once; a durable one when it is on disk.
//
//   given:    accept start  save end append …  │ accept …  │         applied, in this order, when the group is on disk:
//             └──────────── one group ───────┘ └─ the next ─▶  ──▶   entries can be read · StoreEvents are told · `committed` resolves
//
// A group that cannot be written is tried again until it can. Inputs in it whose acceptance is not on disk are not tried again: they
// are refused and leave no trace, except those that other inputs have caused. Meanwhile the store says so (`trouble`), and nothing new should be given to it.

import type { GreenroomError, WireError } from '../errors.ts';
import type { PackedText } from '../protocol/packed.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Repeat } from '../protocol/schedule.ts';
import type { EntryType, Isolation, Outcome } from '../protocol/views.ts';

// --- inputs ---

/** An idempotency key and the digest of the input that it was first used for. */
export interface InputKey {
  readonly key: string;
  readonly digest: string;
}

/** How an input ended, or is about to. */
export interface Ending {
  readonly outcome: Outcome;
  /** Encoded; null unless the outcome is `completed`. */
  readonly output: Payload | null;
  readonly error: WireError | null;
  readonly attempt: number;
  readonly acceptedAtMs: number;
  /** 0 if it never started, or its host died before it could tell. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** What is known of an input that has ended. */
export interface EndedInput extends Ending {
  readonly seq: number;
}

/** An accepted input. The store is given the same object in every call about it, and gives it back with each event. */
export interface StoredInput {
  readonly seq: number;
  readonly payload: Payload;
  readonly acceptedAtMs: number;
  /** 0: it waits as long as it takes. */
  readonly deadlineAtMs: number;
  readonly key: InputKey | null;
  /** Which run of it is the next, from 1. */
  readonly attempt: number;
  /** Kept in memory only: its acceptance is not stored and nobody waits for the disk; what it leaves is stored with the next group. */
  readonly isVolatile: boolean;
  /** An effect of another input: it is kept with that one's outcome, and so it is never refused. */
  readonly isCaused?: boolean;
}

/** An input that had no outcome when the store was opened, or its worker was put away. */
export interface RestoredInput extends StoredInput {
  /** It had been given to a host: it may have run. */
  readonly isStarted: boolean;
}

/** What an idempotency key was used for. */
export interface KeyedInput {
  readonly seq: number;
  readonly digest: string;
  /** Null while it has no outcome. */
  readonly ended: EndedInput | null;
}

// --- workers ---

/** What a worker is made from. */
export interface WorkerRecord {
  readonly workerId: string;
  readonly kind: string;
  readonly displayName: string | null;
  readonly config: Payload;
  readonly createdAtMs: number;
  /** The state after the last completed input; null before the first start and for actors without state. */
  readonly state: Payload | null;
  /** The worker that created it; null for one that was created from outside. */
  readonly parentId: string | null;
}

/** What a worker is while it is on no host, and what it is again after a restart of the process. */
export type Rest = 'hibernated' | 'stopped' | 'failed';

export interface StoredEntry {
  readonly sequence: number;
  readonly atMs: number;
  readonly type: EntryType;
  /** Number of the input that the entry is about, 0 if it is about none. */
  readonly inputSeq: number;
  /** One encoded JSON value. */
  readonly data: Payload;
}

export interface StoredPage {
  readonly items: readonly StoredEntry[];
  /** Sequence of the last item, or the `after` that was asked for. */
  readonly nextAfter: number;
  readonly hasMore: boolean;
}

/** An input that its worker sends to itself at a time. */
export interface StoredTimer {
  /** Given by the supervisor; unique for the worker. */
  readonly timerId: number;
  readonly dueAtMs: number;
  readonly input: Payload;
  /** What its worker calls it by; unique among the timers of a worker. */
  readonly name: string;
  /** When it fires again and again; null for one that fires once. */
  readonly repeat: Repeat | null;
  /** Number of the input that it has sent last; 0 if it has not yet. */
  readonly lastSeq: number;
}

/** One worker's place in a store. The calls that change something belong to the group at hand; see above. */
export interface WorkerStore extends WorkerRecord {
  /** Version of the actor that the state is of; 0 if it has none. */
  readonly stateVersion: number;
  /** State and version as they were given last, whether that is applied or not: what its host goes on from. */
  readonly givenState: Payload | null;
  readonly givenVersion: number;
  /** All that was given of it is applied. */
  readonly isSettled: boolean;
  readonly rest: Rest;
  /** Why it is `failed`; null otherwise. */
  readonly failure: WireError | null;
  /** Sequences of the oldest entry that is kept and of the newest; 1 and 0 if there has been none. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** What it runs on if that is not what its actor says: it was promoted. As it was given last, whether that is applied or not. */
  readonly isolation: Isolation | null;
  /** Rough bytes of memory that it takes while it is loaded: its state, and what is not on disk in its place. */
  readonly heldBytes: number;

  /** Accepts an input, with its `input` entry. */
  accept(input: StoredInput): void;
  /** Reserves a run of it: it may be given to a host once `started` is told. */
  start(input: StoredInput): void;
  /** Takes back a run that certainly did not begin: the input waits again, as if it had not been started. */
  recall(input: StoredInput): void;
  /** Ends it, with the entry of its outcome. */
  end(input: StoredInput, ending: Ending): void;
  /** Does nothing if the state and its version are what they were, byte by byte. */
  saveState(state: Payload, stateVersion: number): void;
  saveRest(rest: Rest, failure: WireError | null): void;
  saveIsolation(isolation: Isolation | null): void;
  /** Appends to the transcript, which is numbered without gaps from 1; the oldest entries beyond the bounds are dropped. */
  append(type: EntryType, atMs: number, inputSeq: number, data: Payload): void;
  putTimer(timer: StoredTimer): void;
  /** Does nothing when there is none. */
  deleteTimer(timerId: number): void;
  /** Erases everything of the worker. */
  delete(): void;

  /** Entries with a sequence above `after`, oldest first. Starts at the oldest kept if those in between were dropped. */
  read(after: number, limit: number): StoredPage;
  /** Inputs without an outcome, in the order of their acceptance; for a worker that was just loaded. */
  inputs(): RestoredInput[];
  /** An input that has ended, as long as its entry is kept. */
  ended(seq: number): EndedInput | undefined;
  /** As long as the key is remembered. */
  keyed(key: string): KeyedInput | undefined;
  /** As they were given, whether that is applied or not. */
  timers(): StoredTimer[];
}

/** A worker in a listing, whether it is loaded or not. */
export interface StoredSummary extends Pick<WorkerRecord, 'workerId' | 'kind' | 'displayName' | 'createdAtMs'> {
  readonly rest: Rest;
  /** Inputs without an outcome, and their bytes. */
  readonly waiting: { readonly messages: number; readonly bytes: number };
}

// --- the whole ---

/** A source that somebody made while the runtime ran. */
export interface SourceRecord {
  readonly name: string;
  /** What it was made from: encoded, and packed. */
  readonly document: PackedText;
  readonly isFromOperator: boolean;
}

/** A function over HTTP that a Backend registered while the runtime ran. */
export interface FunctionRecord {
  readonly functionId: string;
  /** What it was made from: encoded, and packed. */
  readonly document: PackedText;
}

/** An input that is not delivered again. */
export interface DeadLetterRecord {
  readonly inputId: string;
  readonly workerId: string;
  readonly kind: string;
  readonly payload: Payload;
  readonly attempts: number;
  readonly error: WireError;
  readonly acceptedAtMs: number;
  readonly endedAtMs: number;
}

/** Told in the order in which it was given, for each input whose group is applied. Must not throw. */
export interface StoreEvents {
  /** Its acceptance is kept: it may be acknowledged. */
  accepted(input: StoredInput): void;
  /** It was given to `accept`, and could not be kept: it has never been there. */
  refused(input: StoredInput, error: GreenroomError): void;
  /** Its run is reserved. */
  started(input: StoredInput): void;
  /** Its outcome is kept. */
  ended(input: StoredInput, ending: Ending): void;
}

/** Sizes and speed of a durable store. */
export interface StoreFigures {
  readonly fileBytes: number;
  /** What is given and not yet on disk. */
  readonly pendingBytes: number;
  /** What is on disk, and not yet in its place. */
  readonly journalBytes: number;
  readonly commits: number;
  /** From a group's writing to its end, of the last thousand or so. */
  readonly commitMs: { readonly p50: number; readonly p99: number };
}

export interface Store {
  readonly kind: 'memory' | 'lmdb';
  readonly isDurable: boolean;
  /** Why it cannot write now (`runtime_unavailable`, with `details.reason` `store_failed`); null while it can. */
  readonly trouble: GreenroomError | null;
  /** Rough: of what is given and not kept yet. */
  readonly pendingBytes: number;
  /** What the ids of its inputs begin with; the same for as long as the store lives. */
  readonly inputIdPrefix: string;
  /** Number of the first input of this run: above all that any earlier run has given. */
  readonly firstSeq: number;
  /** To be called once, before anything is given to it. */
  connect(events: StoreEvents): void;

  // --- workers ---

  /** How many workers there are, by kind and rest. */
  counts(): ReadonlyMap<string, Readonly<Record<Rest, number>>>;
  /** Loads a worker, or finds the one that is loaded. One whose records cannot be read is `failed`, with `store_corrupt`. */
  find(workerId: string): WorkerStore | undefined;
  /** All workers with an id above `after`, ascending in code unit order. */
  list(after: string): Iterable<StoredSummary>;
  create(record: WorkerRecord): WorkerStore;
  /** Ids of the workers that a worker has created and that `find` finds, in the order of their creation. None of them is loaded. */
  children(parentId: string): readonly string[];
  /** The worker is not used until it is found again; nothing of it has to be kept in memory. */
  unload(worker: WorkerStore): void;
  /** Workers that had inputs without an outcome when the store was opened, ascending. */
  waiting(): Iterable<string>;
  /** Timers that are due before a time, the earliest first, with their workers. */
  timersBefore(atMs: number, limit: number): { readonly workerId: string; readonly timer: StoredTimer }[];

  // --- what a runtime keeps beside its workers ---

  /** Ascending by name, in code unit order. */
  sources(): Iterable<SourceRecord>;
  /** Replaces the record of that name. */
  putSource(record: SourceRecord): void;
  /** Does nothing when there is none. */
  deleteSource(name: string): void;
  /** Ascending by id, in code unit order. */
  functions(): Iterable<FunctionRecord>;
  putFunction(record: FunctionRecord): void;
  deleteFunction(functionId: string): void;
  /** In the order in which they were put; one that is put again is the newest. */
  deadLetters(): Iterable<DeadLetterRecord>;
  putDeadLetter(record: DeadLetterRecord): void;
  deleteDeadLetter(inputId: string): void;

  // --- the disk ---

  /** Resolves when all that was given so far is kept. Rejects with `trouble` if that cannot be done now; it is tried again. */
  committed(): Promise<void>;
  /** Null for a store that keeps nothing. */
  figures(): StoreFigures | null;
  /** Writes what can be written. */
  close(): Promise<void>;
}

/** Bounds of one transcript. The newest entry is kept whatever its size and age. */
export interface TranscriptBounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
  /** Entries that are older than this, by the store's clock, are not given any more. A store on disk drops those together that it keeps together: when the youngest of them is too old. */
  readonly maxAgeMs: number;
}

/** Every outcome has an entry; what was never run, or not to its end, is told apart by the entry's data. */
export const ENTRY_OF = {
  completed: 'output',
  failed: 'failed',
  unknown: 'failed',
  cancelled: 'cancelled',
  expired: 'cancelled',
} as const satisfies Record<Outcome, EntryType>;

/** Data of the entry of an outcome. */
export function entryData({ output, error }: Pick<Ending, 'output' | 'error'>): Payload {
  return output ?? JSON.stringify(error);
}

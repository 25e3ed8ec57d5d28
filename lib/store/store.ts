// The contract of a store: what outlives a worker's host, and with a durable store, the process. One handle per worker, so
// that the hot path looks nothing up. Transcript entries are numbered by the store, without gaps, from 1.

import type { EntryType } from '../protocol/views.ts';
import type { PackedText } from '../protocol/packed.ts';
import type { Payload } from '../protocol/payload.ts';

/** What is known of a worker apart from its inputs. Only its state ever changes. */
export interface WorkerRecord {
  readonly workerId: string;
  readonly kind: string;
  readonly displayName: string | null;
  readonly config: Payload;
  readonly createdAtMs: number;
  /** The state after the last completed input; null before the first start and for actors without state. */
  readonly state: Payload | null;
}

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

/** One worker's place in a store: its record as it stands, and its transcript. */
export interface WorkerStore extends WorkerRecord {
  /** Sequence of the newest entry, 0 if there is none. */
  readonly lastSequence: number;
  saveState(state: Payload): void;
  /** Appends to the transcript; the oldest entries beyond the bounds are dropped. Returns the entry's sequence. */
  append(type: EntryType, atMs: number, inputSeq: number, data: Payload): number;
  /** Entries with a sequence above `after`, oldest first. Starts at the oldest kept if those in between were dropped. */
  read(after: number, limit: number): StoredPage;
  /** Erases everything of the worker. */
  delete(): void;
}

/** A source that somebody made while the runtime ran. */
export interface SourceRecord {
  readonly name: string;
  /** What it was made from: encoded, and packed. */
  readonly document: PackedText;
  readonly isFromOperator: boolean;
}

export interface Store {
  readonly kind: 'memory';
  /** Handles of all workers in the store. */
  workers(): Iterable<WorkerStore>;
  create(record: WorkerRecord): WorkerStore;
  /** Ascending by name, in code unit order. */
  sources(): Iterable<SourceRecord>;
  /** Replaces the record of that name. */
  putSource(record: SourceRecord): void;
  /** Does nothing when there is none. */
  deleteSource(name: string): void;
  close(): Promise<void>;
}

/** Bounds of one transcript. The newest entry is kept whatever its size. */
export interface TranscriptBounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

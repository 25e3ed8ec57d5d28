// The store without a disk: everything is gone when the process ends. A transcript is a ring that grows to its bound and
// then overwrites its oldest entry; an idle worker that was never sent anything has a ring of a few places.
// The ring is kept in columns: an object per entry, two for each input, is what the garbage collector would spend its time on.

import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { ENTRY_TYPES } from '../protocol/views.ts';
import type { EntryType } from '../protocol/views.ts';
import type { Store, StoredEntry, StoredPage, TranscriptBounds, WorkerRecord, WorkerStore } from './store.ts';

export class MemoryStore implements Store {
  readonly kind = 'memory';
  readonly #bounds: TranscriptBounds;
  readonly #workers = new Set<MemoryWorkerStore>();

  constructor(bounds: TranscriptBounds) {
    this.#bounds = bounds;
  }

  workers(): Iterable<WorkerStore> {
    return this.#workers;
  }

  create(record: WorkerRecord): WorkerStore {
    const worker = new MemoryWorkerStore(record, this.#bounds, () => this.#workers.delete(worker));
    this.#workers.add(worker);
    return worker;
  }

  async close(): Promise<void> {
    this.#workers.clear();
  }
}

/** Rough size of an entry beside its data. */
const ENTRY_OVERHEAD_BYTES = 64;
const FIRST_CAPACITY = 2;
/** Columns of numbers. */
const NUMBERS = 3;

class MemoryWorkerStore implements WorkerStore {
  #record: WorkerRecord;
  readonly #bounds: TranscriptBounds;
  readonly #onDelete: () => void;
  //   sequence:   first            last
  //   columns:  [  first % n  …  last % n ]   n is a power of two
  #capacity = 0;
  /** Three per entry: its time, the number of its input, and its size: the data itself has long left the caches when it is dropped. */
  #numbers = new Float64Array(0);
  /** Index into ENTRY_TYPES. */
  #types = new Uint8Array(0);
  #data: (Payload | undefined)[] = [];
  #first = 1;
  #last = 0;
  #bytes = 0;

  constructor(record: WorkerRecord, bounds: TranscriptBounds, onDelete: () => void) {
    this.#record = record;
    this.#bounds = bounds;
    this.#onDelete = onDelete;
  }

  get lastSequence(): number {
    return this.#last;
  }

  load(): WorkerRecord {
    return this.#record;
  }

  save(record: WorkerRecord): void {
    this.#record = record;
  }

  append(type: EntryType, atMs: number, inputSeq: number, data: Payload): number {
    const sequence = ++this.#last;
    const size = sizeOf(data);
    this.#bytes += size;
    // Before the ring grows: at its bound it must not.
    while (this.#first < sequence && this.#isOverBounds()) this.#dropOldest();
    if (sequence - this.#first >= this.#capacity) this.#grow();
    const at = sequence & (this.#capacity - 1);
    this.#numbers[NUMBERS * at] = atMs;
    this.#numbers[NUMBERS * at + 1] = inputSeq;
    this.#numbers[NUMBERS * at + 2] = size;
    this.#types[at] = TYPE_INDEX[type];
    this.#data[at] = data;
    return sequence;
  }

  read(after: number, limit: number): StoredPage {
    const from = Math.max(after + 1, this.#first);
    const to = Math.min(this.#last, from + limit - 1);
    const items: StoredEntry[] = [];
    for (let sequence = from; sequence <= to; sequence++) items.push(this.#entry(sequence));
    return { items, nextAfter: items.at(-1)?.sequence ?? after, hasMore: to < this.#last };
  }

  delete(): void {
    this.#resize(0);
    this.#first = this.#last + 1;
    this.#bytes = 0;
    this.#onDelete();
  }

  #entry(sequence: number): StoredEntry {
    const at = sequence & (this.#capacity - 1);
    return {
      sequence,
      atMs: this.#numbers[NUMBERS * at] ?? 0,
      type: ENTRY_TYPES[this.#types[at] ?? 0] ?? 'created',
      inputSeq: this.#numbers[NUMBERS * at + 1] ?? 0,
      data: this.#data[at] ?? 'null',
    };
  }

  #isOverBounds(): boolean {
    return this.#last - this.#first + 1 > this.#bounds.maxEntries || this.#bytes > this.#bounds.maxBytes;
  }

  #dropOldest(): void {
    const at = this.#first++ & (this.#capacity - 1);
    this.#bytes -= this.#numbers[NUMBERS * at + 2] ?? 0;
    this.#data[at] = undefined;
  }

  #grow(): void {
    const entries: StoredEntry[] = [];
    for (let sequence = this.#first; sequence < this.#last; sequence++) entries.push(this.#entry(sequence));
    this.#resize(Math.max(FIRST_CAPACITY, this.#capacity * 2));
    for (const { sequence, atMs, type, inputSeq, data } of entries) {
      const at = sequence & (this.#capacity - 1);
      this.#numbers[NUMBERS * at] = atMs;
      this.#numbers[NUMBERS * at + 1] = inputSeq;
      this.#numbers[NUMBERS * at + 2] = sizeOf(data);
      this.#types[at] = TYPE_INDEX[type];
      this.#data[at] = data;
    }
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    this.#numbers = new Float64Array(NUMBERS * capacity);
    this.#types = new Uint8Array(capacity);
    this.#data = new Array<Payload | undefined>(capacity).fill(undefined);
  }
}

const TYPE_INDEX = Object.fromEntries(ENTRY_TYPES.map((type, index) => [type, index])) as Record<EntryType, number>;

/** What an entry costs; a string's length stands for its bytes here, because this bounds memory, not messages. */
function sizeOf(data: Payload): number {
  return ENTRY_OVERHEAD_BYTES + (typeof data === 'string' ? data.length : payloadBytes(data));
}

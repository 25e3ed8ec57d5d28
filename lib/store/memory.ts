// The store without a disk: everything is gone when the process ends. A transcript is a ring that grows to its bound and
// then overwrites its oldest entry; an idle worker that was never sent anything has a ring of a few places.

import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
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
const FIRST_CAPACITY = 4;

class MemoryWorkerStore implements WorkerStore {
  #record: WorkerRecord;
  readonly #bounds: TranscriptBounds;
  readonly #onDelete: () => void;
  //   sequence:   first            last
  //   ring:     [  first % n  …  last % n ]   n is a power of two
  #ring: (StoredEntry | undefined)[] = [];
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

  append(type: EntryType, atMs: number, inputId: string | null, data: Payload): number {
    const sequence = ++this.#last;
    this.#bytes += sizeOf(data);
    // Room is made first, so that a ring at its bound does not grow.
    while (this.#first < sequence && this.#isOverBounds()) this.#dropOldest();
    if (sequence - this.#first >= this.#ring.length) this.#grow();
    this.#ring[sequence & (this.#ring.length - 1)] = { sequence, atMs, type, inputId, data };
    return sequence;
  }

  read(after: number, limit: number): StoredPage {
    const from = Math.max(after + 1, this.#first);
    const to = Math.min(this.#last, from + limit - 1);
    const items: StoredEntry[] = [];
    for (let sequence = from; sequence <= to; sequence++) {
      const entry = this.#ring[sequence & (this.#ring.length - 1)];
      if (entry !== undefined) items.push(entry);
    }
    return { items, nextAfter: items.at(-1)?.sequence ?? after, hasMore: to < this.#last };
  }

  delete(): void {
    this.#ring = [];
    this.#first = this.#last + 1;
    this.#bytes = 0;
    this.#onDelete();
  }

  #isOverBounds(): boolean {
    return this.#last - this.#first + 1 > this.#bounds.maxEntries || this.#bytes > this.#bounds.maxBytes;
  }

  #dropOldest(): void {
    const at = this.#first++ & (this.#ring.length - 1);
    const entry = this.#ring[at];
    if (entry !== undefined) this.#bytes -= sizeOf(entry.data);
    this.#ring[at] = undefined;
  }

  #grow(): void {
    const old = this.#ring;
    this.#ring = new Array<StoredEntry | undefined>(Math.max(FIRST_CAPACITY, old.length * 2));
    for (let sequence = this.#first; sequence < this.#last; sequence++) {
      this.#ring[sequence & (this.#ring.length - 1)] = old[sequence & (old.length - 1)];
    }
  }
}

/** What an entry costs; a string's length stands for its bytes here, because this bounds memory, not messages. */
function sizeOf(data: Payload): number {
  return ENTRY_OVERHEAD_BYTES + (typeof data === 'string' ? data.length : payloadBytes(data));
}

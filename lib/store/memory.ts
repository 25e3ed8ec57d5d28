// The store without a disk: everything is gone when the process ends. One object per worker, and no more until something
// happens to the worker: its `created` entry says what its record says already, so only the entry's data is kept.

import type { Payload } from '../protocol/payload.ts';
import type { EntryType } from '../protocol/views.ts';
import type { Store, StoredPage, TranscriptBounds, WorkerRecord, WorkerStore } from './store.ts';
import { Transcript } from './transcript.ts';

export class MemoryStore implements Store {
  readonly kind = 'memory';
  readonly bounds: TranscriptBounds;
  readonly #workers = new Set<MemoryWorkerStore>();

  constructor(bounds: TranscriptBounds) {
    this.bounds = bounds;
  }

  workers(): Iterable<WorkerStore> {
    return this.#workers;
  }

  create(record: WorkerRecord): WorkerStore {
    const worker = new MemoryWorkerStore(record, this);
    this.#workers.add(worker);
    return worker;
  }

  /** For a worker's own `delete`. */
  forget(worker: WorkerStore): void {
    this.#workers.delete(worker as MemoryWorkerStore);
  }

  async close(): Promise<void> {
    this.#workers.clear();
  }
}

class MemoryWorkerStore implements WorkerStore {
  #record: WorkerRecord;
  readonly #store: MemoryStore;
  /** The data of its `created` entry while that is the only one: most of a million idle workers have no other. */
  #transcript: Transcript | Payload | null = null;

  constructor(record: WorkerRecord, store: MemoryStore) {
    this.#record = record;
    this.#store = store;
  }

  get lastSequence(): number {
    if (this.#transcript instanceof Transcript) return this.#transcript.lastSequence;
    return this.#transcript === null ? 0 : 1;
  }

  load(): WorkerRecord {
    return this.#record;
  }

  save(record: WorkerRecord): void {
    // The entry that is derived from the record must not change with it.
    if (record.createdAtMs !== this.#record.createdAtMs && this.lastSequence === 1) this.#fullTranscript();
    this.#record = record;
  }

  append(type: EntryType, atMs: number, inputSeq: number, data: Payload): number {
    if (this.#transcript === null && type === 'created' && inputSeq === 0 && atMs === this.#record.createdAtMs) {
      this.#transcript = data;
      return 1;
    }
    return this.#fullTranscript().append(type, atMs, inputSeq, data);
  }

  read(after: number, limit: number): StoredPage {
    if (this.#transcript instanceof Transcript) return this.#transcript.read(after, limit);
    if (this.#transcript === null || after > 0) return { items: [], nextAfter: after, hasMore: false };
    const { createdAtMs } = this.#record;
    const created = { sequence: 1, atMs: createdAtMs, type: 'created', inputSeq: 0, data: this.#transcript } as const;
    return { items: [created], nextAfter: 1, hasMore: false };
  }

  delete(): void {
    this.#transcript = null;
    this.#store.forget(this);
  }

  #fullTranscript(): Transcript {
    if (this.#transcript instanceof Transcript) return this.#transcript;
    const transcript = new Transcript(this.#store.bounds);
    if (this.#transcript !== null) transcript.append('created', this.#record.createdAtMs, 0, this.#transcript);
    this.#transcript = transcript;
    return transcript;
  }
}

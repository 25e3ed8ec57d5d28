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

/** The record itself, not an object beside it: 32 of the 390 bytes of an idle worker, and no new record for each state. */
class MemoryWorkerStore implements WorkerStore {
  readonly workerId: string;
  readonly kind: string;
  readonly displayName: string | null;
  readonly config: Payload;
  readonly createdAtMs: number;
  state: Payload | null;
  readonly #store: MemoryStore;
  /** The data of its `created` entry while that is the only one: most of a million idle workers have no other. */
  #transcript: Transcript | Payload | null = null;

  constructor(record: WorkerRecord, store: MemoryStore) {
    this.workerId = record.workerId;
    this.kind = record.kind;
    this.displayName = record.displayName;
    this.config = record.config;
    this.createdAtMs = record.createdAtMs;
    this.state = record.state;
    this.#store = store;
  }

  get lastSequence(): number {
    if (this.#transcript instanceof Transcript) return this.#transcript.lastSequence;
    return this.#transcript === null ? 0 : 1;
  }

  saveState(state: Payload): void {
    this.state = state;
  }

  append(type: EntryType, atMs: number, inputSeq: number, data: Payload): number {
    if (this.#transcript === null && type === 'created' && inputSeq === 0 && atMs === this.createdAtMs) {
      this.#transcript = data;
      return 1;
    }
    return this.#fullTranscript().append(type, atMs - this.createdAtMs, inputSeq, data);
  }

  read(after: number, limit: number): StoredPage {
    if (!(this.#transcript instanceof Transcript)) return this.#readCreated(after);
    const page = this.#transcript.read(after, limit);
    for (const item of page.items) item.atMs += this.createdAtMs;
    return page;
  }

  delete(): void {
    this.#transcript = null;
    this.#store.forget(this);
  }

  #readCreated(after: number): StoredPage {
    if (this.#transcript === null || after > 0) return { items: [], nextAfter: after, hasMore: false };
    const { createdAtMs: atMs } = this;
    const created = { sequence: 1, atMs, type: 'created', inputSeq: 0, data: this.#transcript as Payload } as const;
    return { items: [created], nextAfter: 1, hasMore: false };
  }

  /** Made when there is more than one entry. */
  #fullTranscript(): Transcript {
    if (this.#transcript instanceof Transcript) return this.#transcript;
    const transcript = new Transcript(this.#store.bounds);
    if (this.#transcript !== null) transcript.append('created', 0, 0, this.#transcript);
    this.#transcript = transcript;
    return transcript;
  }
}

// The store without a disk: everything is gone when the process ends.

import { randomBytes } from 'node:crypto';
import { Log } from './log.ts';
import { MemoryWorkerStore } from './memory-worker.ts';
import { SortedWorkers } from './sorted-workers.ts';
import type {
  DeadLetterRecord,
  FunctionRecord,
  Rest,
  SourceRecord,
  Store,
  StoredSummary,
  StoreEvents,
  TranscriptBounds,
  WorkerRecord,
  WorkerStore,
} from './store.ts';

export class MemoryStore implements Store {
  readonly kind = 'memory';
  readonly isDurable = false;
  readonly trouble = null;
  readonly pendingBytes = 0;
  /** Unlike that of an earlier run, so that an old id finds nothing instead of another input. */
  readonly inputIdPrefix = `${Date.now().toString(36)}${randomBytes(4).toString('hex')}-`;
  readonly firstSeq = 1;
  readonly bounds: TranscriptBounds;
  readonly now: () => number;
  readonly log = new Log();
  events!: StoreEvents;
  #workers = new SortedWorkers<MemoryWorkerStore>();
  readonly #sources = new Map<string, SourceRecord>();
  readonly #functions = new Map<string, FunctionRecord>();
  readonly #deadLetters = new Map<string, DeadLetterRecord>();
  readonly #children = new Map<string, Set<string>>();

  /** `now`: epoch ms, for the ages of entries. */
  constructor(bounds: TranscriptBounds, now: () => number = () => Date.now()) {
    this.bounds = bounds;
    this.now = now;
  }

  connect(events: StoreEvents): void {
    this.events = events;
  }

  /** Nobody was there before. */
  counts(): ReadonlyMap<string, Readonly<Record<Rest, number>>> {
    return new Map();
  }

  find(workerId: string): WorkerStore | undefined {
    return this.#workers.get(workerId);
  }

  list(after: string): Iterable<StoredSummary> {
    return this.#workers.after(after);
  }

  create(record: WorkerRecord): WorkerStore {
    const worker = new MemoryWorkerStore(record, this);
    this.#workers.add(worker);
    const { parentId, workerId } = record;
    if (parentId !== null) {
      const siblings = this.#children.get(parentId) ?? new Set();
      this.#children.set(parentId, siblings.add(workerId));
    }
    return worker;
  }

  children(parentId: string): readonly string[] {
    return [...(this.#children.get(parentId) ?? [])];
  }

  /** There is no other place for it. */
  unload(): void {}

  waiting(): Iterable<string> {
    return [];
  }

  timersBefore(): [] {
    return [];
  }

  functions(): Iterable<FunctionRecord> {
    return [...this.#functions.values()].sort((a, b) => (a.functionId < b.functionId ? -1 : 1));
  }

  putFunction(record: FunctionRecord): void {
    this.#functions.set(record.functionId, record);
  }

  deleteFunction(functionId: string): void {
    this.#functions.delete(functionId);
  }

  deadLetters(): Iterable<DeadLetterRecord> {
    return [...this.#deadLetters.values()];
  }

  putDeadLetter(record: DeadLetterRecord): void {
    this.#deadLetters.delete(record.inputId);
    this.#deadLetters.set(record.inputId, record);
  }

  deleteDeadLetter(inputId: string): void {
    this.#deadLetters.delete(inputId);
  }

  committed(): Promise<void> {
    return Promise.resolve();
  }

  figures(): null {
    return null;
  }

  sources(): Iterable<SourceRecord> {
    return [...this.#sources.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  putSource(record: SourceRecord): void {
    this.#sources.set(record.name, record);
  }

  deleteSource(name: string): void {
    this.#sources.delete(name);
  }

  /** For a worker's own `delete`. */
  forget({ workerId, parentId }: WorkerStore): void {
    this.#workers.delete(workerId);
    if (parentId === null) return;
    const siblings = this.#children.get(parentId);
    if (siblings?.delete(workerId) === true && siblings.size === 0) this.#children.delete(parentId);
  }

  async close(): Promise<void> {
    this.#workers = new SortedWorkers();
    this.#sources.clear();
    this.#functions.clear();
    this.#deadLetters.clear();
    this.#children.clear();
  }
}

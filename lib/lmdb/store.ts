// The durable store: a journal of groups, and tables into which it is folded, in one LMDB file.
//
//   given ─▶ staged ─▶ one group, one put, one fsync ─▶ applied to the workers in memory ─▶ told ─▶ folded, later, worker by worker
//
// In memory are the workers that somebody uses and those whose operations are not all in their rows; of the others there is nothing.

import type {
  DeadLetterRecord,
  FunctionRecord,
  Rest,
  SourceRecord,
  Store,
  StoredInput,
  StoredSummary,
  StoredTimer,
  StoreEvents,
  StoreFigures,
  WorkerRecord,
  WorkerStore,
} from '../store/store.ts';
import type { GreenroomError } from '../errors.ts';
import { Encoder } from './codec.ts';
import type { Context } from './context.ts';
import type { Counts } from './counts.ts';
import { Environment } from './environment.ts';
import type { Writer } from './environment.ts';
import { Folding, FOLD_BYTES, SLICE_BYTES } from './fold.ts';
import { Journal } from './journal.ts';
import { META_KEY } from './keys.ts';
import { listWorkers, timersBefore, workersWithInputs } from './listings.ts';
import { openGuarded } from './opening.ts';
import { LoadedWorkers } from './loaded.ts';
import { FIRST_META, openMeta, writeMeta } from './meta.ts';
import type { Meta } from './meta.ts';
import { Numbers } from './numbers.ts';
import { tellOf } from './operations.ts';
import type { Operation, ReplayedOperation } from './operations.ts';
import type { LmdbStoreOptions } from './options.ts';
import { Records } from './records.ts';
import { replay } from './recovery.ts';
import { requireTables } from './rows.ts';
import type { TranscriptLimits } from './transcript.ts';
import { upgrade } from './upgrade.ts';
import type { LmdbWorkerStore } from './worker.ts';

export type { LmdbStoreOptions } from './options.ts';

/** How many times the bytes at which it is folded the journal may hold: then groups wait for the tables. */
const FULL_FOLDS = 3;
/** How many times as large a slice may become: 16 ms of the main thread. */
const MAX_URGENCY = 4;

export class LmdbStore implements Store, Context {
  readonly kind = 'lmdb';
  readonly isDurable = true;
  readonly inputIdPrefix: string;
  readonly environment: Environment;
  readonly limits: TranscriptLimits;
  readonly idempotencyTtlMs: number;
  readonly now: () => number;
  events: StoreEvents | null = null;
  /** This and the folding are there once the journal has been read again: nobody has the store before. */
  #journal!: Journal;
  readonly #loaded: LoadedWorkers;
  readonly #counts: Counts;
  readonly #records: Records;
  #waiting: readonly string[] = [];
  #closing: Promise<void> | null = null;
  #folding!: Folding;
  #journalBytes = 0;
  /** Of the groups that are being folded. */
  #foldingBytes = 0;
  #foldedGroup: number;
  readonly #numbers: Numbers;
  readonly #onClosed: (() => void) | undefined;
  readonly #foldBytes: number;

  static open(options: LmdbStoreOptions): Promise<LmdbStore> {
    return openGuarded(options.path, () => LmdbStore.#open(options));
  }

  static async #open(options: LmdbStoreOptions): Promise<LmdbStore> {
    const environment = new Environment(options.path);
    try {
      const meta = await upgrade(environment, openMeta(environment), options);
      requireTables(environment);
      const store = new LmdbStore(environment, meta, options);
      await store.#recover(meta, options);
      // Before anybody can be given a number of this run.
      await environment.write((writer) => store.#writeMeta(writer, store.#numbers.reservedSeq, meta.counts));
      return store;
    } catch (error) {
      await environment.close();
      throw error;
    }
  }

  private constructor(environment: Environment, meta: Meta, options: LmdbStoreOptions) {
    this.environment = environment;
    this.limits = options.limits;
    this.idempotencyTtlMs = options.idempotencyTtlMs;
    this.now = options.now ?? (() => Date.now());
    this.#onClosed = options.onClosed;
    this.inputIdPrefix = meta.inputIdPrefix;
    this.#numbers = new Numbers(meta.run + 1);
    this.#foldBytes = options.foldBytes ?? FOLD_BYTES;
    this.#foldedGroup = meta.foldedGroup;
    this.#counts = meta.counts.copy();
    this.#records = new Records(environment);
    this.#loaded = new LoadedWorkers(this);
  }

  /** Reads the journal again, and begins a new run. */
  async #recover({ foldedGroup, reservedSeq }: Meta, options: LmdbStoreOptions): Promise<void> {
    const { environment } = this;
    const replayed = await replay({
      environment,
      afterGroup: foldedGroup,
      find: (workerId) => this.#loaded.find(workerId),
      create: (record, ordinal) => this.#loaded.add(record, ordinal),
      apply: (operation) => this.#apply(operation),
      ...(options.onProgress && { onProgress: options.onProgress }),
    });
    this.#loaded.settleReplay();
    this.#journalBytes = replayed.bytes;
    this.#numbers.beginAt(Math.max(reservedSeq, replayed.reservedSeq));
    this.#waiting = workersWithInputs(environment, this.#loaded.dirty);
    this.#journal = new Journal({
      environment,
      run: this.#numbers.run,
      lastGroup: replayed.lastGroup,
      reservedSeq: () => this.#numbers.reservedSeq,
      apply: (operations, _group, bytes) => this.#applyGroup(operations, bytes),
      refuse: (input, worker, error) => this.#refuse(input, worker, error),
      nextSlice: () => this.#folding.next(),
      isFull: () => this.#journalBytes >= FULL_FOLDS * this.#foldBytes,
    });
    this.#folding = this.#newFolding(replayed.firstGroup, options);
    if (this.#journalBytes > 0) this.#folding.wantWhenQuiet();
  }

  get firstSeq(): number {
    return this.#numbers.firstSeq;
  }

  connect(events: StoreEvents): void {
    this.events = events;
  }

  get trouble(): GreenroomError | null {
    return this.#journal.trouble;
  }

  get pendingBytes(): number {
    return this.#journal.pendingBytes;
  }

  // --- workers ---

  counts(): ReadonlyMap<string, Readonly<Record<Rest, number>>> {
    return this.#counts.byKind;
  }

  find(workerId: string): WorkerStore | undefined {
    const worker = this.#loaded.find(workerId);
    if (worker === undefined || worker.isErased) return undefined;
    worker.isUsed = true;
    return worker;
  }

  list(after: string): Iterable<StoredSummary> {
    return listWorkers(this.environment, this.#loaded.dirty, after, (workerId) => this.#loaded.isHidden(workerId));
  }

  create(record: WorkerRecord): WorkerStore {
    const ordinal = record.parentId === null ? 0 : this.#numbers.ordinal();
    const worker = this.#loaded.add(record, ordinal);
    worker.isUsed = true;
    worker.stagedBatch = this.stage({ op: 'create', worker, record, ordinal });
    return worker;
  }

  children(parentId: string): readonly string[] {
    return this.#loaded.childrenOf(parentId);
  }

  unload(worker: WorkerStore): void {
    const handle = worker as LmdbWorkerStore;
    handle.isUsed = false;
    this.#loaded.letGo(handle);
  }

  waiting(): Iterable<string> {
    return this.#waiting;
  }

  timersBefore(atMs: number, limit: number): { readonly workerId: string; readonly timer: StoredTimer }[] {
    return timersBefore(this.environment, this.#loaded.dirty, this.#loaded.timersChanged, atMs, limit);
  }

  // --- what a runtime keeps beside its workers ---

  sources(): Iterable<SourceRecord> {
    return this.#records.sources();
  }

  putSource(record: SourceRecord): void {
    this.stage({ op: 'putSource', record });
  }

  deleteSource(name: string): void {
    this.stage({ op: 'deleteSource', name });
  }

  functions(): Iterable<FunctionRecord> {
    return this.#records.functions();
  }

  putFunction(record: FunctionRecord): void {
    this.stage({ op: 'putFunction', record });
  }

  deleteFunction(functionId: string): void {
    this.stage({ op: 'deleteFunction', name: functionId });
  }

  deadLetters(): Iterable<DeadLetterRecord> {
    return this.#records.deadLetters();
  }

  putDeadLetter(record: DeadLetterRecord): void {
    this.stage({ op: 'putDeadLetter', record: { ordinal: this.#numbers.ordinal(), record } });
  }

  deleteDeadLetter(inputId: string): void {
    this.stage({ op: 'deleteDeadLetter', name: inputId });
  }

  // --- the disk ---

  committed(): Promise<void> {
    return this.#journal.committed();
  }

  figures(): StoreFigures {
    const { environment, pendingBytes } = this;
    return {
      fileBytes: environment.fileBytes,
      pendingBytes,
      journalBytes: this.#journalBytes,
      ...this.#journal.figures(),
    };
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  // --- for its workers ---

  get appliedBatch(): number {
    return this.#journal.appliedBatch;
  }

  get batchAtHand(): number {
    return this.#journal.batchAtHand;
  }

  get lastStaged(): Operation | undefined {
    return this.#journal.lastStaged;
  }

  stage(operation: Operation): number {
    return this.#journal.stage(operation);
  }

  sawSeq(seq: number): void {
    this.#numbers.sawSeq(seq);
  }

  changed(worker: LmdbWorkerStore): void {
    this.#loaded.changed(worker);
  }

  timersChanged(worker: LmdbWorkerStore): void {
    this.#loaded.timersChanged.add(worker);
  }

  // --- private ---

  #applyGroup(operations: readonly Operation[], bytes: number): void {
    this.#journalBytes += bytes;
    if (this.#journalBytes >= this.#foldBytes) this.#folding.want();
    this.#folding.wantWhenQuiet();
    for (const operation of operations) this.#apply(operation);
    if (this.events !== null) tellOf(operations, this.events);
  }

  #apply(operation: ReplayedOperation): void {
    this.#counts.apply(operation);
    if ('worker' in operation) operation.worker?.apply(operation);
    else this.#records.apply(operation);
  }

  #refuse(input: StoredInput, worker: LmdbWorkerStore, error: GreenroomError): void {
    // It may have nothing else to be written, and is looked at again when it is folded.
    if (worker.isThere) this.changed(worker);
    this.events?.refused(input, error);
  }

  #writeMeta(writer: Writer, reservedSeq: number, counts: Counts, foldedGroup = this.#foldedGroup): void {
    const { inputIdPrefix } = this;
    const { run } = this.#numbers;
    const meta = { format: FIRST_META.format, inputIdPrefix, run, reservedSeq, foldedGroup, counts };
    writer.put(META_KEY, writeMeta(new Encoder(), meta));
  }

  #newFolding(firstGroup: number, options: LmdbStoreOptions): Folding {
    return new Folding({
      environment: this.environment,
      dirty: this.#loaded.dirty,
      idempotencyTtlMs: this.idempotencyTtlMs,
      firstGroup,
      sliceBytes: options.sliceBytes ?? SLICE_BYTES,
      urgency: () => Math.min(MAX_URGENCY, Math.max(1, Math.floor(this.#journalBytes / this.#foldBytes) * 2)),
      now: this.now,
      begin: () => {
        this.#foldingBytes = this.#journalBytes;
        return { group: this.#journal.lastGroup, counts: this.#counts.copy() };
      },
      lastGroup: () => this.#journal.lastGroup,
      foldRecords: (to, writer) => this.#records.fold(to, writer),
      writeMeta: (writer, group, counts) => this.#writeMeta(writer, this.#numbers.reservedSeq, counts, group),
      folded: (worker) => this.#loaded.folded(worker),
      ended: (group) => {
        this.#foldedGroup = group;
        this.#journalBytes -= this.#foldingBytes;
      },
      failed: (error) => options.onFoldError?.(error),
      wake: () => this.#journal.wake(),
    });
  }

  async #close(): Promise<void> {
    this.#folding.close();
    await this.#journal.close();
    try {
      await this.#foldAll();
    } catch {
      // What is not folded is in the journal, and is folded by the next run.
    } finally {
      await this.environment.close();
      this.#onClosed?.();
    }
  }

  /** Until nothing is left in the journal, or the disk has trouble. */
  async #foldAll(): Promise<void> {
    while (this.#journalBytes > 0 && this.trouble === null) {
      this.#folding.want();
      await this.#journal.close();
      if (this.#folding.failures > 0) return;
    }
    // The next run begins where this one ends.
    await this.environment.write((writer) => this.#writeMeta(writer, this.#numbers.nextSeq, this.#counts));
  }
}

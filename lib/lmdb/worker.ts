// One worker of the durable store. What is read of it is what has been applied; what is given to it is staged, in the group at hand.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { EntryType, Isolation } from '../protocol/views.ts';
import type {
  EndedInput,
  Ending,
  KeyedInput,
  RestoredInput,
  Rest,
  StoredInput,
  StoredPage,
  StoredSummary,
  StoredTimer,
  WorkerRecord,
  WorkerStore,
} from '../store/store.ts';
import { corrupt } from './codec.ts';
import type { Encoder } from './codec.ts';
import type { Context } from './context.ts';
import { entryOfEnding } from './entries.ts';
import type { Writer } from './environment.ts';
import { Inputs } from './inputs.ts';
import { nameKey, TABLES } from './keys.ts';
import type { WorkerOperation } from './operations.ts';
import { readRow } from './rows.ts';
import { eraseWorker, payloadAt, putPayload, putWaiting, putWorker, readWorkerRow, UNREADABLE } from './tables.ts';
import { Staged } from './staged.ts';
import type { Family } from './tables.ts';
import { Timers } from './timers.ts';
import { Transcript } from './transcript.ts';

export class LmdbWorkerStore implements WorkerStore {
  readonly workerId: string;
  readonly kind: string;
  readonly displayName: string | null;
  readonly config: Payload;
  readonly createdAtMs: number;
  readonly family: Family | null;
  state: Payload | null;
  stateVersion = 0;
  rest: Rest = 'hibernated';
  failure: WireError | null = null;
  /** Somebody holds it: it was found or created, and not unloaded. */
  isUsed = false;
  /** Its creation is applied. */
  isThere = false;
  /** Its deletion is staged, and perhaps applied. */
  isErased = false;
  /** Its rows cannot be read: it can only be deleted. */
  isQuarantined = false;
  /** Its id was that of one whose rows cannot be read, and perhaps are not where they should be. */
  isAfterDamaged = false;
  /** Its applied operations are not all in its rows. */
  isDirty = false;
  /** Groups up to this one are in its rows. */
  foldedGroup = 0;
  /** The newest batch that has something of it. */
  stagedBatch = 0;

  readonly #context: Context;
  readonly #transcript: Transcript;
  readonly #inputs: Inputs;
  readonly #timers: Timers;
  /** It has rows, and they are of this worker and not of an earlier one of its id. */
  #isOnDisk = false;
  #isDeleted = false;
  #isStateChanged = false;
  /** Its rows say that it has inputs without an outcome. */
  #hasWaitingRow = false;
  #isolation: Isolation | null = null;
  /** As they will be when all is applied. */
  #staged: Staged;
  /** The operation that saves the state in the group at hand, and which group that is. */
  #stateOperation: { state: Payload; stateVersion: number } | null = null;
  #stateBatch = 0;

  /** `ordinal`: its place among its parent's children. */
  constructor(record: WorkerRecord, context: Context, ordinal = 0) {
    this.workerId = record.workerId;
    this.kind = record.kind;
    this.displayName = record.displayName;
    this.config = record.config;
    this.createdAtMs = record.createdAtMs;
    this.family = record.parentId === null ? null : { parentId: record.parentId, ordinal };
    this.state = record.state;
    this.#staged = new Staged(this, null);
    this.#context = context;
    this.#transcript = new Transcript(this.workerId, context.environment, context.limits);
    this.#inputs = new Inputs(this.workerId, context);
    this.#timers = new Timers(this.workerId, context.environment);
  }

  /** From its rows; undefined if there are none. */
  static load(workerId: string, context: Context): LmdbWorkerStore | undefined {
    const { environment } = context;
    try {
      const from = readRow(environment, nameKey(TABLES.workers, workerId));
      if (from === undefined) return undefined;
      const row = readWorkerRow(workerId, from);
      const config = row.config ?? payloadAt(environment, TABLES.configs, workerId);
      if (config === null) throw corrupt();
      const state = payloadAt(environment, TABLES.states, workerId);
      const record = { ...row.summary, config, state, parentId: row.family?.parentId ?? null };
      const worker = new LmdbWorkerStore(record, context, row.family?.ordinal);
      worker.stateVersion = row.stateVersion;
      worker.rest = row.summary.rest;
      worker.failure = row.failure;
      worker.#isolation = row.isolation;
      worker.settleReplay();
      worker.foldedGroup = row.foldedGroup;
      worker.isThere = worker.#isOnDisk = true;
      worker.#transcript.restore(row.transcript);
      worker.#hasWaitingRow = row.summary.waiting.messages > 0;
      if (worker.#hasWaitingRow) worker.#inputs.load();
      if (worker.#inputs.size !== row.summary.waiting.messages) throw corrupt();
      return worker;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'store_failed') throw error;
      // Whatever is wrong with its rows, it is wrong with this worker only.
      return LmdbWorkerStore.#quarantined(workerId, context, error);
    }
  }

  static #quarantined(workerId: string, context: Context, cause: unknown): LmdbWorkerStore {
    const record = { workerId, ...UNREADABLE, config: '{}', state: null, parentId: null };
    const worker = new LmdbWorkerStore(record, context);
    worker.rest = 'failed';
    const error = cause instanceof GreenroomError && cause.code === 'store_version' ? cause : corrupt();
    worker.failure = error.toWire();
    worker.settleReplay();
    worker.isThere = worker.#isOnDisk = worker.isQuarantined = true;
    return worker;
  }

  get givenState(): Payload | null {
    return this.#staged.state;
  }

  get givenVersion(): number {
    return this.#staged.stateVersion;
  }

  get parentId(): string | null {
    return this.family?.parentId ?? null;
  }

  get isolation(): Isolation | null {
    return this.#staged.isolation;
  }

  get isSettled(): boolean {
    return this.stagedBatch <= this.#context.appliedBatch;
  }

  get firstSequence(): number {
    return this.#transcript.oldestAt(this.#context.now());
  }

  get lastSequence(): number {
    return this.#transcript.last;
  }

  get heldBytes(): number {
    return this.#transcript.heldBytes + (this.state === null ? 0 : payloadBytes(this.state));
  }

  get hasOpenInputs(): boolean {
    return this.#inputs.size > 0;
  }

  /** Rows of its id, if there are any, are not its own, or not for long. */
  get disownsRows(): boolean {
    return this.isErased || !this.#isOnDisk;
  }

  get timerChanges(): ReadonlyMap<number, StoredTimer | null> {
    return this.#timers.changes;
  }

  /** For a listing. */
  summary(): StoredSummary {
    const { workerId, kind, displayName, createdAtMs, rest } = this;
    const waiting = { messages: this.#inputs.size, bytes: this.#inputs.bytes };
    return { workerId, kind, displayName, createdAtMs, rest, waiting };
  }

  // --- what is given: staged ---

  accept(input: StoredInput): void {
    this.#context.sawSeq(input.seq);
    if (input.isVolatile) {
      this.append('input', input.acceptedAtMs, input.seq, input.payload);
      this.#context.events?.accepted(input);
    } else this.#stage({ op: 'accept', worker: this, input });
  }

  start(input: StoredInput): void {
    if (input.isVolatile) {
      this.#context.events?.started(input);
      return;
    }
    // Nearly always it comes right behind its acceptance, and is one with it.
    const last = this.#context.lastStaged;
    if (last?.op === 'accept' && last.input === input) last.op = 'begin';
    else this.#stage({ op: 'start', worker: this, seq: input.seq, attempt: input.attempt, input });
  }

  recall(input: StoredInput): void {
    if (!input.isVolatile) this.#stage({ op: 'recall', worker: this, seq: input.seq, input });
  }

  end(input: StoredInput, ending: Ending): void {
    if (input.isVolatile) {
      this.#stage({ op: 'append', worker: this, entry: entryOfEnding(input.seq, ending) });
      this.#context.events?.ended(input, ending);
    } else this.#stage({ op: 'end', worker: this, seq: input.seq, ending, input });
  }

  saveState(state: Payload, stateVersion: number): void {
    if (!this.#staged.setState(state, stateVersion)) return;
    const last = this.#stateOperation;
    // The group is written when the turn is over: of several states in it only the last can ever be seen.
    if (last !== null && this.#stateBatch === this.#context.batchAtHand) {
      last.state = state;
      last.stateVersion = stateVersion;
      return;
    }
    const operation = { op: 'state' as const, worker: this, state, stateVersion };
    this.#stateOperation = operation;
    this.#stateBatch = this.#context.batchAtHand;
    this.#stage(operation);
  }

  saveRest(rest: Rest, failure: WireError | null): void {
    const { rest: from } = this.#staged;
    if (this.#staged.setRest(rest, failure))
      this.#stage({ op: 'rest', worker: this, kind: this.kind, from, rest, failure });
  }

  saveIsolation(isolation: Isolation | null): void {
    if (this.#staged.setIsolation(isolation)) this.#stage({ op: 'isolation', worker: this, isolation });
  }

  append(type: EntryType, atMs: number, inputSeq: number, data: Payload): void {
    this.#stage({ op: 'append', worker: this, entry: { type, atMs, inputSeq, data, ending: null } });
  }

  putTimer(timer: StoredTimer): void {
    this.#timers.give(timer.timerId, timer);
    this.#stage({ op: 'putTimer', worker: this, timer });
  }

  deleteTimer(timerId: number): void {
    this.#timers.give(timerId, null);
    this.#stage({ op: 'deleteTimer', worker: this, timerId });
  }

  delete(): void {
    this.#stage({ op: 'delete', worker: this, kind: this.kind, from: this.#staged.rest });
    this.isErased = true;
  }

  // --- what is read: applied ---

  read(after: number, limit: number): StoredPage {
    return this.#transcript.read(after, limit, this.#context.now());
  }

  inputs(): RestoredInput[] {
    return this.#inputs.list();
  }

  ended(seq: number): EndedInput | undefined {
    return this.#transcript.ended(seq);
  }

  keyed(key: string): KeyedInput | undefined {
    return this.#inputs.keyed(key, this.#isOnDisk);
  }

  timers(): StoredTimer[] {
    return this.isQuarantined ? [] : this.#timers.list(this.#isOnDisk);
  }

  // --- for the store ---

  apply(operation: WorkerOperation<unknown>): void {
    this.#context.changed(this);
    if (this.isQuarantined && operation.op !== 'delete') return;
    switch (operation.op) {
      case 'create':
        this.isThere = true;
        this.#isStateChanged = this.state !== null;
        break;
      case 'accept':
      case 'begin': {
        const { input } = operation;
        const { acceptedAtMs: atMs, seq: inputSeq, payload: data } = input;
        this.#inputs.accept(input);
        this.#transcript.append({ type: 'input', atMs, inputSeq, data, ending: null }, this.#context.now());
        if (operation.op === 'begin') this.#inputs.start(inputSeq, input.attempt);
        break;
      }
      case 'start':
        this.#inputs.start(operation.seq, operation.attempt);
        break;
      case 'recall':
        this.#inputs.recall(operation.seq);
        break;
      case 'end':
        this.#inputs.end(operation.seq, operation.ending);
        this.#transcript.append(entryOfEnding(operation.seq, operation.ending), this.#context.now());
        break;
      case 'append':
        this.#transcript.append(operation.entry, this.#context.now());
        break;
      case 'state':
        this.state = operation.state;
        this.stateVersion = operation.stateVersion;
        this.#isStateChanged = true;
        break;
      case 'rest':
        this.rest = operation.rest;
        this.failure = operation.failure;
        break;
      case 'isolation':
        this.#isolation = operation.isolation;
        break;
      case 'putTimer':
        this.#timers.put(operation.timer);
        this.#context.timersChanged(this);
        break;
      case 'deleteTimer':
        this.#timers.delete(operation.timerId);
        break;
      case 'delete':
        this.#applyDelete();
        break;
      default:
        operation satisfies never;
    }
  }

  /** In the replay of a journal there is nothing staged: what is applied is what will be. */
  settleReplay(): void {
    this.#staged = new Staged(this, this.#isolation);
  }

  /** Puts all of it into its rows. What it returns is called when that is on disk; nothing is applied in between. */
  fold(to: Encoder, writer: Writer, group: number): () => void {
    const { environment } = this.#context;
    // Whatever has rows of this id now is another worker, which was deleted, or this one, which was.
    if (!this.#isOnDisk || this.#isDeleted)
      eraseWorker(environment, writer, this.workerId, this.isQuarantined || this.isAfterDamaged);
    if (this.#isDeleted || this.isQuarantined) return () => {};
    this.#transcript.trim(this.#context.now());
    const transcript = this.#transcript.fold(to, writer);
    const inputsDone = this.#inputs.fold(to, writer);
    const timersDone = this.#timers.fold(to, writer);
    if (this.#isStateChanged) putPayload(to, writer, nameKey(TABLES.states, this.workerId), this.state);
    const { hasOpenInputs } = this;
    if (hasOpenInputs !== this.#hasWaitingRow) putWaiting(to, writer, this.workerId, hasOpenInputs);
    const { family, failure, stateVersion, config } = this;
    const row = { summary: this.summary(), family, isolation: this.#isolation, foldedGroup: group, failure };
    putWorker(to, writer, { ...row, stateVersion, config, transcript: transcript.record }, !this.#isOnDisk);
    return () => {
      transcript.done();
      inputsDone();
      timersDone();
      this.foldedGroup = group;
      this.#isOnDisk = true;
      this.#isStateChanged = false;
      this.#hasWaitingRow = hasOpenInputs;
    };
  }

  #applyDelete(): void {
    this.#isDeleted = this.isErased = true;
    this.#transcript.clear();
    this.#inputs.clear();
    this.#timers.clear();
  }

  #stage(operation: WorkerOperation<LmdbWorkerStore>): void {
    // Late words about a worker that is no more.
    if (this.isErased) return;
    this.stagedBatch = this.#context.stage(operation);
  }
}

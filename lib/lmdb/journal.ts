// The journal: what is staged is written as one group, one value under the group's number, when the turn is over; what comes while a
// group is written is the next one. One thing is written at a time, a group, and with it a slice of the tables if there is one (see fold.ts), so
// that nothing is applied while the tables are written.
//
// A group that cannot be written is tried again until it can. The inputs whose acceptance is in it, or staged, are withdrawn.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { GreenroomError } from '../errors.ts';
import type { StoredInput, StoreFigures } from '../store/store.ts';
import { Encoder } from './codec.ts';
import type { Environment } from './environment.ts';
import { fault } from './faults.ts';
import type { Slice } from './fold.ts';
import { groupKey } from './keys.ts';
import { writeGroup } from './operations.ts';
import type { AcceptOperation, Operation } from './operations.ts';
import type { LmdbWorkerStore } from './worker.ts';

/** Between two efforts to write: soon enough after there is room again, seldom enough to cost nothing. */
const RETRY_MS = 500;
/** An encoder that a large group made larger than this is not kept. */
const KEPT_ENCODER_BYTES = 8 * 1_024 * 1_024;
/** Commits whose times are kept. */
const TIMES = 1_024;

export interface JournalOptions {
  readonly environment: Pick<Environment, 'write'>;
  readonly run: number;
  /** Number of the last group on disk. */
  readonly lastGroup: number;
  /** Inputs of this run may have any number below it when this is on disk. */
  reservedSeq(): number;
  /** A group is on disk. */
  apply(operations: readonly Operation[], group: number, bytes: number): void;
  refuse(input: StoredInput, worker: LmdbWorkerStore, error: GreenroomError): void;
  /** To be written with the next group, if there is anything. */
  nextSlice(): Slice | null;
  /** The journal holds as much as it may: slices go first, groups wait. */
  isFull(): boolean;
}

interface Waiter {
  /** What it waits for. */
  readonly batch: number;
  readonly resolve: () => void;
  readonly reject: (error: GreenroomError) => void;
}

export class Journal {
  readonly #options: JournalOptions;
  #lastGroup: number;
  #staged: Operation[] = [];
  /** Counts what was taken from `staged`, so that an operation knows whether it is still there. */
  #batch = 1;
  #appliedBatch = 0;
  #waiters: Waiter[] = [];
  #encoder = new Encoder();
  #flushing: Promise<void> | null = null;
  #isClosing = false;
  #endPause: (() => void) | null = null;
  #trouble: GreenroomError | null = null;
  #commits = 0;
  /** Rough: of what is staged, and of what was taken and is not written yet. */
  #stagedBytes = 0;
  #takenBytes = 0;
  readonly #times = new Float64Array(TIMES);

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#lastGroup = options.lastGroup;
  }

  get trouble(): GreenroomError | null {
    return this.#trouble;
  }

  get lastGroup(): number {
    return this.#lastGroup;
  }

  /** Number of the batch that takes what is staged now, and of the last one that was applied. */
  get batchAtHand(): number {
    return this.#batch;
  }

  get appliedBatch(): number {
    return this.#appliedBatch;
  }

  /** Undefined if nothing has been staged since the last batch was taken. */
  get lastStaged(): Operation | undefined {
    return this.#staged[this.#staged.length - 1];
  }

  /** Returns the number of its batch. */
  stage(operation: Operation): number {
    this.#staged.push(operation);
    this.#stagedBytes += roughBytes(operation);
    this.#flushing ??= this.#flush();
    return this.#batch;
  }

  /** Asks for a slice at the end of this turn, or after what is being written. */
  wake(): void {
    this.#flushing ??= this.#flush();
  }

  committed(): Promise<void> {
    const batch = this.#staged.length > 0 ? this.#batch : this.#batch - 1;
    if (batch <= this.#appliedBatch) return Promise.resolve();
    if (this.#trouble !== null) return Promise.reject(this.#trouble);
    return new Promise((resolve, reject) => this.#waiters.push({ batch, resolve, reject }));
  }

  /** Rough: of what is staged or being written. */
  get pendingBytes(): number {
    return this.#takenBytes + this.#stagedBytes;
  }

  figures(): Pick<StoreFigures, 'commits' | 'commitMs'> {
    const times = this.#times.slice(0, Math.min(this.#commits, TIMES)).sort();
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
    return { commits: this.#commits, commitMs: { p50: at(0.5), p99: at(0.99) } };
  }

  /** Resolves when all is written, or cannot be now. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#endPause?.();
    while (this.#flushing !== null) await this.#flushing;
  }

  // --- private ---

  async #flush(): Promise<void> {
    await nextTurn();
    for (;;) {
      const slice = this.#options.nextSlice();
      if (this.#staged.length === 0 && slice === null) break;
      const isSliceFirst = slice !== null && (this.#staged.length === 0 || this.#options.isFull());
      if (!(isSliceFirst ? await this.#writeSlice(slice) : await this.#writeGroup(slice))) break;
    }
    this.#flushing = null;
  }

  #take(): Operation[] {
    const taken = this.#staged;
    this.#staged = [];
    this.#takenBytes += this.#stagedBytes;
    this.#stagedBytes = 0;
    this.#batch++;
    return taken;
  }

  async #writeSlice(slice: Slice): Promise<boolean> {
    try {
      await this.#options.environment.write((writer) => slice.copyTo(writer));
    } catch (error) {
      slice.failed(error);
      return this.#staged.length > 0;
    }
    slice.written();
    return true;
  }

  /** Returns false if it was given up, because the store closes. */
  async #writeGroup(withSlice: Slice | null): Promise<boolean> {
    let operations = this.#take();
    let slice = withSlice;
    const number = this.#lastGroup + 1;
    for (;;) {
      const startedAt = performance.now();
      const key = groupKey(number);
      const value = this.#encode(key, number, operations);
      const error = await this.#write(key, value, slice);
      if (error === null) {
        this.#times[this.#commits++ % TIMES] = performance.now() - startedAt;
        slice?.written();
        this.#written(number, operations, value.length);
        return true;
      }
      // Made of what is applied now, it is made again when there is room.
      slice?.failed(error);
      slice = null;
      operations = this.#withdraw(operations, error);
      if (this.#isClosing) return false;
      await this.#pause();
      operations.push(...this.#take());
    }
  }

  #encode(key: Buffer, number: number, operations: readonly Operation[]): Buffer {
    if (this.#encoder.capacity > KEPT_ENCODER_BYTES) this.#encoder = new Encoder();
    this.#encoder.reset();
    const { run } = this.#options;
    writeGroup(this.#encoder, { number, run, reservedSeq: this.#options.reservedSeq() }, operations);
    return this.#encoder.seal(key);
  }

  async #write(key: Buffer, value: Buffer, slice: Slice | null): Promise<GreenroomError | null> {
    fault('before-commit');
    try {
      await this.#options.environment.write((writer) => {
        slice?.copyTo(writer);
        writer.put(key, value);
      });
    } catch (cause) {
      return GreenroomError.of('runtime_unavailable', {
        message: 'The store cannot write.',
        details: { reason: 'store_failed' },
        cause,
      });
    }
    fault('after-commit');
    return null;
  }

  #written(number: number, operations: readonly Operation[], bytes: number): void {
    this.#lastGroup = number;
    this.#appliedBatch = this.#batch - 1;
    this.#trouble = null;
    this.#takenBytes = 0;
    this.#options.apply(operations, number, bytes);
    const reached = this.#waiters.filter(({ batch }) => batch <= this.#appliedBatch);
    this.#waiters = this.#waiters.filter(({ batch }) => batch > this.#appliedBatch);
    for (const { resolve } of reached) resolve();
  }

  /** Returns what stays. Waiters are told, and inputs that nobody has acknowledged are refused. */
  #withdraw(failed: readonly Operation[], error: GreenroomError): Operation[] {
    this.#trouble = error;
    const operations = [...failed, ...this.#take()];
    const accepts = operations.filter(isAccept).filter(({ input }) => input.isCaused !== true);
    const withdrawn = new Set(accepts.map(({ input }) => input));
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error);
    for (const { input, worker } of accepts) this.#options.refuse(input, worker, error);
    // Those who were told may have given more, of other inputs that are withdrawn as well.
    operations.push(...this.#take());
    const kept = operations.filter((operation) => {
      const input = 'input' in operation ? operation.input : null;
      return input === null || !withdrawn.has(input);
    });
    this.#takenBytes = kept.reduce((sum, operation) => sum + roughBytes(operation), 0);
    return kept;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** What an operation takes beside a payload. */
const OPERATION_BYTES = 64;

function roughBytes(operation: Operation): number {
  if (isAccept(operation)) return OPERATION_BYTES + operation.input.payload.length;
  if (operation.op === 'end') return OPERATION_BYTES + (operation.ending.output?.length ?? 0);
  if (operation.op === 'append') return OPERATION_BYTES + operation.entry.data.length;
  if (operation.op === 'state') return OPERATION_BYTES + operation.state.length;
  return OPERATION_BYTES;
}

function isAccept(operation: Operation): operation is AcceptOperation<LmdbWorkerStore> {
  return operation.op === 'accept' || operation.op === 'begin';
}

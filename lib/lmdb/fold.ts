// Puts what the journal holds into the tables, worker by worker, in slices between the journal's groups:
//
//   workers that have changed ─▶ records beside them ─▶ keys that are forgotten ─▶ "folded up to group N" ─▶ groups up to N removed
//
// Each slice is one transaction, and a worker is always in one slice. A worker's row says up to which group it is folded, so a crash
// in between costs nothing but the work.

import type { SortedWorkers } from '../store/sorted-workers.ts';
import { Encoder, isIntact } from './codec.ts';
import type { Counts } from './counts.ts';
import type { Environment, Pair, Writer } from './environment.ts';
import { fault } from './faults.ts';
import { groupKey, restAfterTime, startOfTable, TABLES, timeKey } from './keys.ts';
import type { LmdbWorkerStore } from './worker.ts';

/**
 * Journal that is folded without waiting for a quiet moment: what a start has to read again, and what is in memory meanwhile, ten
 * times as many bytes for small inputs.
 */
export const FOLD_BYTES = 16 * 1_024 * 1_024;
/** Main thread that a slice may take, so that no ask waits long for it. */
const SLICE_MS = 4;
/** Bytes of a slice: what its transaction writes holds up the next group. */
export const SLICE_BYTES = 1_024 * 1_024;
/** Rows that a slice removes. */
const SLICE_REMOVALS = 1_000;
/** A store without new groups for that long is folded. */
const QUIET_MS = 1_000;
/** How often a store without new groups is looked at for keys that are to be forgotten. */
export const FORGET_EVERY_MS = 3_600_000;
/** After a slice that could not be written. */
const RETRY_MS = 500;

export interface FoldOptions {
  readonly environment: Environment;
  readonly dirty: SortedWorkers<LmdbWorkerStore>;
  readonly idempotencyTtlMs: number;
  /** Number of the oldest group on disk: a crash may have left some that are folded. */
  readonly firstGroup: number;
  /** Bytes of workers' rows in one transaction. */
  readonly sliceBytes: number;
  /** How many times as large a slice may be now: more than 1 when groups come faster than they are folded. */
  urgency(): number;
  now(): number;
  /** A cycle begins: the number of the last group that is applied, and the counts as of it. */
  begin(): { readonly group: number; readonly counts: Counts };
  /** Number of the last group that is applied now. */
  lastGroup(): number;
  /** Of the records beside the workers. */
  foldRecords(to: Encoder, writer: Writer): () => void;
  writeMeta(writer: Writer, foldedGroup: number, counts: Counts): void;
  /** All of it is in its rows. */
  folded(worker: LmdbWorkerStore): void;
  /** A cycle is over: groups up to this one are gone. */
  ended(group: number): void;
  /** A slice could not be written. */
  failed(error: unknown): void;
  /** Asks for a slice. */
  wake(): void;
}

type Phase = 'workers' | 'records' | 'keys' | 'meta' | 'groups';

/** What is written in one transaction, with a group or alone. */
export interface Slice {
  copyTo(writer: Writer): void;
  /** It is on disk; nothing was applied since it was made. */
  written(): void;
  failed(error: unknown): void;
}

interface Cycle {
  readonly group: number;
  readonly counts: Counts;
  readonly workers: readonly LmdbWorkerStore[];
  place: number;
  phase: Phase;
}

/** Rows to be written in one transaction. */
class Batch implements Writer {
  readonly #rows: { readonly key: Buffer; readonly value: Buffer | null }[] = [];
  bytes = 0;

  put(key: Buffer, value: Buffer): void {
    this.#rows.push({ key, value });
    this.bytes += key.length + value.length;
  }

  remove(key: Buffer): void {
    this.#rows.push({ key, value: null });
    this.bytes += key.length;
  }

  copyTo(writer: Writer): void {
    for (const { key, value } of this.#rows) {
      if (value === null) writer.remove(key);
      else writer.put(key, value);
    }
  }
}

export class Folding {
  readonly #options: FoldOptions;
  readonly #encoder = new Encoder();
  #cycle: Cycle | null = null;
  #isWanted = false;
  #isClosed = false;
  #lastGroupAt = 0;
  #quietTimer: NodeJS.Timeout | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  readonly #forgetTimer: NodeJS.Timeout;
  #failures = 0;
  /** Number of the oldest group on disk. */
  #firstGroup: number;

  constructor(options: FoldOptions) {
    this.#options = options;
    this.#firstGroup = options.firstGroup;
    this.#forgetTimer = setInterval(() => this.#lookForExpired(), FORGET_EVERY_MS).unref();
  }

  /** Slices that could not be written, in a row. Once the folding is closed, one is the end of it. */
  get failures(): number {
    return this.#failures;
  }

  /** A cycle begins with the next slice, unless one is under way. */
  want(): void {
    this.#isWanted = this.#cycle === null;
    this.#options.wake();
  }

  /** The next slice; null if there is none, or it is too early to try again. */
  next(): Slice | null {
    if (this.#retryTimer !== null || (this.#isClosed && this.#failures > 0)) return null;
    if (this.#cycle === null) {
      if (!this.#isWanted) return null;
      this.#begin();
    }
    return this.#slice(this.#cycle as unknown as Cycle);
  }

  /** A cycle begins when no group has come for a while; to be called with each group. */
  wantWhenQuiet(): void {
    this.#lastGroupAt = performance.now();
    this.#quietTimer ??= setTimeout(() => this.#lookForQuiet(), QUIET_MS).unref();
  }

  /** Waits for nothing any more: what is wanted from now on is written at once, or not at all. */
  close(): void {
    this.#isClosed = true;
    this.#failures = 0;
    clearInterval(this.#forgetTimer);
    for (const timer of [this.#retryTimer, this.#quietTimer]) if (timer !== null) clearTimeout(timer);
    this.#retryTimer = null;
  }

  // --- private ---

  #lookForQuiet(): void {
    this.#quietTimer = null;
    if (performance.now() - this.#lastGroupAt >= QUIET_MS) this.want();
    else this.#quietTimer = setTimeout(() => this.#lookForQuiet(), QUIET_MS).unref();
  }

  #begin(): void {
    this.#isWanted = false;
    const workers = [...this.#options.dirty.after()];
    this.#cycle = { ...this.#options.begin(), workers, place: 0, phase: 'workers' };
  }

  #slice(cycle: Cycle): Slice | null {
    const { place, phase } = cycle;
    const batch = new Batch();
    const failed = (error: unknown): void => {
      // Nothing of it is on disk, everything is still in the journal: it is tried again, and the journal tells that the disk has trouble.
      this.#failures++;
      this.#options.failed(error);
      cycle.place = place;
      cycle.phase = phase;
      this.#isWanted = false;
      if (this.#isClosed) return;
      this.#retryTimer = setTimeout(() => {
        this.#retryTimer = null;
        this.#options.wake();
      }, RETRY_MS).unref();
    };
    try {
      const done = this.#fill(cycle, batch);
      const written = (): void => {
        this.#failures = 0;
        done();
      };
      return { copyTo: (writer) => batch.copyTo(writer), written, failed };
    } catch (error) {
      // Something on disk could not be read.
      failed(error);
      return null;
    }
  }

  /** Moves the cycle on. What it returns is called when the batch is on disk; nothing is applied in between. */
  #fill(cycle: Cycle, batch: Batch): () => void {
    switch (cycle.phase) {
      case 'workers':
        return this.#foldWorkers(cycle, batch);
      case 'records':
        cycle.phase = 'keys';
        return this.#options.foldRecords(this.#encoder, batch);
      case 'keys':
        return this.#forgetKeys(cycle, batch);
      case 'meta':
        cycle.phase = 'groups';
        this.#options.writeMeta(batch, cycle.group, cycle.counts);
        return () => {};
      case 'groups':
        return this.#removeGroups(cycle, batch);
    }
  }

  #foldWorkers(cycle: Cycle, batch: Batch): () => void {
    const { dirty } = this.#options;
    const group = this.#options.lastGroup();
    const done: (() => void)[] = [];
    const urgency = this.#options.urgency();
    const startedAt = performance.now();
    while (cycle.place < cycle.workers.length) {
      const worker = cycle.workers[cycle.place++] as LmdbWorkerStore;
      // Deleted since, and its id has another worker, which is newer than the cycle: its folding erases these rows.
      if (dirty.get(worker.workerId) !== worker) continue;
      const workerDone = worker.fold(this.#encoder, batch, group);
      done.push(() => {
        workerDone();
        this.#options.folded(worker);
      });
      if (batch.bytes > urgency * this.#options.sliceBytes || performance.now() - startedAt > urgency * SLICE_MS) break;
    }
    if (cycle.place === cycle.workers.length) cycle.phase = 'records';
    return () => {
      fault('fold');
      for (const each of done) each();
    };
  }

  /** Of inputs that ended so long ago that their keys may be used again. */
  #forgetKeys(cycle: Cycle, batch: Batch): () => void {
    let removed = 0;
    for (const { key, value } of this.#expired(SLICE_REMOVALS)) {
      batch.remove(key);
      // One that is damaged says nothing of when its key is to be forgotten.
      if (isIntact(value, key)) batch.remove(Buffer.concat([startOfTable(TABLES.keys), restAfterTime(key)]));
      removed++;
    }
    if (removed < SLICE_REMOVALS) cycle.phase = 'meta';
    return () => {
      if (removed > 0) fault('trim');
    };
  }

  /** Of keys whose time is over: the rows that say so. */
  #expired(limit: number): Iterable<Pair> {
    const { environment, idempotencyTtlMs } = this.#options;
    const end = timeKey(TABLES.endedKeys, this.#options.now() - idempotencyTtlMs, NOTHING);
    return environment.range({ start: startOfTable(TABLES.endedKeys), end, limit });
  }

  /** Without new groups there is no cycle that would forget them. */
  #lookForExpired(): void {
    try {
      const [expired] = this.#expired(1);
      if (expired !== undefined) this.want();
    } catch (error) {
      this.#options.failed(error);
    }
  }

  #removeGroups(cycle: Cycle, batch: Batch): () => void {
    const last = Math.min(cycle.group, this.#firstGroup + SLICE_REMOVALS - 1);
    for (let group = this.#firstGroup; group <= last; group++) batch.remove(groupKey(group));
    return () => {
      this.#firstGroup = last + 1;
      if (last < cycle.group) return;
      this.#cycle = null;
      this.#options.ended(cycle.group);
    };
  }
}

const NOTHING = Buffer.alloc(0);

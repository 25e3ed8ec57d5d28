// One LMDB file, as the rest of the store uses it: ordered keys and values of bytes, synchronous reads, and writes in transactions that
// are on the disk (written and synchronised) when their promise resolves.
//
// One transaction is under way at a time, so that an error is the error of one `write`, and nothing else is lost with it. A full or
// read-only disk costs that transaction only. An error at the very last step, the page that makes a transaction count, makes LMDB
// refuse everything from then on: the file is closed and opened again.

import { existsSync, linkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { open } from 'lmdb';
import type { RootDatabase } from 'lmdb';
import { GreenroomError } from '../errors.ts';
import { requireWhole } from './pages.ts';

/** What a transaction changes. The buffers must not change before its promise settles. */
export interface Writer {
  put(key: Buffer, value: Buffer): void;
  /** Does nothing when there is none. */
  remove(key: Buffer): void;
}

export interface Range {
  /** The first key, included. */
  readonly start: Buffer;
  /** The last key, excluded. */
  readonly end: Buffer;
  /** From the last to the first. */
  readonly isReverse?: boolean;
  readonly limit?: number;
}

export interface Pair {
  readonly key: Buffer;
  readonly value: Buffer;
}

type Operation = readonly [key: Buffer, value: Buffer | null];

/** What lmdb-js starts its writing with; the callback is told the status of each transaction, beside signals of its own. */
type StartWriting = (address: number, tell: (status: number) => unknown) => unknown;

/** What lmdb-js makes of LMDB's MDB_PANIC: the file cannot be used before it is opened again. */
const PANIC = /MDB_PANIC/;
/** Statuses that are signals between lmdb-js and its thread, and no errors. */
const SIGNALS: readonly number[] = [0, 1, 2];
const NOTHING_TO_DO = 1;
/** Errors of LMDB lie here; above 0 are those of the system. */
const LMDB_ERRORS_BELOW = 0;
/** Its size for as many readers as lmdb-js asks for. */
const LOCK_BYTES = 8_192;

export class Environment {
  readonly path: string;
  readonly #isReadOnly: boolean;
  #db: RootDatabase<Buffer, Buffer> | null;
  #cursors = new Set<Iterator<Pair>>();
  #turn: Promise<unknown> = Promise.resolve();
  /** Rejects the write that is under way. */
  #fail: ((status: number) => void) | null = null;
  #isClosed = false;
  #isStuck = false;

  /**
   * Another process may use the same file meanwhile. Throws `store_corrupt` for a file that is none of LMDB's or ends too early,
   * `store_failed` if it cannot be opened.
   */
  constructor(path: string, { isReadOnly = false }: { readonly isReadOnly?: boolean } = {}) {
    this.path = path;
    this.#isReadOnly = isReadOnly;
    requireWhole(path);
    makeLockFile(`${path}-lock`);
    this.#db = this.#open();
  }

  get(key: Buffer): Buffer | undefined {
    try {
      return this.#opened().get(key);
    } catch (thrown) {
      throw readError(thrown);
    }
  }

  /** What is written meanwhile may be seen or not. */
  *range({ start, end, isReverse = false, limit = Number.POSITIVE_INFINITY }: Range): Generator<Pair> {
    let left = limit;
    let [from, isBehindFrom] = [isReverse ? end : start, isReverse];
    while (left > 0) {
      const db = this.#opened();
      const cursor = this.#cursor(db, from, isReverse ? start : end, isReverse, isBehindFrom, left);
      try {
        for (; left > 0; left--) {
          const pair = next(cursor);
          if (pair === null) return;
          yield pair;
          [from, isBehindFrom] = [pair.key, true];
          if (!this.#cursors.has(cursor)) break;
        }
      } finally {
        if (this.#cursors.delete(cursor)) cursor.return?.();
      }
    }
  }

  /**
   * All that the callback writes is one transaction. Resolves when it is on the disk; rejects with `store_failed` when nothing of it
   * is. After an error of the disk the same may be written again, and succeeds once the disk can.
   */
  write(change: (writer: Writer) => void): Promise<void> {
    const operations: Operation[] = [];
    change({
      put: (key, value) => void operations.push([key, value]),
      remove: (key) => void operations.push([key, null]),
    });
    if (operations.length === 0) return Promise.resolve();
    const written = this.#turn.then(() => this.#transact(operations));
    this.#turn = written.catch(() => undefined); // told to the caller
    return written;
  }

  /** All that is there now, without what is free in the file; writes go on meanwhile. Rejects with `store_failed`; then the copy is no copy. */
  async copyTo(path: string): Promise<void> {
    try {
      await this.#opened().backup(path, true);
    } catch (thrown) {
      throw writeError((thrown as { code?: unknown }).code, thrown);
    }
  }

  get fileBytes(): number {
    return statSync(this.path).size;
  }

  /** Waits for the writes that were asked for. */
  async close(): Promise<void> {
    await this.#turn;
    this.#isClosed = true;
    this.#letGoOfCursors();
    if (this.#isStuck) return;
    await this.#db?.close();
    this.#db = null;
  }

  // --- the file ---

  /** Throws `store_failed`. */
  #open(): RootDatabase<Buffer, Buffer> {
    let db: RootDatabase<Buffer, Buffer>;
    try {
      db = open<Buffer, Buffer>({
        path: this.path,
        readOnly: this.#isReadOnly,
        noSubdir: true,
        encoding: 'binary',
        keyEncoding: 'binary',
        compression: false,
        // A promise of a write resolves when the disk has it, not before.
        overlappingSync: false,
        // Each write is a batch of its own. The library's would have a promise that nobody holds, and a failed commit reject it.
        eventTurnBatching: false,
      });
    } catch (thrown) {
      throw writeError((thrown as { code?: unknown }).code, thrown);
    }
    this.#listen(db);
    if (!isLost(db)) return db;
    closeAtOnce(db);
    throw writeError(undefined);
  }

  #opened(): RootDatabase<Buffer, Buffer> {
    if (this.#isStuck) throw GreenroomError.of('store_failed', { message: 'The store has to be started again.' });
    if (this.#isClosed) throw GreenroomError.of('runtime_unavailable', { message: 'The store is closed.' });
    return (this.#db ??= this.#open());
  }

  /**
   * Hears of failed transactions where lmdb-js does: it would print them with its stack, and for one that could not begin leave its
   * promise without an end.
   */
  #listen(db: RootDatabase<Buffer, Buffer>): void {
    const { env } = db as unknown as { env: { startWriting: StartWriting } };
    const startWriting = env.startWriting.bind(env);
    const listening: StartWriting = (address, tell) =>
      startWriting(address, (status) => {
        if (SIGNALS.includes(status)) return tell(status);
        tell(NOTHING_TO_DO);
        setImmediate(() => this.#fail?.(status));
      });
    Object.defineProperty(env, 'startWriting', { value: listening });
  }

  #transact(operations: readonly Operation[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const db = this.#opened();
      let isOver = false;
      this.#fail = (status) => {
        this.#fail = null;
        // The promise of the batch is rejected by now, unless the transaction could not even begin: then its thread has kept a lock
        // that neither the next transaction nor a close would ever get.
        if (!isOver) this.#isStuck = true;
        else this.#closeIfLost(db);
        reject(writeError(status));
      };
      const batch = this.#opened().batch(() => {
        for (const [key, value] of operations)
          void (value === null ? this.#opened().remove(key) : this.#opened().put(key, value));
      });
      batch.then(
        () => {
          this.#fail = null;
          resolve();
        },
        () => (isOver = true), // the status says why
      );
    });
  }

  /** What LMDB has given up can be used again once it has been closed. */
  #closeIfLost(db: RootDatabase<Buffer, Buffer>): void {
    // A cursor would keep a read transaction alive, which does not notice.
    this.#letGoOfCursors();
    if (!isLost(db)) return;
    this.#db = null;
    closeAtOnce(db);
  }

  // --- cursors ---

  #cursor(
    db: RootDatabase<Buffer, Buffer>,
    start: Buffer,
    end: Buffer,
    isReverse: boolean,
    isBehindStart: boolean,
    limit: number,
  ): Iterator<Pair> {
    try {
      const range = db.getRange({
        start,
        end,
        reverse: isReverse,
        exclusiveStart: isBehindStart,
        inclusiveEnd: isReverse,
        ...(Number.isFinite(limit) && { limit }),
      });
      const cursor = range[Symbol.iterator]();
      this.#cursors.add(cursor);
      return cursor;
    } catch (thrown) {
      throw readError(thrown);
    }
  }

  /** A cursor must not outlive its file. Those who read go on with another one. */
  #letGoOfCursors(): void {
    for (const cursor of this.#cursors) cursor.return?.();
    this.#cursors.clear();
  }
}

/**
 * LMDB maps its lock file into memory before the disk has room for it, and on a full one dies of the first byte that it writes there. So
 * the file is there beforehand, with all its bytes. Throws `store_failed` if there is no room.
 */
function makeLockFile(path: string): void {
  if (existsSync(path)) return;
  const aside = `${path}.${process.pid}`;
  try {
    writeFileSync(aside, Buffer.alloc(LOCK_BYTES));
    // In one step, and only if there is none: another process may have made it and use it already.
    linkSync(aside, path);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    // Of anything else LMDB tells itself; a folder that cannot be written needs no lock file to be read.
    if (code === 'ENOSPC' || code === 'EDQUOT') throw writeError(code, thrown);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Without waiting for the end of a transaction that has failed, and has none. */
function closeAtOnce(db: RootDatabase<Buffer, Buffer>): void {
  Object.defineProperty(db, '_endWrites', { value: undefined });
  void db.close();
}

/** Throws `store_corrupt` or `store_failed`. */
function next(cursor: Iterator<Pair>): Pair | null {
  try {
    const step = cursor.next();
    return step.done === true ? null : step.value;
  } catch (thrown) {
    throw readError(thrown);
  }
}

// --- errors ---

function isLost(db: RootDatabase<Buffer, Buffer>): boolean {
  try {
    db.resetReadTxn();
    db.get(Buffer.of(0));
    return false;
  } catch (thrown) {
    return PANIC.test(String(thrown));
  }
}

function readError(thrown: unknown): GreenroomError {
  if (thrown instanceof GreenroomError) return thrown;
  if (PANIC.test(String(thrown))) return writeError(undefined, thrown);
  return GreenroomError.of('store_corrupt', { cause: thrown });
}

function writeError(status: unknown, cause: unknown = new Error(`status ${String(status)} of LMDB`)): GreenroomError {
  const isOfSystem = typeof status === 'number' && status > LMDB_ERRORS_BELOW;
  const name = isOfSystem ? getSystemErrorName(-status) : typeof status === 'string' ? status : 'LMDB';
  return GreenroomError.of('store_failed', { message: `The store cannot write (${name}).`, cause });
}

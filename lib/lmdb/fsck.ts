// Checks a store that nobody uses: the pages of its file first, without LMDB, which trusts them; if they are sound, every record, and
// what records say of one another. One finding for each thing that is wrong; nothing is changed.

import { existsSync, rmSync } from 'node:fs';
import type { Rest } from '../store/store.ts';
import { checkWorker, readable, requireEmpty, whole } from './check-worker.ts';
import type { Tell } from './check-worker.ts';
import { Decoder, isIntact, OLDEST_ROWS } from './codec.ts';
import { Environment } from './environment.ts';
import type { Pair } from './environment.ts';
import { readKey } from './inputs.ts';
import {
  endOfTable,
  META_KEY,
  nameKey,
  nameOf,
  numberOfGroup,
  restAfterTime,
  startOfTable,
  TABLES,
  timeKey,
  workerOf,
} from './keys.ts';
import type { Table } from './keys.ts';
import { readMeta } from './meta.ts';
import type { Meta } from './meta.ts';
import { readGroup } from './operations.ts';
import type { GroupHeader } from './operations.ts';
import { checkPages } from './pages.ts';
import { DEAD_LETTER_CODEC, FUNCTION_CODEC, SOURCE_CODEC } from './records.ts';
import type { Codec } from './records.ts';
import { childKey, familyOf, readChild } from './tables.ts';
import { dueKey, readTimer } from './timers.ts';

export interface StoreCheck {
  /** One line each, at most 1,000. Empty: the store is sound. */
  readonly findings: readonly string[];
  readonly workers: number;
  /** Inputs without an outcome, as far as they are in the tables. */
  readonly inputs: number;
  /** In the journal. */
  readonly groups: number;
}

const MAX_FINDINGS = 1_000;
/** By the worker's id alone. */
const ONE_PER_WORKER: readonly Table[] = [TABLES.states, TABLES.configs, TABLES.waiting];
/** Tables whose rows belong to a worker. */
const OF_WORKERS: readonly Table[] = [...ONE_PER_WORKER, TABLES.blocks, TABLES.inputs, TABLES.keys, TABLES.timers];

/** Nobody may write to the file meanwhile. Throws `store_failed` for one that cannot be opened. */
export async function checkStore(path: string): Promise<StoreCheck> {
  const { findings } = checkPages(path);
  if (findings.length > 0) return { findings, workers: 0, inputs: 0, groups: 0 };
  const lockFile = `${path}-lock`;
  const isAlone = !existsSync(lockFile);
  const environment = new Environment(path, { isReadOnly: true });
  try {
    return new Check(environment).run();
  } finally {
    await environment.close();
    // LMDB's own, for its readers. A backup has none, and needs none.
    if (isAlone) rmSync(lockFile, { force: true });
  }
}

class Check {
  readonly #environment: Environment;
  readonly #findings: string[] = [];
  readonly #counts = new Map<string, Record<Rest, number>>();
  #workers = 0;
  #inputs = 0;
  #groups = 0;
  #newestFold = 0;
  /** Version of the oldest rows that there may be: a store that has not been opened yet by this version is checked, too. */
  #oldest = OLDEST_ROWS;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  run(): StoreCheck {
    const value = this.#environment.get(META_KEY);
    if (value === undefined) this.#tell('the first record is missing');
    const meta = value === undefined ? null : readable(this.#tell, 'the first record', () => readMeta(value));
    if (meta !== null) this.#oldest = Math.min(meta.format, OLDEST_ROWS);
    this.#checkTables();
    this.#checkWorkers();
    for (const table of OF_WORKERS) this.#checkOwners(table);
    this.#checkEndedKeys();
    this.#checkDueTimers();
    this.#checkChildren();
    this.#checkRecords();
    if (meta !== null) this.#checkJournal(meta);
    const findings = this.#findings.slice(0, MAX_FINDINGS);
    if (findings.length < this.#findings.length) findings.push('there is more');
    return { findings, workers: this.#workers, inputs: this.#inputs, groups: this.#groups };
  }

  readonly #tell: Tell = (finding) => {
    if (this.#findings.length <= MAX_FINDINGS) this.#findings.push(finding);
  };

  #rows(table: Table): Iterable<Pair> {
    return this.#environment.range({ start: startOfTable(table), end: endOfTable(table) });
  }

  #read<T>(tell: Tell, what: string, row: Pair, read: (from: Decoder) => T): T | null {
    return readable(tell, what, () => whole(row, this.#oldest, read));
  }

  /** Every key is of a table: what lies between them is skipped table by table. */
  #checkTables(): void {
    let start: Buffer = Buffer.of(0);
    for (const table of [...Object.values(TABLES)].sort()) {
      const [foreign] = this.#environment.range({ start, end: startOfTable(table), limit: 1 });
      if (foreign !== undefined) this.#tell(`there is a record of no table before table ${table}`);
      start = endOfTable(table);
    }
    const [foreign] = this.#environment.range({ start, end: Buffer.alloc(16, 0xff), limit: 1 });
    if (foreign !== undefined) this.#tell('there is a record of no table behind the last one');
  }

  #checkWorkers(): void {
    for (const pair of this.#rows(TABLES.workers)) {
      this.#workers++;
      const row = checkWorker(this.#environment, pair, this.#oldest, this.#tell);
      if (row === null) continue;
      const { kind, rest, waiting } = row.summary;
      this.#inputs += waiting.messages;
      this.#newestFold = Math.max(this.#newestFold, row.foldedGroup);
      const counts = this.#counts.get(kind) ?? { hibernated: 0, stopped: 0, failed: 0 };
      counts[rest]++;
      this.#counts.set(kind, counts);
    }
  }

  #checkOwners(table: Table): void {
    let known = '';
    for (const { key } of this.#rows(table)) {
      const workerId = ONE_PER_WORKER.includes(table) ? nameOf(key) : workerOf(key);
      if (workerId === known) continue;
      known = workerId;
      if (this.#environment.get(nameKey(TABLES.workers, workerId)) === undefined)
        this.#tell(`worker ${workerId}: is not there, and has records in table ${table}`);
    }
  }

  #checkEndedKeys(): void {
    for (const row of this.#rows(TABLES.endedKeys)) {
      const { key } = row;
      const rest = restAfterTime(key);
      readable(this.#tell, 'when an idempotency key is to be forgotten', () => requireEmpty(row, this.#oldest));
      const keyOfKey = Buffer.concat([startOfTable(TABLES.keys), rest]);
      const value = this.#environment.get(keyOfKey);
      // One that cannot be read is told of with its worker.
      const keyed = value === undefined ? null : this.#read(IGNORED, '', { key: keyOfKey, value }, readKey);
      if (value !== undefined && keyed === null) continue;
      const ended = keyed?.ended ?? null;
      if (ended === null || !timeKey(TABLES.endedKeys, ended.endedAtMs, rest).equals(key))
        this.#tell('an idempotency key is to be forgotten that is not there');
    }
  }

  #checkDueTimers(): void {
    for (const due of this.#rows(TABLES.dueTimers)) {
      const { key } = due;
      const timer = this.#read(this.#tell, 'a timer that will be due', due, readTimer);
      if (timer === null) continue;
      const row = Buffer.concat([startOfTable(TABLES.timers), restAfterTime(key)]);
      if (this.#environment.get(row) === undefined || !dueKey(timer, row).equals(key))
        this.#tell(`timer ${timer.timerId} will be due, and belongs to no worker`);
    }
  }

  /** That a worker's own row has one here is checked with the worker. */
  #checkChildren(): void {
    for (const row of this.#rows(TABLES.children)) {
      const child = this.#read(this.#tell, `a child of worker ${workerOf(row.key)}`, row, readChild);
      if (child === null) continue;
      const key = nameKey(TABLES.workers, child.workerId);
      const value = this.#environment.get(key);
      // One that cannot be read is told of itself.
      const family =
        value === undefined ? null : readable(IGNORED, '', () => familyOf(new Decoder(value, key, this.#oldest)));
      if (value !== undefined && family === null && !isIntact(value, key, this.#oldest)) continue;
      if (family === null || !childKey(family).equals(row.key))
        this.#tell(
          `worker ${child.workerId} is not the child of worker ${workerOf(row.key)}, and is among its children`,
        );
    }
  }

  #checkRecords(): void {
    this.#checkNames('source', TABLES.sources, SOURCE_CODEC);
    this.#checkNames('function', TABLES.functions, FUNCTION_CODEC);
    this.#checkNames('dead letter', TABLES.deadLetters, DEAD_LETTER_CODEC);
  }

  #checkNames<R>(what: string, table: Table, codec: Codec<R>): void {
    for (const row of this.#rows(table)) {
      const name = nameOf(row.key);
      const record = this.#read(this.#tell, `${what} ${name}`, row, (from) => codec.read(from));
      if (record !== null && codec.nameOf(record) !== name)
        this.#tell(`${what} ${name} is in the place of another one`);
    }
  }

  #checkJournal({ foldedGroup, counts }: Meta): void {
    let last: number | null = null;
    for (const row of this.#rows(TABLES.journal)) {
      const number = numberOfGroup(row.key);
      this.#groups++;
      // The oldest may be folded already: they are removed after that was written.
      if (last === null ? number > foldedGroup + 1 : number !== last + 1)
        this.#tell(`group ${last === null ? foldedGroup + 1 : last + 1} of the journal is missing`);
      last = number;
      const header = this.#read(this.#tell, `group ${number} of the journal`, row, readHeader);
      if (header !== null && header.number !== number) this.#tell(`group ${number} of the journal is another one`);
    }
    const newest = Math.max(foldedGroup, last ?? 0);
    if (this.#newestFold > newest)
      this.#tell(`workers know group ${this.#newestFold}, and the journal ends at ${newest}`);
    // With groups behind them the counts are older than the workers.
    if (newest === foldedGroup && !isSame(counts.byKind, this.#counts))
      this.#tell('the workers are not as many as the first record says');
  }
}

const IGNORED: Tell = () => undefined;

/** Of a group of the journal, which is read to its end. */
function readHeader(from: Decoder): GroupHeader {
  return readGroup(
    from,
    () => null,
    () => null,
    () => undefined,
  );
}

function isSame(a: ReadonlyMap<string, Record<Rest, number>>, b: ReadonlyMap<string, Record<Rest, number>>): boolean {
  const isIn = (kind: string, { hibernated, stopped, failed }: Record<Rest, number>) => {
    const other = b.get(kind);
    return other?.hibernated === hibernated && other.stopped === stopped && other.failed === failed;
  };
  return a.size === b.size && [...a].every(([kind, counts]) => isIn(kind, counts));
}

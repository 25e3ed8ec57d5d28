// What an older version wrote, as this one writes it: done once, when the store is opened, before anything else is read of it.
//
//   first record says "nobody older" ─▶ row by row, in transactions of bounded size ─▶ first record says the new format
//
// Whoever dies in between finds rows of both formats, and begins again: what is new already is passed over.
//
// 2 ─▶ 3: rows stay as they are, since they say of which version they are: the first record alone is written. What they lack (parents,
// names of timers) is filled in where they are read, and each is written anew when something of it changes.
//
// 1 ─▶ 2: the checksum of a row is over its key, too, and rows of which the key says all have one. Those that say which workers have inputs
// are made again: the first version had none for a time. A row that is damaged stays as it is:
// it is none of a later version, and is refused where it is read.

import { Encoder, FIRST_VERSION, FORMAT_VERSION, isIntact, OLDEST_ROWS, sealFor } from './codec.ts';
import type { Environment, Pair } from './environment.ts';
import { fault } from './faults.ts';
import { META_KEY, nameKey, nameOf, startOfTable, TABLES } from './keys.ts';
import { writeMeta } from './meta.ts';
import type { Meta } from './meta.ts';
import { summaryOf } from './tables.ts';

/** Bytes of rows in one transaction: they are in memory, and the file needs room for as many. */
const SLICE_BYTES = 1_024 * 1_024;
const FIRST_KEY = Buffer.of(0);
const END = Buffer.alloc(8, 0xff);

/** Rows that are rewritten so far. */
export interface UpgradeProgress {
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

interface UpgradeOptions {
  onUpgrade?(progress: UpgradeProgress): void;
  /** Of rows, in one transaction. Default 1 MiB. */
  readonly sliceBytes?: number;
}

/** Resolves to the first record as it is then. Rejects with `store_failed`: then the next opening goes on. */
export async function upgrade(environment: Environment, meta: Meta, options: UpgradeOptions = {}): Promise<Meta> {
  if (meta.format === FORMAT_VERSION) return meta;
  // Its row is of the new version from here on, which an older runtime refuses.
  await putMeta(environment, meta);
  let rows = 0;
  for (let start: Buffer | null = meta.format < OLDEST_ROWS ? FIRST_KEY : null; start !== null;) {
    const slice = readSlice(environment, start, options.sliceBytes ?? SLICE_BYTES);
    await environment.write((writer) => {
      for (const { key, value } of slice.changed) writer.put(key, value);
    });
    fault('upgrade');
    rows += slice.changed.length;
    options.onUpgrade?.({ from: meta.format, to: FORMAT_VERSION, rows });
    start = slice.next;
  }
  const upgraded = { ...meta, format: FORMAT_VERSION };
  await putMeta(environment, upgraded);
  return upgraded;
}

async function putMeta(environment: Environment, meta: Meta): Promise<void> {
  await environment.write((writer) => writer.put(META_KEY, writeMeta(new Encoder(), meta)));
}

function readSlice(
  environment: Environment,
  start: Buffer,
  sliceBytes: number,
): { readonly changed: readonly Pair[]; readonly next: Buffer | null } {
  const changed: Pair[] = [];
  let bytes = 0;
  for (const row of environment.range({ start, end: END })) {
    bytes += row.key.length + row.value.length;
    const value = resealed(row);
    if (value !== null) changed.push({ key: row.key, value });
    if (value !== null && hasInputs({ key: row.key, value })) changed.push(waitingRow(nameOf(row.key)));
    if (bytes >= sliceBytes) return { changed, next: Buffer.concat([row.key, FIRST_KEY]) };
  }
  return { changed, next: null };
}

/** Null: it stays as it is. */
function resealed({ key, value }: Pair): Buffer | null {
  const isOfKeyAlone = KEY_ALONE.includes(key.toString('latin1', 0, 1));
  if (isOfKeyAlone && value.length === 0) return new Encoder().sealedCopy(key);
  if (key.equals(META_KEY) || isIntact(value, key) || !isIntact(value, key, FIRST_VERSION)) return null;
  const copy = Buffer.from(value);
  sealFor(key, copy, OLDEST_ROWS);
  return copy;
}

function hasInputs(row: Pair): boolean {
  return row.key[0] === startOfTable(TABLES.workers)[0] && summaryOf(row).waiting.messages > 0;
}

function waitingRow(workerId: string): Pair {
  const key = nameKey(TABLES.waiting, workerId);
  return { key, value: new Encoder().sealedCopy(key) };
}

const KEY_ALONE: readonly string[] = [TABLES.waiting, TABLES.endedKeys];

// Rows as they are read: with their checksum, which is over key and value. A row whose key is damaged is not where it is looked for: it lies
// beside its place, since keys are in order (see pages.ts). So where nothing is found, and at the ends of what is gone through, the rows
// beside it are looked at: whether one of them has the checksum that it would have in the right place.

import { corrupt, Decoder, isIntact } from './codec.ts';
import type { Environment, Pair } from './environment.ts';
import { startOfTable, TABLES } from './keys.ts';

/** Undefined if there is none. Throws `store_corrupt` and `store_version`. */
export function readRow(environment: Environment, key: Buffer): Decoder | undefined {
  const value = environment.get(key);
  if (value !== undefined) return new Decoder(value, key);
  requireNoneStrayed(environment, key);
  return undefined;
}

/** All whose keys begin like that, with a byte at the end that is not 0xff. Throws `store_corrupt` and `store_version` on the way, or at the end. */
export function* readRows(environment: Environment, prefix: Buffer): Generator<{ key: Buffer; from: Decoder }> {
  const range = { start: prefix, end: endOf(prefix) };
  for (const { key, value } of environment.range(range)) yield { key, from: new Decoder(value, key) };
  const [wrongKey] = strayedRows(environment, prefix);
  if (wrongKey !== undefined) throw corrupt();
}

/** Throws `store_corrupt` if the row of that key lies beside its place. */
export function requireNoneStrayed(environment: Environment, key: Buffer): void {
  const [wrongKey] = strayedRow(environment, key);
  if (wrongKey !== undefined) throw corrupt();
}

/** Throws `store_corrupt` if a row of a table lies in another one, or in none. */
export function requireTables(environment: Environment): void {
  for (const table of Object.values(TABLES)) {
    const [wrongKey] = strayedRows(environment, startOfTable(table));
    if (wrongKey !== undefined) throw corrupt(`A record of table ${table} of the store is in the wrong place.`);
  }
}

/** The key under which the row of that key lies, if it does not lie in its place. */
export function strayedRow(environment: Environment, key: Buffer): Iterable<Buffer> {
  return strayed(
    environment,
    key,
    Buffer.concat([key, FIRST]),
    (row) => isIntact(row.value, key) || isCutWrong(row, key),
  );
}

/** The same of rows whose keys begin like that: those that lie before the first, or behind the last of them. */
export function strayedRows(environment: Environment, prefix: Buffer): Iterable<Buffer> {
  const inPlace = (key: Buffer): Buffer => Buffer.concat([prefix, key.subarray(prefix.length)]);
  return strayed(environment, prefix, endOf(prefix), ({ key, value }) => isIntact(value, inPlace(key)));
}

/** Keys of the rows beside a range that belong into it. */
function* strayed(
  environment: Environment,
  start: Buffer,
  end: Buffer,
  belongs: (row: Pair) => boolean,
): Generator<Buffer> {
  for (const row of environment.range({ start: FIRST, end: start, isReverse: true, limit: 1 }))
    if (belongs(row)) yield row.key;
  for (const row of environment.range({ start: end, end: LAST, limit: 1 })) if (belongs(row)) yield row.key;
}

/** Whether it may be the row of that key, with a length of the key that is damaged: on disk the value follows the key at once. */
function isCutWrong(row: Pair, key: Buffer): boolean {
  const bytes = Buffer.concat([row.key, row.value.subarray(0, key.length)]);
  return bytes.subarray(0, key.length).equals(key) && !isIntact(row.value, row.key);
}

function endOf(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) as number) + 1;
  return end;
}

const FIRST = Buffer.of(0);
const LAST = Buffer.alloc(8, 0xff);

// Rows as they are read: with their checksum, which is over key and value. A row whose key is damaged is not where it is looked for: it lies
// beside its place, since keys are in order (see pages.ts). So where nothing is found, and at the ends of what is gone through, the rows
// beside it are looked at: whether one of them has the checksum that it would have in the right place.

import { corrupt, Decoder, isIntact } from './codec.ts';
import type { Environment } from './environment.ts';
import { endOfTable, startOfTable, TABLES } from './keys.ts';

/** Undefined if there is none. Throws `store_corrupt` and `store_version`. */
export function readRow(environment: Environment, key: Buffer): Decoder | undefined {
  const value = environment.get(key);
  if (value !== undefined) return new Decoder(value, key);
  requireNoneStrayed(environment, key);
  return undefined;
}

/** All whose keys begin like that, with a byte at the end that is not 0xff. Throws `store_corrupt` and `store_version` on the way, or at the end. */
export function* readRows(environment: Environment, prefix: Buffer): Generator<{ key: Buffer; from: Decoder }> {
  const end = endOf(prefix);
  for (const { key, value } of environment.range({ start: prefix, end })) yield { key, from: new Decoder(value, key) };
  if (hasStrayedFrom(environment, prefix, end, (key) => inPlace(prefix, key))) throw corrupt();
}

/** Throws `store_corrupt` if the row of that key lies beside its place. */
export function requireNoneStrayed(environment: Environment, key: Buffer): void {
  if (hasStrayedFrom(environment, key, Buffer.concat([key, FIRST]), () => key)) throw corrupt();
}

/** Throws `store_corrupt` if a row of a table lies in another one, or in none. */
export function requireTables(environment: Environment): void {
  for (const table of Object.values(TABLES)) {
    const start = startOfTable(table);
    if (hasStrayedFrom(environment, start, endOfTable(table), (key) => inPlace(start, key)))
      throw corrupt(`A record of table ${table} of the store is in the wrong place.`);
  }
}

/** `rightKey` is the key that a row beside the range would have in the range. */
function hasStrayedFrom(
  environment: Environment,
  start: Buffer,
  end: Buffer,
  rightKey: (key: Buffer) => Buffer,
): boolean {
  for (const { key, value } of environment.range({ start: FIRST, end: start, isReverse: true, limit: 1 }))
    if (isIntact(value, rightKey(key))) return true;
  for (const { key, value } of environment.range({ start: end, end: LAST, limit: 1 }))
    if (isIntact(value, rightKey(key))) return true;
  return false;
}

function inPlace(prefix: Buffer, key: Buffer): Buffer {
  return Buffer.concat([prefix, key.subarray(prefix.length)]);
}

function endOf(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) as number) + 1;
  return end;
}

const FIRST = Buffer.of(0);
const LAST = Buffer.alloc(8, 0xff);

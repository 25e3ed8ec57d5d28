// The store's first record: what it is, and where its journal begins.

import { randomBytes } from 'node:crypto';
import { Counts } from './counts.ts';
import { Decoder, FIRST_VERSION, FORMAT_VERSION } from './codec.ts';
import type { Encoder } from './codec.ts';
import { corrupt } from './codec.ts';
import type { Environment } from './environment.ts';
import { META_KEY } from './keys.ts';

export interface Meta {
  /** Of the oldest rows that there may be. */
  readonly format: number;
  readonly inputIdPrefix: string;
  /** How often the store was opened. */
  readonly run: number;
  /** Inputs of runs so far may have any number below it. */
  readonly reservedSeq: number;
  /** Groups up to this one are in the tables. */
  readonly foldedGroup: number;
  /** As of that group. */
  readonly counts: Counts;
}

/** Its checksum leaves the key out, in every version: so an older runtime can read that it is too old. */
const NO_KEY = Buffer.alloc(0);

export function writeMeta(to: Encoder, meta: Meta): Buffer {
  to.reset();
  to.varint(meta.format);
  to.text(meta.inputIdPrefix);
  to.varint(meta.run);
  to.varint(meta.reservedSeq);
  to.varint(meta.foldedGroup);
  meta.counts.write(to);
  return to.sealedCopy(NO_KEY);
}

/** Of a store that is there, or a new one. Throws `store_corrupt` if it cannot be read, or is missing. */
export function openMeta(environment: Environment): Meta {
  const value = environment.get(META_KEY);
  if (value !== undefined) return readMeta(value);
  const [other] = environment.range({ start: Buffer.of(0), end: Buffer.of(0xff), limit: 1 });
  if (other !== undefined) throw corrupt("The store's first record is missing.");
  return { ...FIRST_META, inputIdPrefix: `${Date.now().toString(36)}${randomBytes(4).toString('hex')}-` };
}

export function readMeta(value: Buffer): Meta {
  const from = decoderOf(value);
  return {
    format: from.varint(),
    inputIdPrefix: from.text(),
    run: from.varint(),
    reservedSeq: from.varint(),
    foldedGroup: from.varint(),
    counts: Counts.read(from),
  };
}

export const FIRST_META: Omit<Meta, 'inputIdPrefix'> = {
  format: FORMAT_VERSION,
  run: 0,
  reservedSeq: 1,
  foldedGroup: 0,
  counts: new Counts(),
};

function decoderOf(value: Buffer): Decoder {
  try {
    return new Decoder(value, NO_KEY, FIRST_VERSION);
  } catch (error) {
    throw (error as { code?: unknown }).code === 'store_version'
      ? error
      : corrupt("The store's first record cannot be read.");
  }
}

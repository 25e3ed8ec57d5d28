// A worker's rows: its record, what a listing reads of it, and how all of them are erased.

import type { WireError } from '../errors.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Isolation } from '../protocol/views.ts';
import type { Rest, StoredSummary } from '../store/store.ts';
import { Decoder, isIntact } from './codec.ts';
import type { Encoder } from './codec.ts';
import type { Environment, Pair, Writer } from './environment.ts';
import { readKey } from './inputs.ts';
import {
  endOfTable,
  nameKey,
  nameOf,
  startOfTable,
  TABLES,
  timeKey,
  workerNumberKey,
  workerPrefix,
  workerRange,
} from './keys.ts';
import type { Table } from './keys.ts';
import { readFailure, readIsolation, REST_BYTES, restOf, writeIsolation } from './operations.ts';
import { readRow, strayedRow, strayedRows } from './rows.ts';
import { dueKey, readTimer } from './timers.ts';
import type { Block, TranscriptRecord } from './transcript.ts';

/** A longer config has a row of its own: it never changes, and a listing need not read it. */
const ROW_CONFIG_CHARS = 256;

/** Whose child a worker is, and its place among those. */
export interface Family {
  readonly parentId: string;
  readonly ordinal: number;
}

/** One worker's row. What a listing needs comes first. */
export interface WorkerRow {
  readonly summary: StoredSummary;
  /** Null: it was created from outside. */
  readonly family: Family | null;
  readonly isolation: Isolation | null;
  /** Groups up to this one are in the worker's rows. */
  readonly foldedGroup: number;
  readonly failure: WireError | null;
  readonly stateVersion: number;
  /** Null: it is large, and has a row of its own. */
  readonly config: Payload | null;
  readonly transcript: TranscriptRecord;
}

export function writeWorkerRow(to: Encoder, row: WorkerRow): void {
  const { summary, transcript } = row;
  to.text(summary.kind);
  to.payload(summary.displayName);
  to.number(summary.createdAtMs);
  to.byte(REST_BYTES[summary.rest]);
  to.varint(summary.waiting.messages);
  to.varint(summary.waiting.bytes);
  to.payload(row.family?.parentId ?? null);
  if (row.family !== null) to.varint(row.family.ordinal);
  writeIsolation(to, row.isolation);
  to.varint(row.foldedGroup);
  to.payload(row.failure === null ? null : JSON.stringify(row.failure));
  to.varint(row.stateVersion);
  to.payload(row.config);
  to.varint(transcript.first);
  to.varint(transcript.last);
  to.varint(transcript.blocks.length);
  for (const block of transcript.blocks) {
    to.varint(block.first);
    to.varint(block.count);
    to.varint(block.bytes);
    to.varint(block.valueBytes);
    to.number(block.newestAtMs);
  }
}

export function readWorkerRow(workerId: string, from: Decoder): WorkerRow {
  const summary = readSummary(workerId, from);
  const family = readFamily(from);
  // Version 2 moved no worker to a host of its own.
  const isolation = from.version < 3 ? null : readIsolation(from);
  const foldedGroup = from.varint();
  const failure = readFailure(from);
  const stateVersion = from.varint();
  const config = from.payload();
  const first = from.varint();
  const last = from.varint();
  const blocks: Block[] = [];
  for (let left = from.varint(); left > 0; left--)
    blocks.push({
      first: from.varint(),
      count: from.varint(),
      bytes: from.varint(),
      valueBytes: from.varint(),
      newestAtMs: from.number(),
    });
  return {
    summary,
    family,
    isolation,
    foldedGroup,
    failure,
    stateVersion,
    config,
    transcript: { first, last, blocks },
  };
}

/** A worker in a listing, by its row alone; `failed` if that cannot be read. */
export function summaryOf({ key, value }: Pair): StoredSummary {
  const workerId = nameOf(key);
  return isIntact(value, key) ? readSummary(workerId, new Decoder(value, key)) : { workerId, ...UNREADABLE };
}

/** Of a worker's row alone. */
export function familyOf(from: Decoder): Family | null {
  readSummary('', from);
  return readFamily(from);
}

/** What is said of a worker whose row cannot be read. */
export const UNREADABLE: Omit<StoredSummary, 'workerId'> = {
  kind: '',
  displayName: null,
  createdAtMs: 0,
  rest: 'failed',
  waiting: { messages: 0, bytes: 0 },
};

const ONE_PER_WORKER = [TABLES.workers, TABLES.states, TABLES.configs, TABLES.waiting];
const MANY_PER_WORKER = [TABLES.blocks, TABLES.inputs, TABLES.keys, TABLES.timers];

/** Removes what lies beside the places of a worker's rows because of damage. */
function eraseStrayed(environment: Environment, writer: Writer, workerId: string): void {
  for (const table of ONE_PER_WORKER)
    for (const key of strayedRow(environment, nameKey(table, workerId))) writer.remove(key);
  for (const table of MANY_PER_WORKER)
    for (const key of strayedRows(environment, workerPrefix(table, workerId))) writer.remove(key);
}

/** Removes all rows of a worker, readable or not, if there are any; of one that is damaged wherever they may lie. */
export function eraseWorker(environment: Environment, writer: Writer, workerId: string, isDamaged: boolean): void {
  if (isDamaged) eraseStrayed(environment, writer, workerId);
  else if (environment.get(nameKey(TABLES.workers, workerId)) === undefined) return;
  eraseChild(environment, writer, workerId);
  for (const table of ONE_PER_WORKER) writer.remove(nameKey(table, workerId));
  for (const table of [TABLES.blocks, TABLES.inputs])
    for (const { key } of environment.range(workerRange(table, workerId))) writer.remove(key);
  for (const { key, value } of environment.range(workerRange(TABLES.keys, workerId))) {
    writer.remove(key);
    const ended = isIntact(value, key) ? readKey(new Decoder(value, key)).ended : null;
    if (ended !== null) writer.remove(timeKey(TABLES.endedKeys, ended.endedAtMs, key.subarray(1)));
  }
  for (const { key, value } of environment.range(workerRange(TABLES.timers, workerId))) {
    writer.remove(key);
    if (isIntact(value, key)) writer.remove(dueKey(readTimer(new Decoder(value, key)), key));
  }
}

/** Among those with inputs that have no outcome, or not any more. */
export function putWaiting(to: Encoder, writer: Writer, workerId: string, isWaiting: boolean): void {
  const key = nameKey(TABLES.waiting, workerId);
  to.reset();
  if (isWaiting) writer.put(key, to.sealedCopy(key));
  else writer.remove(key);
}

/** `isNew`: what never changes is put, too. */
export function putWorker(
  to: Encoder,
  writer: Writer,
  row: WorkerRow & { readonly config: Payload },
  isNew: boolean,
): void {
  const { summary, family, config } = row;
  const key = nameKey(TABLES.workers, summary.workerId);
  const isLarge = config.length > ROW_CONFIG_CHARS;
  if (isNew && isLarge) putPayload(to, writer, nameKey(TABLES.configs, summary.workerId), config);
  if (isNew && family !== null) putChild(to, writer, summary.workerId, family);
  to.reset();
  writeWorkerRow(to, isLarge ? { ...row, config: null } : row);
  writer.put(key, to.sealedCopy(key));
}

function putChild(to: Encoder, writer: Writer, workerId: string, family: Family): void {
  const key = childKey(family);
  to.reset();
  to.varint(family.ordinal);
  to.text(workerId);
  writer.put(key, to.sealedCopy(key));
}

/** Its row among its parent's children. */
export function childKey({ parentId, ordinal }: Family): Buffer {
  return workerNumberKey(TABLES.children, parentId, ordinal);
}

export function readChild(from: Decoder): { readonly ordinal: number; readonly workerId: string } {
  return { ordinal: from.varint(), workerId: from.text() };
}

/** Removes that row. */
function eraseChild(environment: Environment, writer: Writer, workerId: string): void {
  const key = nameKey(TABLES.workers, workerId);
  const value = environment.get(key);
  if (value !== undefined && isIntact(value, key)) {
    const family = familyOf(new Decoder(value, key));
    if (family !== null) writer.remove(childKey(family));
    return;
  }
  // Nobody knows whose child it was: slow, and seldom.
  const range = { start: startOfTable(TABLES.children), end: endOfTable(TABLES.children) };
  for (const row of environment.range(range))
    if (isIntact(row.value, row.key) && readChild(new Decoder(row.value, row.key)).workerId === workerId)
      writer.remove(row.key);
}

function readSummary(workerId: string, from: Decoder): StoredSummary {
  return {
    workerId,
    kind: from.text(),
    displayName: from.payload() as string | null,
    createdAtMs: from.number(),
    rest: restOf(from.byte()) satisfies Rest,
    waiting: { messages: from.varint(), bytes: from.varint() },
  };
}

/** Version 2 knew of no parents. */
function readFamily(from: Decoder): Family | null {
  const parentId = from.version < 3 ? null : (from.payload() as string | null);
  return parentId === null ? null : { parentId, ordinal: from.varint() };
}

/** Null if there is none. */
export function payloadAt(environment: Environment, table: Table, workerId: string): Payload | null {
  return readRow(environment, nameKey(table, workerId))?.payload() ?? null;
}

/** Byte by byte, whether they are text or bytes. */
export function isSamePayload(a: Payload, b: Payload | null): boolean {
  if (a === b) return true;
  if (b === null || (typeof a === 'string' && typeof b === 'string')) return false;
  return Buffer.from(a as string).equals(Buffer.from(b as string));
}

export function putPayload(to: Encoder, writer: Writer, key: Buffer, payload: Payload | null): void {
  to.reset();
  to.payload(payload);
  writer.put(key, to.sealedCopy(key));
}

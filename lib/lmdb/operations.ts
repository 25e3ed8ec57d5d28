// What happens to workers, as the journal holds it: a group is a header and its operations, one value with one checksum.
//
//   group:  seal · number · run · reserved seq · count of operations · operation …
//   an operation on a worker names it by its place among the workers of the group; the first one says its id.

import type { WireError } from '../errors.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Isolation } from '../protocol/views.ts';
import type { Ending, Rest, StoredInput, StoredTimer, StoreEvents, WorkerRecord } from '../store/store.ts';
import { corrupt, elementOf } from './codec.ts';
import type { Decoder, Encoder } from './codec.ts';
import { readEnding, readEntry, readInput, writeEnding, writeEntry, writeInput } from './entries.ts';
import type { Entry } from './entries.ts';
import { readRecordOperation, RECORD_CODES, writeRecordOperation } from './records.ts';
import type { RecordOperation } from './records.ts';
import { readTimer, writeTimer } from './timers.ts';
import type { LmdbWorkerStore } from './worker.ts';

/** `begin`: accepted, and its run reserved at once. */
export interface AcceptOperation<Worker> {
  op: 'accept' | 'begin';
  readonly worker: Worker;
  readonly input: StoredInput;
}

/** An operation on a worker; `worker` is null when a journal is read again and the worker is gone, or knows the operation already. */
export type WorkerOperation<Worker> =
  | {
      readonly op: 'create';
      readonly worker: Worker;
      readonly record: WorkerRecord;
      /** Its place among its parent's children; 0 without a parent. */
      readonly ordinal: number;
    }
  | AcceptOperation<Worker>
  | {
      readonly op: 'start';
      readonly worker: Worker;
      readonly seq: number;
      readonly attempt: number;
      readonly input: StoredInput | null;
    }
  | { readonly op: 'recall'; readonly worker: Worker; readonly seq: number; readonly input: StoredInput | null }
  | {
      readonly op: 'end';
      readonly worker: Worker;
      readonly seq: number;
      readonly ending: Ending;
      readonly input: StoredInput | null;
    }
  | { readonly op: 'append'; readonly worker: Worker; readonly entry: Entry }
  | { readonly op: 'state'; readonly worker: Worker; state: Payload; stateVersion: number }
  | {
      readonly op: 'rest';
      readonly worker: Worker;
      /** What is counted: the kind, and what the rest was before. */
      readonly kind: string;
      readonly from: Rest;
      readonly rest: Rest;
      readonly failure: WireError | null;
    }
  | { readonly op: 'isolation'; readonly worker: Worker; readonly isolation: Isolation | null }
  | { readonly op: 'putTimer'; readonly worker: Worker; readonly timer: StoredTimer }
  | { readonly op: 'deleteTimer'; readonly worker: Worker; readonly timerId: number }
  | { readonly op: 'delete'; readonly worker: Worker; readonly kind: string; readonly from: Rest };

export type Operation = WorkerOperation<LmdbWorkerStore> | RecordOperation;
export type ReplayedOperation = WorkerOperation<LmdbWorkerStore | null> | RecordOperation;

export interface GroupHeader {
  readonly number: number;
  /** Which opening of the store wrote it. */
  readonly run: number;
  /** Inputs of this run may have any number below it. */
  readonly reservedSeq: number;
}

const RESTS: readonly Rest[] = ['hibernated', 'stopped', 'failed'];
/** Their places are on disk. */
const ISOLATIONS: readonly (Isolation | null)[] = [null, 'shared', 'dedicated', 'process'];
export const REST_BYTES: Readonly<Record<Rest, number>> = { hibernated: 0, stopped: 1, failed: 2 };

const WORKER_CODES = [
  'create',
  'accept',
  'start',
  'end',
  'append',
  'state',
  'rest',
  'putTimer',
  'deleteTimer',
  'delete',
  'recall',
  'begin',
  'isolation',
] as const satisfies readonly Operation['op'][];
type WorkerCode = (typeof WORKER_CODES)[number];
/** Codes of operations on records begin here: there is room for more on workers. */
const FIRST_RECORD_BYTE = 0x40;
const CODE_BYTES = Object.fromEntries([
  ...WORKER_CODES.map((code, index) => [code, index]),
  ...RECORD_CODES.map((code, index) => [code, FIRST_RECORD_BYTE + index]),
]) as Record<Operation['op'], number>;

export function writeGroup(to: Encoder, header: GroupHeader, operations: readonly Operation[]): void {
  to.varint(header.number);
  to.varint(header.run);
  to.varint(header.reservedSeq);
  to.varint(operations.length);
  const places = new Map<LmdbWorkerStore, number>();
  for (const operation of operations) {
    to.byte(CODE_BYTES[operation.op]);
    if ('worker' in operation) {
      writePlace(to, places, operation.worker);
      writeWorkerOperation(to, operation);
    } else writeRecordOperation(to, operation);
  }
}

/** Reads a group, operation by operation. `find` is asked once for each worker, and once more whenever it is created. */
export function readGroup(
  from: Decoder,
  find: (workerId: string) => LmdbWorkerStore | null,
  create: (record: WorkerRecord, ordinal: number) => LmdbWorkerStore | null,
  apply: (operation: ReplayedOperation) => void,
): GroupHeader {
  const header = { number: from.varint(), run: from.varint(), reservedSeq: from.varint() };
  const ids: string[] = [];
  const workers: (LmdbWorkerStore | null)[] = [];
  for (let left = from.varint(); left > 0; left--) {
    const byte = from.byte();
    if (byte >= FIRST_RECORD_BYTE) {
      apply(readRecordOperation(from, elementOf(RECORD_CODES, byte - FIRST_RECORD_BYTE)));
      continue;
    }
    const code = elementOf(WORKER_CODES, byte);
    const place = from.varint();
    if (place === ids.length) {
      const workerId = from.text();
      ids.push(workerId);
      workers.push(code === 'create' ? null : find(workerId));
    }
    if (code === 'create') {
      const record = readRecord(from, elementOf(ids, place));
      const ordinal = record.parentId === null ? 0 : from.varint();
      workers[place] = create(record, ordinal);
      apply({ op: 'create', worker: elementOf(workers, place), record, ordinal });
    } else apply(readWorkerOperation(from, code, elementOf(workers, place)));
  }
  if (!from.isAtEnd) throw corrupt();
  return header;
}

/** Tells of what was applied, in its order. */
export function tellOf(operations: readonly Operation[], events: StoreEvents): void {
  for (const operation of operations) {
    if (operation.op === 'begin') {
      events.accepted(operation.input);
      events.started(operation.input);
    } else if (operation.op === 'accept') events.accepted(operation.input);
    else if (operation.op === 'start') events.started(operation.input as StoredInput);
    else if (operation.op === 'end') events.ended(operation.input as StoredInput, operation.ending);
  }
}

export function restOf(byte: number): Rest {
  return elementOf(RESTS, byte);
}

// --- private ---

/** Two handles of one id may be in a group, when it was deleted and created again: each has its own place. */
function writePlace(to: Encoder, places: Map<LmdbWorkerStore, number>, worker: LmdbWorkerStore): void {
  const known = places.get(worker);
  const place = known ?? places.size;
  to.varint(place);
  if (known !== undefined) return;
  places.set(worker, place);
  to.text(worker.workerId);
}

function writeWorkerOperation(to: Encoder, operation: WorkerOperation<LmdbWorkerStore>): void {
  switch (operation.op) {
    case 'create':
      writeRecord(to, operation.record);
      if (operation.record.parentId !== null) to.varint(operation.ordinal);
      break;
    case 'accept':
    case 'begin':
      writeInput(to, operation.input, operation.input.attempt);
      break;
    case 'start':
      to.varint(operation.seq);
      to.varint(operation.attempt);
      break;
    case 'recall':
      to.varint(operation.seq);
      break;
    case 'end':
      to.varint(operation.seq);
      writeEnding(to, operation.ending);
      break;
    case 'append':
      writeEntry(to, operation.entry);
      break;
    case 'state':
      to.varint(operation.stateVersion);
      to.payload(operation.state);
      break;
    case 'rest':
      to.text(operation.kind);
      to.byte(REST_BYTES[operation.from]);
      to.byte(REST_BYTES[operation.rest]);
      to.payload(operation.failure === null ? null : JSON.stringify(operation.failure));
      break;
    case 'isolation':
      writeIsolation(to, operation.isolation);
      break;
    case 'putTimer':
      writeTimer(to, operation.timer);
      break;
    case 'deleteTimer':
      to.varint(operation.timerId);
      break;
    case 'delete':
      to.text(operation.kind);
      to.byte(REST_BYTES[operation.from]);
      break;
  }
}

function readWorkerOperation(
  from: Decoder,
  op: Exclude<WorkerCode, 'create'>,
  worker: LmdbWorkerStore | null,
): WorkerOperation<LmdbWorkerStore | null> {
  switch (op) {
    case 'accept':
    case 'begin':
      return { op, worker, input: readInput(from) };
    case 'start':
      return { op, worker, seq: from.varint(), attempt: from.varint(), input: null };
    case 'recall':
      return { op, worker, seq: from.varint(), input: null };
    case 'end':
      return { op, worker, seq: from.varint(), ending: readEnding(from), input: null };
    case 'append':
      return { op, worker, entry: readEntry(from) };
    case 'state': {
      const stateVersion = from.varint();
      return { op, worker, stateVersion, state: from.presentPayload() };
    }
    case 'rest':
      return {
        op,
        worker,
        kind: from.text(),
        from: restOf(from.byte()),
        rest: restOf(from.byte()),
        failure: readFailure(from),
      };
    case 'isolation':
      return { op, worker, isolation: readIsolation(from) };
    case 'putTimer':
      return { op, worker, timer: readTimer(from) };
    case 'deleteTimer':
      return { op, worker, timerId: from.varint() };
    case 'delete':
      return { op, worker, kind: from.text(), from: restOf(from.byte()) };
  }
}

function writeRecord(to: Encoder, record: WorkerRecord): void {
  const { kind, displayName, config, createdAtMs, state, parentId } = record;
  to.text(kind);
  to.payload(displayName);
  to.number(createdAtMs);
  to.payload(config);
  to.payload(state);
  to.payload(parentId);
}

function readRecord(from: Decoder, workerId: string): WorkerRecord {
  const kind = from.text();
  const displayName = from.payload() as string | null;
  const createdAtMs = from.number();
  return {
    workerId,
    kind,
    displayName,
    createdAtMs,
    config: from.presentPayload(),
    state: from.payload(),
    // Version 2 knew of no parents.
    parentId: from.version < 3 ? null : (from.payload() as string | null),
  };
}

export function writeIsolation(to: Encoder, isolation: Isolation | null): void {
  to.byte(ISOLATIONS.indexOf(isolation));
}

export function readIsolation(from: Decoder): Isolation | null {
  return elementOf(ISOLATIONS, from.byte());
}

export function readFailure(from: Decoder): WireError | null {
  const failure = from.payload();
  return failure === null ? null : (JSON.parse(failure as string) as WireError);
}

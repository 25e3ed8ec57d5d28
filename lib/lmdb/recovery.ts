// Reads the journal again when a store is opened: the groups behind those that are in the tables.

import type { WorkerRecord } from '../store/store.ts';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { corrupt, Decoder } from './codec.ts';
import type { Environment } from './environment.ts';
import { fault } from './faults.ts';
import { endOfTable, groupKey, numberOfGroup, TABLES } from './keys.ts';
import { readGroup } from './operations.ts';
import type { GroupHeader, ReplayedOperation } from './operations.ts';
import { requireNoneStrayed } from './rows.ts';
import type { LmdbWorkerStore } from './worker.ts';

/** Groups that are read, of those there are. */
export interface Progress {
  readonly groups: number;
  readonly of: number;
}

export interface ReplayOptions {
  readonly environment: Environment;
  readonly afterGroup: number;
  find(workerId: string): LmdbWorkerStore | undefined;
  create(record: WorkerRecord, ordinal: number): LmdbWorkerStore;
  apply(operation: ReplayedOperation): void;
  onProgress?(progress: Progress): void;
}

export interface Replayed {
  /** Oldest on disk, folded or not. */
  readonly firstGroup: number;
  readonly lastGroup: number;
  /** Inputs of the runs that wrote these groups may have any number below it. */
  readonly reservedSeq: number;
  readonly bytes: number;
}

/** Between two reports of progress, in groups. */
const REPORT_EVERY = 1_000;
/** Main thread that is taken at a time: whoever asks whether the process lives is answered in between. A group is never divided. */
const SLICE_MS = 20;

/** Rejects with `store_corrupt` when a group cannot be read, or is missing between others. */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const { environment, afterGroup } = options;
  const range = { start: groupKey(afterGroup + 1), end: endOfTable(TABLES.journal) };
  const [newest] = environment.range({ ...range, isReverse: true, limit: 1 });
  const of = newest === undefined ? 0 : numberOfGroup(newest.key) - afterGroup;
  const [oldest] = environment.range({ ...range, start: groupKey(0), limit: 1 });
  const firstGroup = oldest === undefined ? afterGroup + 1 : numberOfGroup(oldest.key);
  let [reservedSeq, bytes, expected] = [1, 0, afterGroup + 1];
  for (let isAtEnd = false; !isAtEnd; await nextTurn()) {
    const sliceEndsAt = performance.now() + SLICE_MS;
    isAtEnd = true;
    for (const { key, value } of environment.range({ ...range, start: groupKey(expected) })) {
      if (numberOfGroup(key) !== expected) throw corrupt(`Group ${expected} of the journal is missing.`);
      const header = replayGroup(options, key, value, expected);
      reservedSeq = Math.max(reservedSeq, header.reservedSeq);
      bytes += value.length;
      expected++;
      fault('recovery');
      const groups = expected - afterGroup - 1;
      if (groups % REPORT_EVERY === 0 || groups === of) options.onProgress?.({ groups, of });
      isAtEnd = performance.now() < sliceEndsAt;
      if (!isAtEnd) break;
    }
  }
  // The last one may lie beside its place.
  requireNoneStrayed(environment, groupKey(expected));
  return { firstGroup, lastGroup: expected - 1, reservedSeq, bytes };
}

function replayGroup(options: ReplayOptions, key: Buffer, value: Buffer, group: number): GroupHeader {
  // An operation is left out if the worker's rows have it already, or if the worker is gone: then its deletion is folded.
  const find = (workerId: string): LmdbWorkerStore | null => {
    const worker = options.find(workerId);
    return worker === undefined || worker.foldedGroup >= group ? null : worker;
  };
  const create = (record: WorkerRecord, ordinal: number): LmdbWorkerStore | null => {
    const worker = options.find(record.workerId);
    return worker !== undefined && worker.foldedGroup >= group ? null : options.create(record, ordinal);
  };
  try {
    return readGroup(new Decoder(value, key), find, create, (operation) => options.apply(operation));
  } catch (error) {
    if ((error as { code?: unknown }).code === 'store_version') throw error;
    throw corrupt(`Group ${group} of the journal cannot be read.`);
  }
}

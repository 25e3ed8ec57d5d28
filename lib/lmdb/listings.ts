// What goes across workers: their rows, and those that have changed since they were folded.

import type { SortedWorkers } from '../store/sorted-workers.ts';
import type { StoredSummary, StoredTimer } from '../store/store.ts';
import { Decoder, isIntact } from './codec.ts';
import type { Environment } from './environment.ts';
import { endOfTable, nameKey, nameOf, restAfterTime, startOfTable, TABLES, timeKey, workerOf } from './keys.ts';
import type { Table } from './keys.ts';
import { summaryOf } from './tables.ts';
import { readTimer } from './timers.ts';
import type { LmdbWorkerStore } from './worker.ts';

type Dirty = SortedWorkers<LmdbWorkerStore>;

export interface WorkerTimer {
  readonly workerId: string;
  readonly timer: StoredTimer;
}

/** Workers that are read at once, so that nothing stays open on disk while somebody goes through them. */
const PAGE = 100;

export function* listWorkers(
  environment: Environment,
  dirty: Dirty,
  after: string,
  isHidden: (workerId: string) => boolean,
): Generator<StoredSummary> {
  const end = endOfTable(TABLES.workers);
  for (let last = after; ;) {
    const rows = [...environment.range({ start: nameKey(TABLES.workers, `${last}\0`), end, limit: PAGE })];
    const changed = [...firstOf(dirty.after(last), PAGE)];
    const summaries = new Map<string, StoredSummary>();
    for (const row of rows) summaries.set(nameOf(row.key), summaryOf(row));
    for (const worker of changed) {
      if (worker.isErased) summaries.delete(worker.workerId);
      else summaries.set(worker.workerId, worker.summary());
    }
    const lastRow = rows.length === PAGE ? nameOf((rows.at(-1) as { key: Buffer }).key) : null;
    const lastChanged = changed.length === PAGE ? (changed.at(-1) as LmdbWorkerStore).workerId : null;
    const until = lastRow === null || (lastChanged !== null && lastChanged < lastRow) ? lastChanged : lastRow;
    for (const workerId of [...summaries.keys()].sort())
      if ((until === null || workerId <= until) && !isHidden(workerId)) yield summaries.get(workerId) as StoredSummary;
    if (until === null) return;
    last = until;
  }
}

/** Ascending. */
export function workersWithInputs(environment: Environment, dirty: Dirty): string[] {
  const found = new Set<string>();
  let isSound = true;
  for (const { key, value } of environment.range(rangeOf(TABLES.waiting))) {
    found.add(nameOf(key));
    isSound &&= isIntact(value, key);
  }
  // Somebody's name is wrong in it: all workers are looked at instead.
  if (!isSound) {
    found.clear();
    for (const row of environment.range(rangeOf(TABLES.workers)))
      if (summaryOf(row).waiting.messages > 0) found.add(nameOf(row.key));
  }
  for (const worker of dirty.after()) {
    if (worker.hasOpenInputs) found.add(worker.workerId);
    else found.delete(worker.workerId);
  }
  return [...found].sort();
}

export function timersBefore(
  environment: Environment,
  dirty: Dirty,
  changed: Iterable<LmdbWorkerStore>,
  atMs: number,
  limit: number,
): WorkerTimer[] {
  const found: WorkerTimer[] = [];
  for (const worker of changed)
    for (const timer of worker.timerChanges.values())
      if (timer !== null && timer.dueAtMs < atMs) found.push({ workerId: worker.workerId, timer });
  const isValid = ({ workerId, timer }: WorkerTimer): boolean => {
    const worker = dirty.get(workerId);
    const isOutdated = worker !== undefined && (worker.disownsRows || worker.timerChanges.has(timer.timerId));
    return timer.dueAtMs < atMs && !isOutdated;
  };
  const stored = dueRows(environment, atMs, limit, isValid) ?? timerRows(environment, isValid);
  return [...found, ...stored].sort((a, b) => a.timer.dueAtMs - b.timer.dueAtMs).slice(0, limit);
}

/** By the index of when they are due; null if that is damaged. */
function dueRows(
  environment: Environment,
  atMs: number,
  limit: number,
  isValid: (found: WorkerTimer) => boolean,
): WorkerTimer[] | null {
  const found: WorkerTimer[] = [];
  const end = timeKey(TABLES.dueTimers, atMs + 1, Buffer.alloc(0));
  for (const { key, value } of environment.range(rangeOf(TABLES.dueTimers))) {
    if (found.length === limit) break;
    // Also the first one behind the end: it may be there because its time is damaged.
    if (!isIntact(value, key)) return null;
    if (key.compare(end) >= 0) break;
    const row = { workerId: workerOf(restAfterTime(key), 0), timer: readTimer(new Decoder(value, key)) };
    if (isValid(row)) found.push(row);
  }
  return found;
}

/** All, without the index: slow, and seldom. */
function* timerRows(environment: Environment, isValid: (found: WorkerTimer) => boolean): Generator<WorkerTimer> {
  for (const { key, value } of environment.range(rangeOf(TABLES.timers))) {
    if (!isIntact(value, key)) continue;
    const row = { workerId: workerOf(key), timer: readTimer(new Decoder(value, key)) };
    if (isValid(row)) yield row;
  }
}

function rangeOf(table: Table): { start: Buffer; end: Buffer } {
  return { start: startOfTable(table), end: endOfTable(table) };
}

function* firstOf<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  if (left > 0)
    for (const item of items) {
      yield item;
      if (--left === 0) return;
    }
}

// What goes across workers: their rows, and those that have changed since they were folded.

import type { SortedWorkers } from '../store/sorted-workers.ts';
import type { StoredSummary, StoredTimer } from '../store/store.ts';
import { Decoder } from './codec.ts';
import type { Environment } from './environment.ts';
import { endOfTable, nameKey, nameOf, restAfterTime, startOfTable, TABLES, timeKey } from './keys.ts';
import { readTimer } from './operations.ts';
import { summaryOf } from './tables.ts';
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
    for (const { key, value } of rows) summaries.set(nameOf(key), summaryOf(nameOf(key), value));
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
  const range = { start: startOfTable(TABLES.waiting), end: endOfTable(TABLES.waiting) };
  for (const { key } of environment.range(range)) found.add(nameOf(key));
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
  let left = limit;
  const end = timeKey(TABLES.dueTimers, atMs + 1, Buffer.alloc(0));
  for (const { key, value } of environment.range({ start: startOfTable(TABLES.dueTimers), end })) {
    if (left === 0) break;
    const timer = readTimer(new Decoder(value));
    const workerId = restAfterTime(key).toString('latin1', 0, restAfterTime(key).indexOf(0));
    const worker = dirty.get(workerId);
    if (
      timer.dueAtMs >= atMs ||
      (worker !== undefined && (worker.disownsRows || worker.timerChanges.has(timer.timerId)))
    )
      continue;
    found.push({ workerId, timer });
    left--;
  }
  return found.sort((a, b) => a.timer.dueAtMs - b.timer.dueAtMs).slice(0, limit);
}

function* firstOf<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  if (left > 0)
    for (const item of items) {
      yield item;
      if (--left === 0) return;
    }
}

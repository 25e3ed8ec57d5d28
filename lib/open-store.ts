// Which store a runtime is made of. The durable one is loaded only when it is asked for: it brings a native library along.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { GreenroomError } from './errors.ts';
import type { Limits } from './limits.ts';
import { describeError } from './observe/log.ts';
import type { Logger } from './observe/log.ts';
import { MemoryStore } from './store/memory.ts';
import type { Store } from './store/store.ts';

export interface StoreOptions {
  /** `memory`: everything is gone when the process ends. `lmdb`: it is kept in a file of `dataDir`. Default `memory`. */
  readonly store?: 'memory' | 'lmdb' | undefined;
  /** The folder of a durable store, which needs it; made if it is not there. One runtime at a time may use it. */
  readonly dataDir?: string | undefined;
}

/** In the data dir. */
export const FILE_NAME = 'store.mdb';
export const LOCK_NAME = 'store.lock';
const ONLY_OWNER_DIR = 0o700;
/** A recovery may report its progress as often as it likes; a line is written no more often than this. */
const PROGRESS_EVERY_MS = 1_000;

/** Rejects with `invalid_option`, or as `createRuntime` does when a durable store cannot be opened. */
export async function openStore(
  { store = 'memory', dataDir }: StoreOptions,
  limits: Limits,
  log: Logger,
): Promise<Store> {
  const { maxTranscriptEntries: maxEntries, maxTranscriptBytes: maxBytes, maxTranscriptAgeMs: maxAgeMs } = limits;
  const bounds = { maxEntries, maxBytes, maxAgeMs };
  switch (store) {
    case 'memory':
      return new MemoryStore(bounds);
    case 'lmdb':
      if (dataDir === undefined || dataDir === '') throw invalidOption('dataDir must be given for the store lmdb');
      return openDurable(dataDir, { bounds, limits, log });
    default:
      throw invalidOption(`store must be memory or lmdb, not ${JSON.stringify(store)}`);
  }
}

async function openDurable(
  path: string,
  parts: { readonly bounds: MemoryStore['bounds']; readonly limits: Limits; readonly log: Logger },
): Promise<Store> {
  const { bounds, limits, log } = parts;
  makeFolder(path);
  const [{ LmdbStore }, { takeLock }] = await Promise.all([import('./lmdb/store.ts'), import('./lmdb/lock.ts')]);
  const lock = takeLock(join(path, LOCK_NAME));
  const startedAt = performance.now();
  const elapsedMs = (): number => Math.round(performance.now() - startedAt);
  log.info({}, 'the store is being opened');
  const { idempotencyTtlMs } = limits;
  const tellUpgrade = progressLog(log, elapsedMs, 'the store is being upgraded');
  let upgraded: object | null = null;
  let store: Store;
  try {
    store = await LmdbStore.open({
      path: join(path, FILE_NAME),
      limits: bounds,
      idempotencyTtlMs,
      onProgress: progressLog(log, elapsedMs, 'the store is being recovered'),
      onUpgrade: (progress) => tellUpgrade((upgraded = progress)),
      onFoldError: (error) => log.error(describeError(error), 'the journal could not be put into the tables yet'),
      onClosed: () => lock.release(),
    });
  } catch (error) {
    lock.release();
    throw error;
  }
  if (upgraded !== null) log.info(upgraded, 'the store was upgraded');
  const { fileBytes = 0, journalBytes = 0 } = store.figures() ?? {};
  const figures = { workers: countOf(store), file_bytes: fileBytes, journal_bytes: journalBytes };
  log.info({ ...figures, elapsed_ms: elapsedMs() }, 'the store is open');
  return store;
}

/** Writes a line per PROGRESS_EVERY_MS at most, however often it is told. `elapsedMs` is the time since the opening began. */
export function progressLog(log: Logger, elapsedMs: () => number, text: string): (progress: object) => void {
  let toldAtMs = 0;
  return (progress) => {
    const atMs = elapsedMs();
    if (atMs - toldAtMs < PROGRESS_EVERY_MS) return;
    toldAtMs = atMs;
    log.info({ ...progress, elapsed_ms: atMs }, text);
  };
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: ONLY_OWNER_DIR });
  } catch (cause) {
    const reason = describeError(cause).error_code ?? 'unknown';
    throw GreenroomError.of('store_failed', { message: `The data dir cannot be made (${reason}).`, cause });
  }
}

function countOf(store: Store): number {
  let total = 0;
  for (const { hibernated, stopped, failed } of store.counts().values()) total += hibernated + stopped + failed;
  return total;
}

function invalidOption(message: string): GreenroomError {
  return GreenroomError.of('invalid_option', { message });
}

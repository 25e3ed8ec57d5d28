// A replay of a worker of a durable store. What is opened is a copy: opening a store writes to it (what is not in its place yet, a newer
// version, what is beyond the bounds), and a replay must leave everything as it is.

import { constants, existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { takeLock } from '../lmdb/lock.ts';
import { describeError } from '../observe/log.ts';
import { FILE_NAME, LOCK_NAME, openStore } from '../open-store.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Store } from '../store/store.ts';
import { Catalog } from '../supervisor/catalog.ts';
import { replay } from './replay.ts';
import type { ReplayReport } from './replay.ts';

export interface StoredReplay {
  /** The folder of a store that no runtime uses meanwhile, or a file that nobody writes: a backup. */
  readonly from: { readonly dataDir: string } | { readonly file: string };
  readonly workerId: string;
  /** As for a runtime; the one of the worker's kind is fed. */
  readonly actors: readonly (string | URL)[];
  /** See ReplayOptions. */
  readonly fromState: Payload | null;
  readonly inputTimeoutMs: number;
  readonly limits: Limits;
  readonly log: Logger;
}

/**
 * Rejects as `replay` does, with `worker_not_found`, `actor_not_found`, what keeps the store from being opened (`store_in_use` while a
 * runtime uses it, `invalid_option` when there is none), and `store_corrupt` for a worker that cannot be read.
 */
export async function replayStored({ from, workerId, actors, ...options }: StoredReplay): Promise<ReplayReport> {
  const catalog = await Catalog.load(actors, options.limits);
  const dataDir = await mkdtemp(join(tmpdir(), 'greenroom-replay-'));
  try {
    await copyStore(from, join(dataDir, FILE_NAME));
    const store = await openStore({ store: 'lmdb', dataDir }, { ...options.limits, ...UNBOUNDED }, options.log);
    try {
      const worker = requireReadable(store, workerId);
      const { module } = catalog.require(worker.kind);
      return await replay(worker, { ...options, module, inputIdPrefix: store.inputIdPrefix });
    } finally {
      await store.close();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** What is kept is read, whatever the bounds of this configuration would leave of it. */
const UNBOUNDED = { maxTranscriptEntries: Infinity, maxTranscriptBytes: Infinity, maxTranscriptAgeMs: Infinity };

async function copyStore(from: StoredReplay['from'], to: string): Promise<void> {
  if ('file' in from) return copy(from.file, to);
  const file = join(from.dataDir, FILE_NAME);
  // Before the lock, which would be made beside it.
  if (!existsSync(file))
    throw GreenroomError.of('invalid_option', { message: 'There is no durable store in the data dir.' });
  const lock = takeLock(join(from.dataDir, LOCK_NAME));
  try {
    await copy(file, to);
  } finally {
    lock.release();
  }
}

async function copy(file: string, to: string): Promise<void> {
  try {
    // Where the file system can share the blocks of both it is done at once.
    await copyFile(file, to, constants.COPYFILE_FICLONE);
  } catch (cause) {
    const reason = describeError(cause).error_code ?? 'unknown';
    throw GreenroomError.of('invalid_option', { message: `The store cannot be read (${reason}).`, cause });
  }
}

function requireReadable(store: Store, workerId: string) {
  const worker = store.find(workerId);
  if (worker === undefined) throw GreenroomError.of('worker_not_found');
  if (worker.failure?.code === 'store_corrupt') throw GreenroomError.fromWire(worker.failure);
  return worker;
}

// A replay of a worker of a durable store that no runtime uses at the time.

import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { openStore } from '../open-store.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Store } from '../store/store.ts';
import { Catalog } from '../supervisor/catalog.ts';
import { replay } from './replay.ts';
import type { ReplayReport } from './replay.ts';

export interface StoredReplay {
  /** The folder of the store. */
  readonly dataDir: string;
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
 * runtime uses it), and `store_corrupt` for a worker that cannot be read.
 */
export async function replayStored({ dataDir, workerId, actors, ...options }: StoredReplay): Promise<ReplayReport> {
  const { limits, log } = options;
  const catalog = await Catalog.load(actors, limits);
  const store = await openStore({ store: 'lmdb', dataDir }, limits, log);
  try {
    const worker = requireReadable(store, workerId);
    const { module } = catalog.require(worker.kind);
    return await replay(worker, { ...options, module, inputIdPrefix: store.inputIdPrefix });
  } finally {
    await store.close();
  }
}

function requireReadable(store: Store, workerId: string) {
  const worker = store.find(workerId);
  if (worker === undefined) throw GreenroomError.of('worker_not_found');
  if (worker.failure?.code === 'store_corrupt') throw GreenroomError.fromWire(worker.failure);
  return worker;
}

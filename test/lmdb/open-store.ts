// Durable stores in a folder that is gone when the test ends.

import path from 'node:path';
import type { TestContext } from 'node:test';
import { LmdbStore } from '../../lib/lmdb/store.ts';
import type { LmdbStoreOptions } from '../../lib/lmdb/store.ts';
import { eventually, temporaryFolder } from '../support/start-runtime.ts';

export interface StoreFile {
  readonly file: string;
  /** Closed when the test ends, if it is not closed before. */
  open(more?: Partial<LmdbStoreOptions>): Promise<LmdbStore>;
}

export function newStoreFile(t: TestContext): StoreFile {
  const file = path.join(temporaryFolder(t), 'store.mdb');
  return {
    file,
    async open(more = {}) {
      const limits = { maxEntries: 100, maxBytes: 1_000_000, maxAgeMs: Infinity };
      const store = await LmdbStore.open({ path: file, limits, idempotencyTtlMs: 60_000, ...more });
      t.after(() => store.close());
      return store;
    },
  };
}

/** Resolves when nothing is left in the journal. */
export function folded(store: LmdbStore): Promise<true> {
  return eventually(() => store.figures().journalBytes === 0);
}

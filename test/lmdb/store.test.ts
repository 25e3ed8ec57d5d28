import { copyFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { LmdbStore } from '../../lib/lmdb/store.ts';
import type { LmdbStoreOptions } from '../../lib/lmdb/store.ts';
import type { TranscriptBounds } from '../../lib/store/store.ts';
import { durableStoreContract } from '../contract/durable-store.ts';
import type { StorePlace } from '../contract/durable-store.ts';
import { storeContract } from '../contract/store.ts';
import { storeFamiliesContract } from '../contract/store-families.ts';
import { storeInputsContract } from '../contract/store-inputs.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'greenroom-store-'));
after(() => rm(folder, { recursive: true, force: true }));

let made = 0;
const newPath = () => path.join(folder, `${made++}.mdb`);

const optionsOf = (file: string, bounds: TranscriptBounds, more: Partial<LmdbStoreOptions> = {}): LmdbStoreOptions => ({
  path: file,
  // Times in the suites are of any age.
  limits: { ...bounds, maxAgeMs: Infinity },
  idempotencyTtlMs: Infinity,
  ...more,
});

function placeOf(file: string, more: Partial<LmdbStoreOptions>): StorePlace {
  return {
    open: (bounds) => LmdbStore.open(optionsOf(file, bounds, more)),
    crashCopy() {
      const copy = newPath();
      copyFileSync(file, copy);
      return placeOf(copy, more);
    },
  };
}

storeContract('lmdb', (bounds, now = Date.now) =>
  LmdbStore.open(optionsOf(newPath(), bounds, { limits: bounds, now })),
);
storeInputsContract('lmdb', (bounds) => LmdbStore.open(optionsOf(newPath(), bounds)));
storeFamiliesContract('lmdb', (bounds) => LmdbStore.open(optionsOf(newPath(), bounds)));
storeFamiliesContract('lmdb that folds all the time', (bounds) =>
  LmdbStore.open(optionsOf(newPath(), bounds, { foldBytes: 1 })),
);
durableStoreContract('lmdb', () => placeOf(newPath(), {}));
durableStoreContract('lmdb that folds all the time, one worker at a time', () =>
  placeOf(newPath(), { foldBytes: 1, sliceBytes: 1 }),
);

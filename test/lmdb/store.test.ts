import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { LmdbStore } from '../../lib/lmdb/store.ts';
import { storeContract } from '../contract/store.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'greenroom-store-'));
after(() => rm(folder, { recursive: true, force: true }));

const TTL_MS = 24 * 3_600_000;
let made = 0;

storeContract('lmdb', (bounds) =>
  LmdbStore.open({
    path: path.join(folder, `${made++}.mdb`),
    // The suite's times are of any age.
    limits: { ...bounds, maxAgeMs: Infinity },
    idempotencyTtlMs: TTL_MS,
  }),
);

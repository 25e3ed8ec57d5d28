// Which store a runtime gets, and what is said when it cannot have it.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { resolveLimits } from '../lib/limits.ts';
import { silentLog } from '../lib/observe/log.ts';
import { openStore, progressLog } from '../lib/open-store.ts';
import type { StoreOptions } from '../lib/open-store.ts';
import { createRuntime } from '../lib/runtime.ts';
import { recordLog, temporaryFolder } from './support/start-runtime.ts';

const open = (options: StoreOptions) => openStore(options, resolveLimits(), silentLog);

describe('openStore', () => {
  test('keeps things in memory unless it is told otherwise', async () => {
    for (const options of [{}, { store: 'memory' }] as const) assert.equal((await open(options)).kind, 'memory');
  });

  test('refuses a durable store without a data dir, and a store that there is not', async () => {
    await assert.rejects(open({ store: 'lmdb' }), { code: 'invalid_option', message: /^dataDir / });
    await assert.rejects(open({ store: 'disk' as 'lmdb' }), { code: 'invalid_option', message: /^store / });
    await assert.rejects(createRuntime({ actors: [], store: 'lmdb' }), { code: 'invalid_option' });
  });

  test('says why a data dir cannot be made, and not where', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'file'), '');
    await assert.rejects(open({ store: 'lmdb', dataDir: join(folder, 'file', 'data') }), {
      code: 'store_failed',
      message: 'The data dir cannot be made (ENOTDIR).',
    });
  });

  test('logs when it begins, how far it is once per second at most, and figures when it is open', async (t) => {
    const { log, lines } = recordLog();
    const store = await openStore({ store: 'lmdb', dataDir: temporaryFolder(t) }, resolveLimits(), log);
    await store.close();
    assert.deepEqual(
      lines.map(({ message, fields }) => [message, Object.keys(fields)]),
      [
        ['the store is being opened', []],
        ['the store is open', ['workers', 'file_bytes', 'journal_bytes', 'elapsed_ms']],
      ],
    );
    lines.length = 0;
    let elapsedMs = 0;
    const tell = progressLog(log, () => elapsedMs, 'it goes on');
    for (elapsedMs of [10, 999, 1_000, 1_999, 2_000, 5_000]) tell({ groups: elapsedMs });
    assert.deepEqual(
      lines.map(({ fields }) => fields),
      [1_000, 2_000, 5_000].map((atMs) => ({ groups: atMs, elapsed_ms: atMs })),
    );
  });
});

// A store of this version, as it was once written, opens with everything in it; one of a later version is refused.
// The fixture is made by `node dist/test/lmdb/versions.test.js --make`, once for each version of the format.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import { FORMAT_VERSION } from '../../lib/lmdb/codec.ts';
import { Environment } from '../../lib/lmdb/environment.ts';
import { checkStore } from '../../lib/lmdb/fsck.ts';
import { META_KEY } from '../../lib/lmdb/keys.ts';
import { backupStore } from '../../lib/lmdb/maintenance.ts';
import { codeOf, temporaryFolder } from '../support/start-runtime.ts';
import { openStore, populate, readStore } from './populated.ts';

const STORES = new URL('../../../test/fixtures/stores/', import.meta.url); // this file runs from dist/test/lmdb
const fixture = (name: string) => new URL(`version-${FORMAT_VERSION}-${name}.gz`, STORES);

async function makeFixture(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-fixture-'));
  const [path, copy] = [join(folder, 'store.mdb'), join(folder, 'copy.mdb')];
  mkdirSync(STORES, { recursive: true });
  await populate(path, 5);
  await backupStore(path, copy);
  writeFileSync(fixture('store'), gzipSync(readFileSync(copy), { level: 9 }));
  writeFileSync(fixture('served'), gzipSync(JSON.stringify([...(await readStore(copy))]), { level: 9 }));
  rmSync(folder, { recursive: true });
}

if (process.argv.includes('--make')) await makeFixture();
else {
  test('a store that was written when the version was new opens with everything in it', async (t) => {
    const path = join(temporaryFolder(t), 'store.mdb');
    writeFileSync(path, gunzipSync(readFileSync(fixture('store'))));
    assert.deepEqual((await checkStore(path)).findings, []);
    const expected = JSON.parse(gunzipSync(readFileSync(fixture('served'))).toString()) as [string, string][];
    assert.ok(expected.length > 25);
    assert.deepEqual([...(await readStore(path))], expected);
  });

  test('a store of a later version is refused, and says both versions', async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'store.mdb');
    await populate(path, 1);
    const environment = new Environment(path);
    const value = Buffer.from(environment.get(META_KEY) as Buffer);
    value[4] = FORMAT_VERSION + 1;
    value.writeUInt32BE(crc32(value.subarray(4)), 0);
    await environment.write((writer) => writer.put(META_KEY, value));
    await environment.close();
    copyFileSync(path, join(folder, 'before'));
    await assert.rejects(openStore(path), {
      code: 'store_version',
      message: `The store is of version ${FORMAT_VERSION + 1}, this runtime reads versions up to ${FORMAT_VERSION}.`,
    });
    assert.deepEqual(readFileSync(path), readFileSync(join(folder, 'before')));
    assert.equal(await codeOf(backupStore(path, join(folder, 'backup'))), 'store_corrupt');
  });
}

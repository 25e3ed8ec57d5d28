// A store of any version so far, as it was once written, opens with everything in it, and is of this version then; one of a later version
// is refused. The fixture is made by `node dist/test/lmdb/versions.test.js --make`, once for each version of the format.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import { Encoder, FIRST_VERSION, FORMAT_VERSION } from '../../lib/lmdb/codec.ts';
import { Environment } from '../../lib/lmdb/environment.ts';
import type { Writer } from '../../lib/lmdb/environment.ts';
import { checkStore } from '../../lib/lmdb/fsck.ts';
import { META_KEY, nameKey, TABLES } from '../../lib/lmdb/keys.ts';
import { backupStore, restoreStore } from '../../lib/lmdb/maintenance.ts';
import { readMeta, writeMeta } from '../../lib/lmdb/meta.ts';
import type { Meta } from '../../lib/lmdb/meta.ts';
import type { UpgradeProgress } from '../../lib/lmdb/upgrade.ts';
import { codeOf, temporaryFolder } from '../support/start-runtime.ts';
import { openStore, populate, readStore } from './populated.ts';

const STORES = new URL('../../../test/fixtures/stores/', import.meta.url); // this file runs from dist/test/lmdb
const fixture = (name: string, version = FORMAT_VERSION) => new URL(`version-${version}-${name}.gz`, STORES);

const moduleOf = (name: string) => new URL(`../../lib/lmdb/${name}.js`, import.meta.url).href;

function storeOf(t: TestContext, version: number): string {
  const path = join(temporaryFolder(t), 'store.mdb');
  writeFileSync(path, gunzipSync(readFileSync(fixture('store', version))));
  return path;
}

const servedOf = (version: number) =>
  JSON.parse(gunzipSync(readFileSync(fixture('served', version))).toString()) as [string, string][];

async function rowOf(path: string, key: Buffer): Promise<Buffer> {
  const environment = new Environment(path, { isReadOnly: true });
  const value = Buffer.from(environment.get(key) as Buffer);
  await environment.close();
  return value;
}

const formatOf = async (path: string): Promise<number> => readMeta(await rowOf(path, META_KEY)).format;

async function edit(path: string, change: (writer: Writer, environment: Environment) => void): Promise<void> {
  const environment = new Environment(path);
  await environment.write((writer) => change(writer, environment));
  await environment.close();
}

const metaOf = (value: Buffer, change: Partial<Meta>): Buffer =>
  writeMeta(new Encoder(), { ...readMeta(value), ...change });

/** The same row with a checksum of the value alone. */
function asOfFirst(value: Buffer): Buffer {
  const copy = Buffer.from(value);
  copy[4] = FIRST_VERSION;
  copy.writeUInt32BE(crc32(copy.subarray(4)), 0);
  return copy;
}

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
  for (let version = FIRST_VERSION; version <= FORMAT_VERSION; version++) {
    test(`a store that was written when version ${version} was new opens with everything in it`, async (t) => {
      const path = storeOf(t, version);
      assert.deepEqual((await checkStore(path)).findings, []);
      assert.equal(await formatOf(path), version);
      const expected = servedOf(version);
      assert.ok(expected.length > 25);
      assert.deepEqual([...(await readStore(path))], expected);
      assert.equal(await formatOf(path), FORMAT_VERSION);
      assert.deepEqual((await checkStore(path)).findings, []);
      assert.deepEqual([...(await readStore(path))], expected);
    });

    test(`a backup of a store of version ${version} is one, and is put back`, async (t) => {
      const path = storeOf(t, version);
      const [backup, other] = [`${path}.backup`, `${path}.other`];
      await backupStore(path, backup);
      await restoreStore(backup, other);
      assert.deepEqual([...(await readStore(other))], servedOf(version));
    });
  }

  test('what is in the journal of a store of the first version is upgraded, too', async (t) => {
    const path = join(temporaryFolder(t), 'store.mdb');
    const copy = `${path}.copy`;
    await populate(path, 3, () => copyFileSync(path, copy));
    const expected = [...(await readStore(path))];
    await edit(copy, (writer, environment) => {
      for (const { key, value } of environment.range({ start: Buffer.of(0), end: Buffer.of(0xff) }))
        writer.put(key, key.equals(META_KEY) ? metaOf(value, { format: FIRST_VERSION }) : asOfFirst(value));
    });
    const { findings, groups } = await checkStore(copy);
    assert.deepEqual(findings, []);
    assert.ok(groups > 0);
    assert.deepEqual([...(await readStore(copy))], expected);
    assert.equal(await formatOf(copy), FORMAT_VERSION);
  });

  test('an upgrade says how far it is, and is done once', async (t) => {
    const path = storeOf(t, FIRST_VERSION);
    const told: UpgradeProgress[] = [];
    const onUpgrade = (progress: UpgradeProgress) => void told.push(progress);
    await (await openStore(path, { onUpgrade })).close();
    assert.ok((told.at(-1)?.rows ?? 0) > 50);
    assert.deepEqual({ ...told.at(-1), rows: 0 }, { from: FIRST_VERSION, to: FORMAT_VERSION, rows: 0 });
    told.length = 0;
    await (await openStore(path, { onUpgrade })).close();
    assert.deepEqual(told, []);
  });

  for (const count of [1, 2, 5]) {
    test(`a process that dies in the upgrade after ${count} transactions leaves a store that opens`, async (t) => {
      const path = storeOf(t, FIRST_VERSION);
      // Small transactions, so that the rows of this store are many of them.
      const script = `const { Environment } = await import('${moduleOf('environment')}');
        const { openMeta } = await import('${moduleOf('meta')}');
        const { upgrade } = await import('${moduleOf('upgrade')}');
        const environment = new Environment(${JSON.stringify(path)});
        await upgrade(environment, openMeta(environment), { sliceBytes: 500 });`;
      const env = { GREENROOM_FAULT: `upgrade:${count}` };
      const args = ['--input-type=module', '--eval', script];
      const { signal, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: 30_000 });
      assert.equal(signal, 'SIGKILL', stderr);
      assert.equal(await formatOf(path), FIRST_VERSION);
      assert.deepEqual((await checkStore(path)).findings, []);
      // What the first version looks at before anything else: it says that the store is of a later one.
      const first = await rowOf(path, META_KEY);
      assert.equal(first.readUInt32BE(0), crc32(first.subarray(4)));
      assert.equal(first[4], FORMAT_VERSION);
      assert.deepEqual([...(await readStore(path))], servedOf(FIRST_VERSION));
      assert.equal(await formatOf(path), FORMAT_VERSION);
    });
  }

  test('after the upgrade a row of the first version is none, and its worker is failed', async (t) => {
    const path = storeOf(t, FIRST_VERSION);
    const key = nameKey(TABLES.workers, 'worker-1');
    const old = await rowOf(path, key);
    await readStore(path);
    await edit(path, (writer) => writer.put(key, old));
    const served = await readStore(path);
    assert.match(served.get('worker-1: record') ?? '', /"rest":"failed".*"store_corrupt"/);
    assert.deepEqual((await checkStore(path)).findings.slice(0, 1), ['worker worker-1: its record cannot be read']);
  });

  test('a store of a later version is refused, and says both versions', async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'store.mdb');
    await populate(path, 1);
    const value = await rowOf(path, META_KEY);
    value[4] = FORMAT_VERSION + 1;
    value.writeUInt32BE(crc32(value.subarray(4)), 0);
    await edit(path, (writer) => writer.put(META_KEY, value));
    copyFileSync(path, join(folder, 'before'));
    await assert.rejects(openStore(path), {
      code: 'store_version',
      message: `The store is of version ${FORMAT_VERSION + 1}, this runtime reads versions up to ${FORMAT_VERSION}.`,
    });
    assert.deepEqual(readFileSync(path), readFileSync(join(folder, 'before')));
    assert.equal(await codeOf(backupStore(path, join(folder, 'backup'))), 'store_corrupt');
  });
}

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
import { Encoder, FIRST_VERSION, FORMAT_VERSION, SEAL_BYTES } from '../../lib/lmdb/codec.ts';
import { writeEntry } from '../../lib/lmdb/entries.ts';
import { Environment } from '../../lib/lmdb/environment.ts';
import type { Writer } from '../../lib/lmdb/environment.ts';
import { checkStore } from '../../lib/lmdb/fsck.ts';
import { META_KEY, nameKey, TABLES } from '../../lib/lmdb/keys.ts';
import { backupStore, restoreStore } from '../../lib/lmdb/maintenance.ts';
import { readMeta, writeMeta } from '../../lib/lmdb/meta.ts';
import type { Meta } from '../../lib/lmdb/meta.ts';
import { writeIsolation } from '../../lib/lmdb/operations.ts';
import type { UpgradeProgress } from '../../lib/lmdb/upgrade.ts';
import { ENTRY_TYPES, ISOLATIONS, OUTCOMES } from '../../lib/protocol/views.ts';
import { RECORD } from '../contract/store.ts';
import { codeOf, temporaryFolder } from '../support/start-runtime.ts';
import { openStore, populate, readStore } from './populated.ts';

const STORES = new URL('../../../test/fixtures/stores/', import.meta.url); // this file runs from dist/test/lmdb
const fixture = (name: string, version = FORMAT_VERSION) => new URL(`version-${version}-${name}.gz`, STORES);

const moduleOf = (name: string) => new URL(`../../lib/lmdb/${name}.js`, import.meta.url).href;

/** `journal`: closed as by a crash, nothing is in the tables. */
type Kind = 'store' | 'journal';
const SERVED = { store: 'served', journal: 'journal-served' } as const;

function storeOf(t: TestContext, version: number, kind: Kind = 'store'): string {
  const path = join(temporaryFolder(t), 'store.mdb');
  writeFileSync(path, gunzipSync(readFileSync(fixture(kind, version))));
  return path;
}

/** What is served of the fixture of a version now: what was then, and nothing of what there was not then. */
function servedOf(version: number, kind: Kind = 'store'): [string, string][] {
  const bytes = gunzipSync(readFileSync(fixture(SERVED[kind], version)));
  const served = JSON.parse(bytes.toString()) as [string, string][];
  return version < 3 ? served.flatMap(withFormat3) : served;
}

function withFormat3([what, text]: [string, string]): [string, string][] {
  if (what === 'functions')
    return [
      [what, text],
      ['dead letters', '[]'],
    ];
  if (what === 'due' || what.endsWith(': timers')) return [[what, withNames(text)]];
  if (!what.endsWith(': record')) return [[what, text]];
  const record = { ...(JSON.parse(text) as object), parentId: null, isolation: null };
  return [
    [what, JSON.stringify(record)],
    [what.replace(/record$/, 'children'), '[]'],
  ];
}

/** Every timer is called by its number, and fires once. */
const withNames = (text: string): string =>
  JSON.stringify(JSON.parse(text), (_key, value: unknown) => {
    const timerId = (value as { timerId?: number } | null)?.timerId;
    return timerId === undefined ? value : { ...(value as object), name: String(timerId), repeat: null, lastSeq: 0 };
  });

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
  const pack = (name: string, content: Buffer | string) =>
    writeFileSync(fixture(name), gzipSync(content, { level: 9 }));
  const served = async () => JSON.stringify([...(await readStore(copy))]);
  await populate(path, 5, () => copyFileSync(path, copy));
  pack('journal', readFileSync(copy));
  pack('journal-served', await served());
  rmSync(copy);
  await backupStore(path, copy);
  pack('store', readFileSync(copy));
  pack('served', await served());
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

  for (let version = 2; version <= FORMAT_VERSION; version++)
    test(`what was in the journal when version ${version} was new is all there, and stays when it is folded`, async (t) => {
      const path = storeOf(t, version, 'journal');
      const { findings, groups } = await checkStore(path);
      assert.deepEqual(findings, []);
      assert.ok(groups > 0);
      assert.deepEqual([...(await readStore(path))], servedOf(version, 'journal'));
      const folded = await checkStore(path);
      assert.deepEqual([folded.findings, folded.groups, folded.workers], [[], 0, 5]);
      assert.deepEqual([...(await readStore(path))], servedOf(version, 'journal'));
      assert.equal(await formatOf(path), FORMAT_VERSION);
    });

  test('what is in the journal of a store of the first version is upgraded, too', async (t) => {
    // The first two differ in their checksums alone.
    const path = storeOf(t, 2, 'journal');
    await edit(path, (writer, environment) => {
      for (const { key, value } of environment.range({ start: Buffer.of(0), end: Buffer.of(0xff) }))
        writer.put(key, key.equals(META_KEY) ? metaOf(value, { format: FIRST_VERSION }) : asOfFirst(value));
    });
    const { findings, groups } = await checkStore(path);
    assert.deepEqual(findings, []);
    assert.ok(groups > 0);
    assert.deepEqual([...(await readStore(path))], servedOf(2, 'journal'));
    assert.equal(await formatOf(path), FORMAT_VERSION);
  });

  test('a row of version 2 stays one until something of its worker changes', async (t) => {
    const path = storeOf(t, 2);
    const versionOf = async (workerId: string) => (await rowOf(path, nameKey(TABLES.workers, workerId)))[4];
    const store = await openStore(path);
    store.find('worker-1')?.saveIsolation('process');
    store.create({ ...RECORD, workerId: 'child', parentId: 'worker-2' });
    await store.close();
    assert.deepEqual([await versionOf('worker-1'), await versionOf('worker-2')], [FORMAT_VERSION, 2]);
    const served = await readStore(path);
    assert.match(served.get('worker-1: record') ?? '', /"parentId":null,"isolation":"process"/);
    assert.equal(served.get('worker-2: children'), '["child"]');
    assert.deepEqual((await checkStore(path)).findings, []);
  });

  test('the numbers of entry types, outcomes and isolations are what they were when each was new', () => {
    const types = ['created', 'input', 'output', 'emitted', 'cancelled', 'failed', 'restarted', 'stopped'] as const;
    const later = ['killed', 'promoted'] as const;
    const firstByteOf = (write: (to: Encoder) => void): number => {
      const encoder = new Encoder();
      write(encoder);
      return encoder.sealedCopy(META_KEY)[SEAL_BYTES] as number;
    };
    const entry = { atMs: 0, inputSeq: 0, data: '1', ending: null };
    const bytes = [...types, ...later].map((type) => firstByteOf((to) => writeEntry(to, { ...entry, type })));
    assert.deepEqual(bytes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(new Set<string>(ENTRY_TYPES), new Set<string>([...types, ...later]));
    assert.deepEqual(OUTCOMES, ['completed', 'failed', 'cancelled', 'expired', 'unknown']);
    const isolations = [null, ...ISOLATIONS].map((isolation) => firstByteOf((to) => writeIsolation(to, isolation)));
    assert.deepEqual(isolations, [0, 1, 2, 3]);
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

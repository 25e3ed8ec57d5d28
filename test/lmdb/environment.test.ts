// The one file of the store: ranges, transactions, and what a disk does to them. The disks are small ones in memory, which only root can make.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Environment } from '../../lib/lmdb/environment.ts';
import { checkStore } from '../../lib/lmdb/fsck.ts';
import { checkPages } from '../../lib/lmdb/pages.ts';
import { codeOf, temporaryFolder } from '../support/start-runtime.ts';
import { openStore } from './populated.ts';

const KiB = 1024;
const text = (value: string) => Buffer.from(value);
const big = (fill: string, bytes = 200 * KiB) => Buffer.alloc(bytes, fill);

function openEnvironment(t: TestContext, folder = temporaryFolder(t)): Environment {
  const environment = new Environment(join(folder, 'store.mdb'));
  t.after(() => environment.close());
  return environment;
}

const keysOf = (environment: Environment) =>
  [...environment.range({ start: text('\0'), end: text('~') })].map(({ key }) => String(key));

/** Writes one key with a value of its own after another, until one fails; resolves to how many there are. */
async function fill(environment: Environment): Promise<number> {
  for (let written = 0; ; written++) {
    const name = `fill-${String(written).padStart(4, '0')}`;
    const failure = await codeOf(
      environment.write((writer) => {
        writer.put(text(name), big(name));
        writer.put(text(`${name}-too`), text('small'));
      }),
    );
    if (failure === undefined) continue;
    assert.equal(failure, 'store_failed');
    assert.equal(environment.get(text(name)), undefined);
    assert.equal(environment.get(text(`${name}-too`)), undefined);
    return written;
  }
}

// --- disks ---

const mount = (...args: string[]) => spawnSync('mount', args, { encoding: 'utf8' });

/** Options of a test that needs disks. In CI, as root, there have to be some: a test that is left out there proves nothing. */
const disks = { skip: canMount() ? false : 'needs the right to mount a disk in memory' };

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-disk-'));
  const can = mount('-t', 'tmpfs', 'tmpfs', folder).status === 0;
  if (can) spawnSync('umount', [folder]);
  rmdirSync(folder);
  assert.ok(can || process.getuid?.() !== 0 || process.env['CI'] === undefined, 'a disk in memory cannot be mounted');
  return can;
}

/** A folder on a disk of its own, in memory. */
function smallDisk(t: TestContext, sizeMiB: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-disk-'));
  t.after(() => {
    // Also while something on it is in use: it goes when that is closed.
    spawnSync('umount', ['--lazy', folder]);
    rmdirSync(folder);
  });
  assert.equal(mount('-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', folder).status, 0);
  return folder;
}

describe('an environment', () => {
  test('reads a range in both directions, without its end and up to its limit', async (t) => {
    const environment = openEnvironment(t);
    await environment.write((writer) => {
      for (const key of ['a', 'b', 'c', 'd']) writer.put(text(key), text(key.toUpperCase()));
    });
    const read = (isReverse: boolean, limit?: number) =>
      [
        ...environment.range({ start: text('a'), end: text('d'), isReverse, ...(limit !== undefined && { limit }) }),
      ].map(({ key, value }) => String(key) + String(value));
    assert.deepEqual(read(false), ['aA', 'bB', 'cC']);
    assert.deepEqual(read(true), ['cC', 'bB', 'aA']);
    assert.deepEqual([read(false, 2), read(true, 2), read(false, 0)], [['aA', 'bB'], ['cC', 'bB'], []]);
  });

  test('keeps what was written, all of a write or nothing', async (t) => {
    const folder = temporaryFolder(t);
    const first = new Environment(join(folder, 'store.mdb'));
    await first.write((writer) => writer.put(text('gone'), text('1')));
    const failed = new Error('thrown in the middle');
    assert.throws(() =>
      first.write((writer) => {
        writer.put(text('half'), text('1'));
        throw failed;
      }),
    );
    await Promise.all([
      first.write((writer) => {
        writer.remove(text('gone'));
        writer.remove(text('never there'));
        writer.put(text('large'), big('x', 400 * KiB));
        writer.put(text('empty'), text(''));
      }),
      first.write((writer) => writer.put(text('next'), text('2'))),
      first.write(() => undefined),
    ]);
    await first.close();
    const second = openEnvironment(t, folder);
    assert.deepEqual(keysOf(second), ['empty', 'large', 'next']);
    assert.deepEqual(second.get(text('large')), big('x', 400 * KiB));
    assert.deepEqual(second.get(text('empty')), text(''));
  });

  test('a write after it was closed, and a read, are a runtime_unavailable', async (t) => {
    const environment = openEnvironment(t);
    await environment.close();
    assert.equal(await codeOf(environment.write((writer) => writer.put(text('a'), text('b')))), 'runtime_unavailable');
    assert.throws(() => environment.get(text('a')), { code: 'runtime_unavailable' });
  });

  test('a copy is sound, with large values that come and go', async (t) => {
    const environment = openEnvironment(t);
    for (let n = 0; n < 100; n++)
      await environment.write((writer) => {
        writer.put(text(`large ${n}`), Buffer.alloc(3_000 + ((n * 7_919) % 60_000), n));
        if (n >= 20) writer.remove(text(`large ${n - 20}`));
        for (let k = 0; k < 20; k++) writer.put(text(`small ${(20 * n + k) % 977}`), Buffer.alloc(200, k));
      });
    const copy = `${environment.path}.copy`;
    t.after(() => rmSync(copy, { force: true }));
    await environment.copyTo(copy);
    assert.deepEqual(
      [environment.path, copy].map((path) => checkPages(path).findings),
      [[], []],
    );
  });

  test('a range that is read across writes goes on', async (t) => {
    const environment = openEnvironment(t);
    await environment.write((writer) => {
      for (const key of ['a', 'b', 'c']) writer.put(text(key), text(key));
    });
    const seen: string[] = [];
    for (const { key } of environment.range({ start: text('a'), end: text('z') })) {
      seen.push(String(key));
      await environment.write((writer) => writer.put(text(`seen ${String(key)}`), big('x')));
    }
    assert.deepEqual(
      seen.filter((key) => key.length === 1),
      ['a', 'b', 'c'],
    );
  });
});

describe('trouble with the disk', disks, () => {
  test('a full one refuses a write and keeps nothing of it; what is there can be read, and it goes on once there is room', async (t) => {
    const folder = smallDisk(t, 8);
    const environment = openEnvironment(t, folder);
    const written = await fill(environment);
    assert.ok(written > 10);
    assert.equal(
      await codeOf(environment.write((writer) => writer.put(text('again'), big('a', 1024 * KiB)))),
      'store_failed',
    );
    assert.deepEqual(environment.get(text('fill-0003')), big('fill-0003'));
    assert.equal(keysOf(environment).length, 2 * written);
    assert.equal(mount('-o', 'remount,size=16m', folder).status, 0);
    await environment.write((writer) => writer.put(text('again'), big('a', 1024 * KiB)));
    await environment.close();
    const reopened = openEnvironment(t, folder);
    assert.deepEqual(reopened.get(text('again')), big('a', 1024 * KiB));
    assert.equal(keysOf(reopened).length, 2 * written + 1);
    assert.deepEqual(checkPages(reopened.path).findings, []);
  });

  test('a full one can be opened, read, and written once there is room', async (t) => {
    const folder = smallDisk(t, 8);
    const first = openEnvironment(t, folder);
    const written = await fill(first);
    await first.close();
    assert.throws(() => writeFileSync(join(folder, 'rest'), big('x', 8 * KiB * KiB)), { code: 'ENOSPC' });
    const second = openEnvironment(t, folder);
    assert.equal(keysOf(second).length, 2 * written);
    assert.equal(
      await codeOf(second.write((writer) => writer.put(text('again'), big('a', 1024 * KiB)))),
      'store_failed',
    );
    assert.equal(mount('-o', 'remount,size=16m', folder).status, 0);
    await second.write((writer) => writer.put(text('again'), big('a', 1024 * KiB)));
    assert.equal(keysOf(second).length, 2 * written + 1);
  });

  test('a full one without a store is a store_failed, and so is a store that needs room to be opened', async (t) => {
    const folder = smallDisk(t, 1);
    const [path, rest] = [join(folder, 'store.mdb'), join(folder, 'rest')];
    const fillUp = () => assert.throws(() => writeFileSync(rest, big('x', 2_048 * KiB)), { code: 'ENOSPC' });
    const full = { code: 'store_failed', message: 'The store cannot write (ENOSPC).' };
    fillUp();
    await assert.rejects(openStore(path), full);
    rmSync(rest);
    await (await openStore(path)).close();
    fillUp();
    await assert.rejects(openStore(path), full);
    rmSync(rest);
    await (await openStore(path)).close();
    assert.deepEqual((await checkStore(path)).findings, []);
  });

  test('many writes at once are each refused, and none is a rejection that nobody handles', async (t) => {
    const folder = smallDisk(t, 4);
    const environment = openEnvironment(t, folder);
    const writes = Array.from({ length: 8 }, (_, i) =>
      codeOf(environment.write((writer) => writer.put(text(`key ${i}`), big('x', 1536 * KiB)))),
    );
    const codes = await Promise.all(writes);
    const kept = codes.filter((code) => code === undefined).length;
    assert.ok(kept >= 1 && kept < 4);
    assert.deepEqual(
      codes.filter((code) => code !== undefined && code !== 'store_failed'),
      [],
    );
    assert.equal(keysOf(environment).length, kept);
  });

  test('one that is read-only at the start is a store_failed', (t) => {
    const folder = smallDisk(t, 4);
    assert.equal(mount('-o', 'remount,ro', folder).status, 0);
    assert.throws(() => new Environment(join(folder, 'store.mdb')), { code: 'store_failed' });
  });
});

describe('a damaged file', () => {
  async function makeFile(t: TestContext): Promise<string> {
    const environment = openEnvironment(t);
    for (let i = 0; i < 20; i++)
      await environment.write((writer) => {
        for (let j = 0; j < 40; j++) writer.put(text(`key ${i} ${j}`), big('v', 100));
        writer.put(text(`large ${i}`), big('v', 20 * KiB));
      });
    await environment.close();
    assert.deepEqual(checkPages(environment.path).findings, []);
    return environment.path;
  }

  test('that is cut short, at any page or within one, is refused before LMDB maps it', async (t) => {
    const path = await makeFile(t);
    const copy = `${path}.copy`;
    for (const bytes of [1, 100, 4096, 8192, 8193, 40_000, 100_000, statSync(path).size - 4096]) {
      copyFileSync(path, copy);
      truncateSync(copy, bytes);
      assert.throws(() => new Environment(copy), { code: 'store_corrupt' }, `cut to ${bytes} bytes`);
    }
  });

  test('that is something else is refused', (t) => {
    const path = join(temporaryFolder(t), 'store.mdb');
    writeFileSync(path, 'a text that somebody put here\n'.repeat(1000));
    assert.throws(() => new Environment(path), { code: 'store_corrupt', message: /it is no file of LMDB/ });
  });

  test('with a meta page from another time is refused', async (t) => {
    const path = await makeFile(t);
    const file = readFileSync(path);
    file.writeBigUInt64LE(file.readBigUInt64LE(152) + 1000n, 152);
    writeFileSync(path, file);
    assert.throws(() => new Environment(path), { code: 'store_corrupt', message: /do not fit together/ });
  });
});

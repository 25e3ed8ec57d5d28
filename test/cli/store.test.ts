// Backup, restore, compact and fsck by the command line, on the store of a runtime that runs, and of one that does not.

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { DEFAULT_LIMITS } from '../../lib/limits.ts';
import { openStore as openRuntimeStore } from '../../lib/open-store.ts';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime } from '../../lib/runtime.ts';
import { openStore, populate, readStore } from '../lmdb/populated.ts';
import { temporaryFolder } from '../support/start-runtime.ts';
import { Cli, options } from './harness.ts';

const SHIPPED = new URL('../../actors/', import.meta.url);

interface Said {
  readonly code: number | string;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

async function run(t: TestContext, args: readonly string[], environment: Record<string, string> = {}): Promise<Said> {
  const cli = new Cli(t, args, { environment });
  const code = await cli.exit();
  return { code, stdout: cli.stdout, stderr: cli.stderr };
}

const says = (line: string): Said => ({ code: 0, stdout: [line], stderr: [] });
const refuses = (line: string): Said => ({ code: 1, stdout: [], stderr: [`greenroom: ${line}`] });

/** A data dir with a store of that many workers. */
async function dataDirOf(t: TestContext, workers: number): Promise<string> {
  const dir = temporaryFolder(t);
  await populate(join(dir, 'store.mdb'), workers);
  return dir;
}

const summaryOf = (workers: number) => `ok: ${workers} workers, ${2 * workers} open inputs, 0 groups in the journal`;

describe('the store of a runtime that does not run', options, () => {
  test('is found sound, backed up once under a name, and the same again after it was restored elsewhere', async (t) => {
    const dir = await dataDirOf(t, 12);
    const file = join(temporaryFolder(t), 'backup');
    assert.deepEqual(await run(t, ['fsck', '--data-dir', dir]), says(summaryOf(12)));
    assert.deepEqual(await run(t, ['backup', file, '--data-dir', dir]), says(summaryOf(12)));
    assert.deepEqual(await run(t, ['backup', file, '--data-dir', dir]), refuses(`${file} is there already.`));
    assert.deepEqual(await run(t, ['fsck', file]), says(summaryOf(12)));
    const other = temporaryFolder(t);
    assert.deepEqual(await run(t, ['restore', file, '--data-dir', other]), says(summaryOf(12)));
    assert.deepEqual(readdirSync(join(file, '..')), ['backup']);
    assert.deepEqual(await readStore(join(other, 'store.mdb')), await readStore(join(dir, 'store.mdb')));
  });

  test('is not replaced by a backup unless that is forced; then it is kept aside', async (t) => {
    const [dir, backup] = [await dataDirOf(t, 3), await dataDirOf(t, 5)];
    const args = ['restore', join(backup, 'store.mdb'), '--data-dir', dir];
    const { code, stderr } = await run(t, args);
    assert.deepEqual([code, stderr.length], [1, 1]);
    assert.match(stderr[0] ?? '', /there is a store in .*; with --force it is kept aside/);
    const forced = await run(t, [...args, '--force']);
    assert.equal(forced.code, 0);
    const kept = readdirSync(dir).find((name) => name.startsWith('store.mdb.20'));
    assert.deepEqual(forced.stdout, [`${summaryOf(5)}; the store that was there is ${join(dir, kept ?? 'none')}`]);
    assert.deepEqual(await run(t, ['fsck', join(dir, kept ?? 'none')]), says(summaryOf(3)));
    assert.deepEqual(await run(t, ['fsck', '--data-dir', dir]), says(summaryOf(5)));
  });

  test('gives no number of an input again after it was restored', async (t) => {
    const dir = await dataDirOf(t, 2);
    const path = join(dir, 'store.mdb');
    const file = join(dir, 'backup');
    assert.equal((await run(t, ['backup', file, '--data-dir', dir])).code, 0);
    // What is accepted after the backup is not in it.
    const store = await openStore(path);
    const { firstSeq, inputIdPrefix } = store;
    await store.close();
    assert.equal((await run(t, ['restore', file, '--data-dir', dir, '--force'])).code, 0);
    const restored = await openStore(path);
    assert.equal(restored.inputIdPrefix, inputIdPrefix);
    assert.ok(restored.firstSeq > firstSeq + 1_000_000_000);
    await restored.close();
  });

  test('is smaller after it was compacted, and says the same', async (t) => {
    const dir = await dataDirOf(t, 60);
    const path = join(dir, 'store.mdb');
    const before = await readStore(path);
    const { size } = statSync(path);
    const { code, stdout } = await run(t, ['compact', '--data-dir', dir]);
    assert.deepEqual([code, stdout], [0, [`ok: ${statSync(path).size} bytes`]]);
    assert.ok(statSync(path).size < size);
    assert.deepEqual(await readStore(path), before);
  });

  test('is refused by every command if it is damaged, and left as it is', async (t) => {
    const dir = await dataDirOf(t, 4);
    const path = join(dir, 'store.mdb');
    const damaged = readFileSync(path);
    damaged.fill(0, damaged.indexOf('"n":3') - 40, damaged.length);
    writeFileSync(path, damaged);
    const found = await run(t, ['fsck', '--data-dir', dir]);
    assert.equal(found.code, 1);
    assert.ok(found.stdout.length > 0);
    for (const args of [['backup', join(dir, 'backup')], ['compact']]) {
      const { code, stdout } = await run(t, [...args, '--data-dir', dir]);
      assert.deepEqual([code, stdout], [1, []], args[0]);
    }
    const other = temporaryFolder(t);
    assert.equal((await run(t, ['restore', path, '--data-dir', other])).code, 1);
    assert.deepEqual(readdirSync(other), []);
    assert.deepEqual(readFileSync(path), damaged);
    assert.equal(existsSync(join(dir, 'backup')), false);
  });

  test('that is not there is refused in one line', async (t) => {
    const dir = temporaryFolder(t);
    for (const args of [['backup', join(dir, 'file')], ['compact'], ['fsck']])
      assert.deepEqual(await run(t, [...args, '--data-dir', dir]), refuses(`there is no store in ${dir}`));
    const none = join(dir, 'none');
    assert.deepEqual(await run(t, ['fsck', none]), refuses(`${none}: there is no such file`));
    assert.deepEqual(await run(t, ['restore', none, '--data-dir', dir]), refuses(`${none}: there is no such file`));
  });

  test('survives the death of a backup, which leaves no backup behind, and the next one is made', async (t) => {
    const dir = await dataDirOf(t, 2);
    const file = join(dir, 'backup');
    const args = ['backup', file, '--data-dir', dir];
    const died = await run(t, args, { GREENROOM_FAULT: 'backup:1' });
    assert.deepEqual(died, { code: 'SIGKILL', stdout: [], stderr: ['fault backup fired'] });
    assert.equal(existsSync(file), false);
    assert.deepEqual(await run(t, args), says(summaryOf(2)));
    assert.deepEqual(await run(t, ['fsck', file]), says(summaryOf(2)));
  });
});

describe('the store of a runtime that runs', options, () => {
  async function startDurable(t: TestContext): Promise<{ runtime: Runtime; dir: string }> {
    const dir = temporaryFolder(t);
    const runtime = await createRuntime({ actors: [SHIPPED], hosts: 1, store: 'lmdb', dataDir: dir });
    t.after(async () => {
      if (runtime.supervisor.status === 'running') await runtime.close({ deadlineMs: 1 });
    });
    return { runtime, dir };
  }

  test('is left alone by all but the backup', async (t) => {
    const { dir } = await startDurable(t);
    const file = join(dir, 'copy');
    copyFileSync(join(await dataDirOf(t, 1), 'store.mdb'), file);
    const inUse = refuses(`The store is in use by the process ${process.pid}.`);
    for (const args of [['compact'], ['fsck'], ['restore', file, '--force']])
      assert.deepEqual(await run(t, [...args, '--data-dir', dir]), inUse, args[0]);
  });

  test('is backed up while it is written: each backup is sound, and has all that was acknowledged before it began', async (t) => {
    const { runtime, dir } = await startDurable(t);
    const workers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => runtime.create({ kind: 'counter', workerId: `counter-${n}` })),
    );
    let isOver = false;
    let acknowledged = 0;
    const load = Promise.all(
      workers.map(async (worker) => {
        while (!isOver) {
          await worker.ask({ add: 1 });
          acknowledged++;
        }
      }),
    );
    for (let n = 0; n < 3; n++) {
      const before = acknowledged;
      const file = join(dir, `backup-${n}`);
      const made = await run(t, ['backup', file, '--data-dir', dir]);
      assert.deepEqual([made.code, made.stderr], [0, []]);
      const store = await openRuntimeStore({ store: 'lmdb', dataDir: restoredFrom(t, file) }, DEFAULT_LIMITS, {
        debug() {},
        info() {},
        warn() {},
        error() {},
      });
      let counted = 0;
      for (const { workerId } of store.list('')) {
        const state = store.find(workerId)?.state;
        counted += (JSON.parse(String(state ?? '{}')) as { total?: number }).total ?? 0;
      }
      await store.close();
      assert.ok(counted >= before, `${counted} of at least ${before}`);
      assert.ok(acknowledged > before, 'nothing was acknowledged meanwhile');
    }
    isOver = true;
    await load;
  });

  function restoredFrom(t: TestContext, file: string): string {
    const dir = temporaryFolder(t);
    copyFileSync(file, join(dir, 'store.mdb'));
    return dir;
  }
});

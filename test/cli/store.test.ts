// `greenroom start --store lmdb` as an operator sees it: what outlives the process, when it is ready, and why it may not start.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../support/start-runtime.ts';
import { call, Cli, COUNTER, freshDir, jsonLines, moduleFile, options, plainLines, started } from './harness.ts';
import type { Ready } from './harness.ts';

const DURABLE = ['--store', 'lmdb', '--actors', COUNTER];

const get = async (ready: Ready, path: string) => (await call(ready, 'GET', path)).body;

describe('a durable store', options, () => {
  test('brings back what there was before the process was killed, and is the same runtime', async (t) => {
    const dir = freshDir(t);
    const first = new Cli(t, started(...DURABLE), { dir });
    const before = await first.ready();
    await call(before, 'POST', '/v1/workers', { kind: 'counter', worker_id: 'c1' });
    const { body } = await call(before, 'POST', '/v1/workers/c1/input', { add: 2 }, { prefer: 'wait=20' });
    const { result } = body as { result: { input_id: string; output: number } };
    const transcript = await get(before, '/v1/workers/c1/transcript');
    first.kill('SIGKILL');
    await first.exit();

    const second = new Cli(t, started(...DURABLE), { dir });
    const after = await second.ready();
    assert.equal(after.runtime_id, before.runtime_id);
    assert.deepEqual(await get(after, '/v1/workers/c1/transcript'), transcript);
    const { input } = (await get(after, `/v1/workers/c1/inputs/${result.input_id}`)) as { input: { output: number } };
    assert.equal(input.output, 2);
    const { runtime } = (await get(after, '/v1/runtime')) as { runtime: { store: string; storage: object } };
    assert.equal(runtime.store, 'lmdb');
    const members = ['file_bytes', 'pending_bytes', 'journal_bytes', 'commits', 'commit_ms'];
    assert.deepEqual(Object.keys(runtime.storage), members);
    const opened = jsonLines(second.stderr).find(({ message }) => message === 'the store is open');
    assert.equal(opened?.['workers'], 1);
    second.kill('SIGTERM');
    assert.equal(await second.exit(), 0);
  });

  test('is alive at once, and ready when it has been opened', async (t) => {
    const dir = freshDir(t);
    const gate = join(dir, 'gate');
    const bind = `127.0.0.1:${await freePort()}`;
    const args = ['start', '--bind', bind, '--hosts=1', '--store', 'lmdb', '--actors', moduleFile('loads-later')];
    const cli = new Cli(t, args, { dir, environment: { LOADS_WITH: gate } });
    const url = `http://${bind}`;
    const statusOf = async (path: string) => (await fetch(url + path)).status;
    await eventually(() => statusOf('/livez').catch(() => false as const));
    assert.deepEqual(
      [await statusOf('/livez'), await statusOf('/readyz'), await statusOf('/v1/runtime')],
      [200, 503, 503],
    );
    assert.deepEqual(cli.stdout, []);
    writeFileSync(gate, '');
    assert.equal((await cli.ready()).url, url);
    assert.equal(await statusOf('/readyz'), 200);
  });

  test('that another runtime uses is refused in one line, and that one goes on', async (t) => {
    const dir = freshDir(t);
    const first = new Cli(t, started(...DURABLE), { dir });
    const ready = await first.ready();
    const second = new Cli(t, started(...DURABLE), { dir });
    assert.deepEqual([await second.exit(), second.stdout], [1, []]);
    assert.deepEqual(plainLines(second.stderr), [`greenroom: The store is in use by the process ${ready.pid}.`]);
    assert.equal((await fetch(`${ready.url}/readyz`)).status, 200);
  });

  test('whose file is none is refused in one line', async (t) => {
    const dir = freshDir(t);
    mkdirSync(join(dir, '.greenroom'), { mode: 0o700 });
    writeFileSync(join(dir, '.greenroom', 'store.mdb'), 'not a store\n'.repeat(10_000));
    const cli = new Cli(t, started(...DURABLE), { dir });
    assert.deepEqual([await cli.exit(), cli.stdout], [1, []]);
    const lines = plainLines(cli.stderr);
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines.join(), /^greenroom: .*store/i);
  });

  test('in a data dir that cannot be used is refused in one line', async (t) => {
    const dir = freshDir(t);
    writeFileSync(join(dir, 'token'), 'a-token-for-tests');
    writeFileSync(join(dir, 'file'), '');
    const args = started(...DURABLE, '--token-file', 'token', '--data-dir', 'file/data');
    const cli = new Cli(t, args, { dir });
    assert.deepEqual([await cli.exit(), cli.stdout], [1, []]);
    assert.deepEqual(plainLines(cli.stderr), ['greenroom: The data dir cannot be made (ENOTDIR).']);
  });
});

/** A port that nobody had a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

// The token of a standalone runtime: who can read it, when it is made, and which one is refused.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { call, Cli, COUNTER, freshDir, jsonLines, options, plainLines, started } from './harness.ts';

describe('the token', options, () => {
  test('is made once, kept for its owner only, used again, and never printed', async (t) => {
    const dir = freshDir(t);
    const tokens: string[] = [];
    for (const isNew of [true, false]) {
      const cli = new Cli(t, started('--actors', COUNTER, '--log-level', 'debug'), { dir });
      const ready = await cli.ready();
      const token = readFileSync(ready.token_file, 'utf8').trim();
      assert.equal((await call(ready, 'GET', '/v1/runtime')).status, 200);
      cli.kill('SIGTERM');
      assert.equal(await cli.exit(), 0);
      assert.equal([...cli.stdout, ...cli.stderr].join('\n').includes(token), false);
      assert.ok(
        jsonLines(cli.stderr).some((line) => line['token_file'] === ready.token_file && line['is_new'] === isNew),
      );
      tokens.push(token);
    }
    assert.match(tokens[0] ?? '', /^[\w-]{43}$/);
    assert.equal(tokens[0], tokens[1]);
    assert.deepEqual(readdirSync(join(dir, '.greenroom')), ['token']);
    const modeOf = (path: string) => statSync(join(dir, path)).mode & 0o777;
    assert.deepEqual([modeOf('.greenroom'), modeOf('.greenroom/token')], [0o700, 0o600]);
  });

  test('is the same for runtimes that make it at the same moment', async (t) => {
    const dir = freshDir(t);
    const all = await Promise.all([1, 2, 3].map(() => new Cli(t, started(), { dir }).ready()));
    for (const ready of all) assert.equal((await call(ready, 'GET', '/v1/runtime')).status, 200);
  });

  test('comes from --token-file when that is given', async (t) => {
    const cli = new Cli(t, started('--token-file=mine'), { dir: dirWith(t, 'mine', 'a-token-of-my-own\n') });
    const ready = await cli.ready();
    assert.equal(ready.token_file, join(cli.dir, 'mine'));
    assert.equal((await call(ready, 'GET', '/v1/runtime')).status, 200);
    assert.deepEqual(readdirSync(cli.dir), ['mine']);
  });

  const refusals: [title: string, prepare: (dir: string) => void, flags: string[], message: RegExp][] = [
    [
      'a file that is not there',
      () => undefined,
      ['--token-file', 'nope'],
      /^greenroom: --token-file \S+nope cannot be read \(ENOENT\)$/,
    ],
    [
      'an empty file',
      (dir) => writeFileSync(join(dir, 'empty'), '\n'),
      ['--token-file', 'empty'],
      /must hold one token/,
    ],
    ['a kept token that others can read', (dir) => keep(dir, 0o644), [], /can be read by others/],
    [
      'a kept token behind a link',
      (dir) => (mkdirSync(join(dir, '.greenroom')), symlinkSync('/etc/hostname', join(dir, '.greenroom/token'))),
      [],
      /cannot be used \(ELOOP\)/,
    ],
    [
      'a data dir that is a file',
      (dir) => writeFileSync(join(dir, '.greenroom'), ''),
      [],
      /the data dir \S+ cannot be used \((EEXIST|ENOTDIR)\)/,
    ],
  ];
  for (const [title, prepare, flags, message] of refusals) {
    test(`refuses ${title} in one line and with exit code 1`, async (t) => {
      const dir = freshDir(t);
      prepare(dir);
      const cli = new Cli(t, started(...flags), { dir });
      assert.equal(await cli.exit(), 1);
      assert.equal(plainLines(cli.stderr).length, 1);
      assert.match(cli.stderr.join('\n'), message);
      assert.deepEqual(cli.stdout, []);
    });
  }

  function keep(dir: string, mode: number): void {
    mkdirSync(join(dir, '.greenroom'));
    writeFileSync(join(dir, '.greenroom/token'), 'a-token-of-my-own\n');
    chmodSync(join(dir, '.greenroom/token'), mode);
  }

  function dirWith(t: TestContext, name: string, content: string): string {
    const dir = freshDir(t);
    writeFileSync(join(dir, name), content);
    return dir;
  }
});

// The crash test in short, as scripts/crash.sh runs it at length; and that it fails where it must: a store that keeps nothing loses
// what was acknowledged, and is found out.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const DRIVE = fileURLToPath(new URL('../crash/drive.js', import.meta.url));
const options = { timeout: 118_000 };

/** Runs the driver to its end; its exit code and the figures of its table. */
async function drive(t: TestContext, ...args: string[]) {
  const child = spawn(process.execPath, ['--enable-source-maps', DRIVE, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Its own processes end with it: the load when its driver has gone, the runtime by the driver.
  t.after(() => child.kill('SIGTERM'));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  t.diagnostic(text.split('\n')[0] ?? '');
  const figure = (name: string): number => Number(new RegExp(`^${name} +(\\d+)$`, 'm').exec(text)?.[1]);
  return { code, text, figure };
}

test('after kill -9 at random moments nothing acknowledged is lost and nothing has run twice', options, async (t) => {
  const { code, text, figure } = await drive(t, '--cycles', '8', '--faults', 'before-commit,after-commit');
  assert.equal(code, 0, text);
  assert.ok(figure('kills') >= 8, text);
  assert.ok(figure('acknowledged inputs') > 100, text);
  for (const name of ['died at before-commit', 'died at after-commit', 'runs']) assert.ok(figure(name) > 0, text);
});

test('a store that keeps nothing is found out', options, async (t) => {
  const { code, text, figure } = await drive(t, '--cycles', '1', '--store', 'memory', '--faults', '');
  assert.equal(code, 1, text);
  assert.ok(figure('acknowledged but missing') > 0, text);
  assert.ok(figure('workers that are not what was acknowledged') > 0, text);
});

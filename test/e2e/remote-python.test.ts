// The worker in Python that the docs show, as it is, where there is a Python with `websockets`: the protocol is not only Node's.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TOKEN } from '../server/support.ts';
import { codeOf, eventually, temporaryFolder } from '../support/start-runtime.ts';
import { startCable, startScene } from './sdk.ts';

const WORKER = fileURLToPath(new URL('../../../docs/examples/worker.py', import.meta.url)); // this file runs from dist/test/e2e
const hasPython =
  spawnSync('python3', ['-c', 'from websockets.asyncio.client import connect'], { timeout: 20_000 }).status === 0;

test(
  'a worker in Python serves, fails, takes large calls, and comes back',
  {
    skip: hasPython ? false : 'there is no python3 with websockets',
    timeout: 60_000,
  },
  async (t) => {
    const { port, runtime } = await startScene(t);
    const cable = await startCable(t, port);
    const tokenFile = join(temporaryFolder(t), 'token');
    writeFileSync(tokenFile, `${TOKEN}\n`);
    const python = spawn('python3', [WORKER], {
      env: { PATH: process.env['PATH'], GREENROOM_GATEWAY: cable.address, GREENROOM_TOKEN_FILE: tokenFile },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => python.kill('SIGKILL'));
    let output = '';
    python.stdout.on('data', (part: Buffer) => (output += part.toString()));
    await eventually(() => output.includes('ready: olleh'), 30_000);
    const reverse = (payload: unknown) => runtime.invoke('py::reverse', payload);
    assert.equal(await reverse('abc'), 'cba');
    assert.equal(await codeOf(reverse(5)), 'invocation_failed');
    assert.equal(((await reverse('x'.repeat(2_000_000))) as string).length, 2_000_000);
    cable.cut();
    await eventually(() => output.split('ready: olleh').length === 3, 30_000);
    assert.equal(await reverse('abc'), 'cba');
    assert.deepEqual(
      runtime.peers
        .summaries()
        .map(({ displayName, runtime: language, status }) => [displayName, language, status])
        .sort(),
      [
        ['python-worker', 'python', 'connected'],
        ['python-worker', 'python', 'disconnected'],
      ],
    );
  },
);

// The process ends: by itself once an embedded runtime is closed, and on a signal when it stands alone. On every supported
// version of Node: what keeps a process alive differs between them.

import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../lib/client/index.ts';
import type { Client } from '../../lib/client/index.ts';
import { Cli, jsonLines, started } from '../cli/harness.ts';
import type { Ready } from '../cli/harness.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { childrenOf, findNode, runModule } from './child.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/actors', import.meta.url));
/** What a process may take to end after `close` has resolved. */
const LINGER_MS = 2_000;

const SCENARIOS = ['idle', 'after work', 'with timers and asks pending', 'while a worker starts', 'await using'];
/** On the main thread there is no host that could be killed without its process. */
const THREADED = [
  ...SCENARIOS,
  'after a host was killed',
  'while a killed host is being replaced',
  'while a worker restarts',
];

const [current = ''] = process.versions.node.split('.');
for (const major of new Set([current, '20', '22', '24'])) {
  test(
    `on Node ${major} a process that embeds a runtime ends by itself after close`,
    { timeout: 118_000 },
    async (t) => {
      // Rejects when the registry cannot be reached: a version that was not tested must not look like one that was.
      const node = await findNode(major);
      for (const hosts of [0, 1, 2]) {
        for (const scenario of hosts === 0 ? SCENARIOS : THREADED) {
          await t.test(`${hosts} hosts, ${scenario}`, async (t) => {
            const { exit, stdout, stderr, lingeredMs } = await runModule(
              t,
              node,
              'embedding',
              [String(hosts), scenario],
              10_000,
            );
            assert.deepEqual({ exit, stdout, stderr }, { exit: 0, stdout: 'closed\n', stderr: '' });
            assert.ok(lingeredMs < LINGER_MS, `took ${Math.round(lingeredMs)} ms to end`);
          });
        }
      }
    },
  );
}

interface Standalone {
  readonly cli: Cli;
  readonly ready: Ready;
  readonly client: Client;
}

async function standalone(t: TestContext, ...flags: string[]): Promise<Standalone> {
  const cli = new Cli(t, started('--actors', FIXTURES, ...flags));
  const ready = await cli.ready();
  const client = createClient({ url: ready.url, tokenFile: ready.token_file });
  t.after(() => client.close());
  return { cli, ready, client };
}

/** Twenty asks to a worker that is held at the first one; resolves when all have been accepted. */
async function workInFlight({ cli, client }: Standalone): Promise<{ gate: string; outcomes: Promise<unknown[]> }> {
  const gate = join(cli.dir, 'gate');
  const worker = await client.create({ kind: 'held' });
  const inputs = [{ until: gate, say: 0 }, ...Array.from({ length: 19 }, (_, n) => ({ say: n + 1 }))];
  const outcomes = Promise.all(inputs.map((input) => codeOf(worker.ask(input))));
  await eventually(async () => {
    let accepted = 0;
    for await (const { type } of worker.transcript()) if (type === 'input') accepted++;
    return accepted === inputs.length;
  });
  return { gate, outcomes };
}

describe('the standalone process', { timeout: 60_000 }, () => {
  test('lets accepted inputs run to their end after SIGTERM, answers them and exits with 0', async (t) => {
    const process = await standalone(t);
    const { gate, outcomes } = await workInFlight(process);
    process.cli.kill('SIGTERM');
    await process.cli.line('stderr', /"message":"draining"/);
    writeFileSync(gate, '');
    assert.deepEqual(
      (await outcomes).sort((a, b) => Number(a) - Number(b)),
      Array.from({ length: 20 }, (_, n) => n),
    );
    assert.equal(await process.cli.exit(), 0);
    const { finished, cancelled } = jsonLines(process.cli.stderr).at(-1) ?? {};
    assert.deepEqual({ finished, cancelled }, { finished: 20, cancelled: 0 });
  });

  test('cancels what is left when the drain may take no longer, says so to those who wait and exits with 0', async (t) => {
    const process = await standalone(t, '--drain-ms=50');
    const { outcomes } = await workInFlight(process);
    process.cli.kill('SIGTERM');
    assert.deepEqual(
      await outcomes,
      Array.from({ length: 20 }, () => 'cancelled'),
    );
    assert.equal(await process.cli.exit(), 0);
  });

  test('exits with 0 after SIGTERM while a handler spins and hears nothing', async (t) => {
    const process = await standalone(t, '--drain-ms=50', '--cancel-grace-ms=100');
    const worker = await process.client.create({ kind: 'spins' });
    const spinning = codeOf(worker.ask({ politely: false }));
    await eventually(async () => (await worker.view()).running !== null);
    process.cli.kill('SIGTERM');
    assert.equal(await spinning, 'cancelled');
    assert.equal(await process.cli.exit(), 0);
  });

  test('leaves native code behind that does not return, and ends with 0 where Node can, or by the signal', async (t) => {
    const standing = await standalone(t, '--drain-ms=50', '--cancel-grace-ms=100');
    const worker = await standing.client.create({ kind: 'blocks-native' });
    // Much longer than this test waits.
    const blocked = codeOf(worker.ask({ iterations: 200_000_000 }));
    await eventually(async () => (await worker.view()).running !== null);
    standing.cli.kill('SIGTERM');
    assert.equal(await blocked, 'cancelled');
    assert.equal(await standing.cli.exit(), 'execve' in process ? 0 : 'SIGTERM');
    assert.match(standing.cli.stderr.join('\n'), /a thread is in native code and does not end/);
    assert.equal(existsSync(`/proc/${standing.ready.pid}`), false);
  });

  test('leaves nothing running after kill -9', async (t) => {
    const process = await standalone(t, '--hosts=2');
    const { outcomes } = await workInFlight(process);
    const { pid, url } = process.ready;
    assert.deepEqual(childrenOf(pid), []);
    process.cli.kill('SIGKILL');
    assert.equal(await process.cli.exit(), 'SIGKILL');
    assert.deepEqual(
      await outcomes,
      Array.from({ length: 20 }, () => 'runtime_unavailable'),
    );
    assert.equal(existsSync(`/proc/${pid}`), false);
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
  });
});

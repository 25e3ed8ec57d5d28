// `greenroom replay` as an operator sees it, over the store of a runtime that has ended: what is printed, and the exit code.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { call, Cli, freshDir, options, started } from './harness.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/replay/${name}.js`, import.meta.url));

async function startDurable(t: TestContext, limits: RuntimeOptions['limits'] = {}) {
  const dir = freshDir(t);
  const dataDir = join(dir, '.greenroom');
  const runtime: Runtime = await createRuntime({
    actors: [fixture('tally')],
    hosts: 1,
    store: 'lmdb',
    dataDir,
    limits,
  });
  t.after(async () => {
    if (runtime.supervisor.status === 'running') await runtime.close({ deadlineMs: 1 });
  });
  const replay = async (...args: string[]) => {
    const cli = new Cli(t, ['replay', '--worker', 'w', ...args], { dir });
    const code = await cli.exit();
    const text = [...cli.stdout, ...cli.stderr].map((line) => line.replace(/\([\w-]+-\d+\)/g, '(ID)'));
    return [code, ...text];
  };
  return { runtime, dir, dataDir, replay };
}

const SAME = ['--actor', fixture('tally')];
const CHANGED = ['--actor', fixture('tally-changed')];

describe('greenroom replay', options, () => {
  test('says that the same code does the same, and where other code does not', async (t) => {
    const { runtime, dataDir, replay } = await startDurable(t);
    const worker = await runtime.create({ kind: 'tally', workerId: 'w' });
    for (const n of [1, 200]) await worker.ask({ do: 'add', n });
    await worker.ask({ do: 'emit', n: 2 });
    assert.equal(await codeOf(worker.ask({ do: 'exit' })), 'host_lost');
    assert.equal(await codeOf(worker.ask({ do: 'refuse' })), 'refused');
    const running = codeOf(worker.ask({ do: 'wait' }));
    await eventually(() => worker.view().running !== null);
    await worker.cancel();
    assert.equal(await running, 'cancelled');
    const inUse = await replay(...SAME);
    assert.deepEqual([inUse[0], String(inUse[1]).endsWith('(store_in_use)')], [1, true]);
    await runtime.close();
    const before = readFileSync(join(dataDir, 'store.mdb'));
    assert.deepEqual(await replay(...SAME), [
      0,
      'w: 4 inputs fed, 4 compared; left out: 1 cancelled, 1 unknown; no differences',
    ]);
    assert.deepEqual(await replay('--actors', fixture('tally')), await replay(...SAME));
    const [code, ...lines] = await replay(...CHANGED);
    assert.equal(code, 1);
    assert.deepEqual(lines.slice(0, 3), [
      'input 4 (ID): output: recorded 201, now 1',
      'input 6 (ID): emitted at /1: recorded {"n":1}, now nothing',
      'input 6 (ID): output: recorded 201, now 1',
    ]);
    assert.match(String(lines.at(-1)), /^w: 4 inputs fed, .*; 5 differences$/);
    // Nothing of the store has changed.
    assert.ok(before.equals(readFileSync(join(dataDir, 'store.mdb'))));
    assert.ok(readdirSync(dataDir).every((name) => !name.endsWith('.lock')));
  });

  test('prints one object with --json, the values whole, from a copy of the store', async (t) => {
    const { runtime, dir, dataDir } = await startDurable(t);
    const worker = await runtime.create({ kind: 'tally', workerId: 'w' });
    await runtime.create({ kind: 'tally', workerId: 'other' });
    await worker.ask({ do: 'ask', n: 7 });
    const { inputId } = await worker.tell({ do: 'add', n: 2 });
    await runtime.close();
    copyFileSync(join(dataDir, 'store.mdb'), join(dir, 'backup.mdb'));
    const cli = new Cli(t, ['replay', '--worker=w', '--store-file=backup.mdb', '--json', ...SAME], { dir });
    assert.deepEqual([await cli.exit(), cli.stderr], [1, []]);
    const { refused, ...report } = JSON.parse(cli.stdout.join('')) as Record<string, unknown>;
    assert.deepEqual(
      (refused as Record<string, unknown>[]).map(({ sequence, calls }) => [sequence, calls]),
      [[2, ['ctx.ask']]],
    );
    const after = { is_after_refusal: true };
    assert.deepEqual(report, {
      worker_id: 'w',
      kind: 'tally',
      first_sequence: 1,
      fed: 2,
      compared: 1,
      left_out: { cancelled: 0, unknown: 0, not_run: 0, open: 0 },
      is_state_compared: true,
      differences: [
        { of: 'output', input_id: inputId, sequence: 4, ...after, path: '', recorded: 9, replayed: 2 },
        { of: 'state', input_id: null, sequence: null, ...after, path: '/total', recorded: 9, replayed: 2 },
      ],
    });
  });

  test('begins with the state of a file', async (t) => {
    const { runtime, dir, replay } = await startDurable(t);
    const worker = await runtime.create({ kind: 'tally', workerId: 'w' });
    await worker.ask({ do: 'add', n: 1 });
    await runtime.close();
    writeFileSync(join(dir, 'state.json'), '{"total":3,"lastInputId":""}');
    assert.deepEqual(await replay(...SAME, '--from-state', 'state.json'), [
      1,
      'input 2 (ID): output: recorded 1, now 4',
      'state at /total: recorded 1, now 4',
      'w: 1 inputs fed, 1 compared; 2 differences',
    ]);
  });

  test('a transcript whose start is gone needs a state', async (t) => {
    const { runtime, dir, replay } = await startDurable(t, { maxTranscriptEntries: 5 });
    const worker = await runtime.create({ kind: 'tally', workerId: 'w' });
    for (const n of [1, 2, 3, 4]) await worker.ask({ do: 'add', n });
    await runtime.close();
    const [code, line] = await replay(...SAME);
    assert.equal(code, 1);
    assert.match(String(line), /begins at sequence 5: .*\(invalid_request\)$/);
    writeFileSync(join(dir, 'state.json'), '{"total":3,"lastInputId":""}');
    assert.deepEqual(await replay(...SAME, '--from-state', 'state.json'), [
      0,
      'w: 2 inputs fed, 2 compared; nothing before sequence 5 is kept; no differences',
    ]);
  });

  test('reads what a process has left that was killed, and what the next one made of it', async (t) => {
    const dir = freshDir(t);
    const start = async () => {
      const cli = new Cli(t, started('--store=lmdb', '--actors', fixture('tally')), { dir });
      return { cli, ready: await cli.ready() };
    };
    const replay = async () => {
      const cli = new Cli(t, ['replay', '--worker=w', ...SAME], { dir });
      return [await cli.exit(), ...cli.stdout, ...cli.stderr];
    };
    const { cli, ready } = await start();
    await call(ready, 'POST', '/v1/workers', { kind: 'tally', worker_id: 'w' });
    const waiting = { prefer: 'wait=10' };
    for (const n of [1, 2]) await call(ready, 'POST', '/v1/workers/w/input', { do: 'add', n }, waiting);
    assert.equal((await call(ready, 'POST', '/v1/workers/w/input', { do: 'wait' })).status, 202);
    await eventually(async () => {
      const { body } = await call(ready, 'GET', '/v1/workers/w');
      return (body as { worker: { running: unknown } }).worker.running !== null;
    });
    cli.kill('SIGKILL');
    await cli.exit();
    const fed = 'w: 2 inputs fed, 2 compared; left out: 1';
    assert.deepEqual(await replay(), [0, `${fed} open; no differences`]);
    const next = await start();
    const answer = await call(next.ready, 'POST', '/v1/workers/w/input', { do: 'add', n: 3 }, waiting);
    assert.equal(answer.status, 200);
    next.cli.kill('SIGKILL');
    await next.cli.exit();
    assert.deepEqual(await replay(), [0, `${fed.replaceAll('2 ', '3 ')} unknown; no differences`]);
  });

  test('says in one line what is missing or wrong', async (t) => {
    const { runtime, dir, dataDir, replay } = await startDurable(t);
    await runtime.close();
    mkdirSync(join(dir, 'empty'));
    writeFileSync(join(dir, 'broken.json'), '{');
    const cases: [number, RegExp, string[]][] = [
      [1, /--actor or --actors is needed/, []],
      [1, /\(worker_not_found\)$/, SAME],
      [1, /no durable store.*\(invalid_option\)$/, [...SAME, '--data-dir', 'empty']],
      [1, /cannot be read \(ENOENT\).*\(invalid_option\)$/, [...SAME, '--store-file', 'none.mdb']],
      [1, /broken\.json: is not valid JSON/, [...SAME, '--from-state', 'broken.json']],
      [1, /there is no actor/, ['--actor', 'none.js']],
      [2, /--input-timeout-ms must be/, [...SAME, '--input-timeout-ms', '0']],
      [2, /cannot be used with/, [...SAME, '--data-dir', dataDir, '--store-file', 'x']],
    ];
    for (const [expected, pattern, args] of cases) {
      const [code, line, ...more] = await replay(...args);
      assert.deepEqual([code, more], [expected, []], args.join(' '));
      assert.match(String(line), pattern);
    }
  });
});

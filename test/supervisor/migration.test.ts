// A worker whose actor is changed while it lives: the next host loads the new code, and finds a state of the old.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import {
  codeOf,
  eventually,
  hasStatus,
  recordLog,
  startRuntime,
  temporaryFolder,
  transcriptOf,
} from '../support/start-runtime.ts';

const EXITS = new URL('../fixtures/actors/exits.js', import.meta.url);
const VERSION_1 = 'stateVersion: 1';
const VERSION_2 = 'stateVersion: 2, migrate: (old, from) => ({ total: old.total * 100, from })';

interface Scene {
  runtime: Runtime;
  worker: WorkerHandle;
  lines: ReturnType<typeof recordLog>['lines'];
  /** Changes the code, and ends the host: its successor loads what is there then. */
  deploy: (code: string) => Promise<void>;
}

function writeActor(file: string, code: string): void {
  writeFileSync(
    file,
    `import * as v from ${JSON.stringify(import.meta.resolve('valibot'))};
    export default {
      kind: 'sums', input: v.number(), state: () => ({ total: 0 }), ${code},
      receive: (input, ctx) => { ctx.state.total += input; return ctx.state; },
    };`,
  );
}

/** Without the chain of deaths, which restarts.test.ts is about. */
function failureOf(worker: WorkerHandle) {
  const { failure } = worker.view();
  const details = Object.fromEntries(Object.entries(failure?.details ?? {}).filter(([name]) => name !== 'deaths'));
  return failure && { ...failure, details };
}

/** A worker with a state of version 1, and another on the same host that can end it. */
async function startScene(t: TestContext): Promise<Scene> {
  const file = join(temporaryFolder(t), 'sums.mjs');
  const write = (code: string) => writeActor(file, code);
  write(VERSION_1);
  const { log, lines } = recordLog();
  const runtime = await startRuntime(t, { actors: [pathToFileURL(file), EXITS], log });
  const worker = await runtime.create({ kind: 'sums', workerId: 'w' });
  const exits = await runtime.create({ kind: 'exits', workerId: 'exits' });
  assert.deepEqual(await worker.ask(5), { total: 5 });
  const deploy = async (code: string): Promise<void> => {
    write(code);
    assert.equal(await codeOf(exits.ask({ code: 1 })), 'host_lost');
    await hasStatus(exits, 'idle');
  };
  return { runtime, worker, lines, deploy };
}

describe('a worker whose state is of an older version', () => {
  test('goes on with the migrated state, which is migrated once', async (t) => {
    const { worker, deploy } = await startScene(t);
    await deploy(VERSION_2);
    assert.deepEqual(await worker.ask(1), { total: 501, from: 1 });
    // Had it been kept under its old version, it would be migrated again.
    await deploy(VERSION_2);
    assert.deepEqual(await worker.ask(1), { total: 502, from: 1 });
  });

  test('keeps the migrated state even if no input has run since', async (t) => {
    const { worker, deploy } = await startScene(t);
    await deploy(VERSION_2);
    await hasStatus(worker, 'idle');
    await deploy('stateVersion: 2');
    assert.deepEqual(await worker.ask(1), { total: 501, from: 1 });
  });

  test('fails at once and alone if that goes wrong, and says why', async (t) => {
    const { runtime, worker, lines, deploy } = await startScene(t);
    await deploy(`stateVersion: 3, migrate: () => { throw new Error('SECRET in ' + ${JSON.stringify('/srv/app')}); }`);
    await hasStatus(worker, 'failed');
    const details = { from: 1, to: 3, reason: '`migrate` threw an error.' };
    const message = 'The state of version 1 could not be brought to version 3: `migrate` threw an error.';
    const failure = { code: 'migration_failed', message, retryable: false, details };
    assert.deepEqual([failureOf(worker), worker.view().restarts], [failure, 1]);
    // Once: there was no second attempt.
    assert.equal(lines.filter((line) => line.message === 'migrate() failed').length, 1);
    const { data } = await eventually(async () => (await transcriptOf(worker)).find(({ type }) => type === 'failed'));
    assert.equal((data as { code: string }).code, 'migration_failed');
    assert.equal(await codeOf(worker.ask(1)), 'worker_failed');
    assert.equal(await runtime.worker('exits').ask({ add: 1 }), 1);
  });

  test('has its inputs that waited settled when it fails, and none has run', async (t) => {
    const { runtime, worker, deploy } = await startScene(t);
    await worker.stop();
    await deploy('stateVersion: 2');
    // It is starting when the input is accepted.
    const restored = worker.restore();
    const waiting = codeOf(worker.ask(1));
    assert.deepEqual([await waiting, (await restored).status], ['worker_failed', 'failed']);
    const types = (await transcriptOf(worker)).map(({ type }) => type);
    assert.deepEqual(types.slice(-4), ['stopped', 'input', 'failed', 'failed']);
    assert.equal(runtime.worker('w').view().mailbox.messages, 0);
  });

  test('has its old state when it is restored after the actor was mended', async (t) => {
    const { worker, deploy } = await startScene(t);
    await deploy('stateVersion: 2');
    await hasStatus(worker, 'failed');
    assert.equal((await worker.restore()).failure?.details?.['reason'], 'the actor has no `migrate`.');
    await deploy(VERSION_2);
    assert.equal((await worker.restore()).status, 'idle');
    assert.deepEqual(await worker.ask(1), { total: 501, from: 1 });
  });

  test('fails, and keeps its state, when the code goes back to an older version', async (t) => {
    const { worker, deploy } = await startScene(t);
    await deploy(VERSION_2);
    assert.deepEqual(await worker.ask(0), { total: 500, from: 1 });
    await deploy(VERSION_1);
    await hasStatus(worker, 'failed');
    assert.deepEqual(failureOf(worker)?.details, { from: 2, to: 1, reason: 'it is newer than the actor.' });
    await deploy(VERSION_2);
    await worker.restore();
    assert.deepEqual(await worker.ask(0), { total: 500, from: 1 });
  });
});

test('a version is kept on disk with its state, and so is what became of a migration', async (t) => {
  const file = join(temporaryFolder(t), 'sums.mjs');
  const dataDir = temporaryFolder(t);
  let kept = '';
  /** One run of the runtime with this code. */
  const run = async (code: string, act: (runtime: Runtime) => Promise<void>): Promise<void> => {
    writeActor(file, code);
    const runtime = await startRuntime(t, { actors: [pathToFileURL(file)], store: 'lmdb', dataDir });
    await act(runtime);
    await runtime.close();
  };
  await run(VERSION_1, async (runtime) => {
    const worker = await runtime.create({ kind: 'sums', workerId: 'w' });
    assert.deepEqual(await worker.ask(5), { total: 5 });
  });
  await run('stateVersion: 2', async (runtime) => {
    const worker = runtime.worker('w');
    kept = (await worker.tell(1)).inputId;
    await hasStatus(worker, 'failed');
    assert.equal(await codeOf(worker.ask(1)), 'worker_failed');
    assert.equal(worker.view().mailbox.messages, 1);
  });
  await run(VERSION_2, async (runtime) => {
    const worker = runtime.worker('w');
    assert.equal(worker.input(kept).status, 'waiting');
    const { status } = worker.view();
    assert.deepEqual(
      [status, failureOf(worker)?.details],
      ['failed', { from: 1, to: 2, reason: 'the actor has no `migrate`.' }],
    );
    await worker.restore();
    // What came before the migration failed has waited for this.
    assert.deepEqual(await eventually(() => worker.input(kept).output), { total: 501, from: 1 });
  });
  // Migrated in the run before: there is nothing left to migrate.
  await run('stateVersion: 2', async (runtime) => {
    assert.deepEqual(await runtime.worker('w').ask(1), { total: 502, from: 1 });
  });
  await run(VERSION_1, async (runtime) => {
    const worker = runtime.worker('w');
    await worker.tell(1);
    await hasStatus(worker, 'failed');
    assert.deepEqual(failureOf(worker)?.details, { from: 2, to: 1, reason: 'it is newer than the actor.' });
  });
});

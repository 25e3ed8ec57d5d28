import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { codeOf, emitted, eventually, recordLog, startRuntime, transcriptOf } from '../support/start-runtime.ts';

const MiB = 1024 * 1024;

async function startAlone(t: TestContext, kind: string, options: Partial<RuntimeOptions> = {}) {
  const runtime: Runtime = await startRuntime(t, options);
  const worker: WorkerHandle = await runtime.create({ kind, workerId: 'alone' });
  return { runtime, worker };
}

async function failureOf(promise: Promise<unknown>): Promise<{ code: string; details: Record<string, unknown> }> {
  try {
    assert.fail(`it was answered: ${JSON.stringify(await promise)}`);
  } catch (thrown) {
    const { code, details } = thrown as { code: string; details: Record<string, unknown> };
    if (code === undefined) throw thrown;
    return { code, details };
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

async function pidOf(worker: WorkerHandle): Promise<number> {
  const { pid } = (await worker.ask({ do: 'tell' })) as { pid: number };
  assert.notEqual(pid, process.pid);
  return pid;
}

test('an actor with isolation process runs in a process of its own, which ends with its worker', async (t) => {
  const { worker, runtime } = await startAlone(t, 'alone');
  const pid = await pidOf(worker);
  const host = (await runtime.describe()).hosts.find(({ hostId }) => hostId === worker.view().hostId);
  assert.equal(host?.isolation, 'process');
  await worker.stop();
  await eventually(() => isGone(pid));
});

test('payloads of every size and form come back from a process as they went', async (t) => {
  const { worker } = await startAlone(t, 'alone');
  for (const echo of [null, 0, '', 'ä€😀', [1, { a: [] }], 'x'.repeat(100_000), 'ä'.repeat(2_000_000)])
    assert.deepEqual(await worker.ask({ do: 'echo', echo }), echo);
});

for (const how of ['push', 'double'])
  test(`memory that is taken without end (${how}) ends one process, and its caller is told why`, async (t) => {
    const { worker, runtime } = await startAlone(t, 'allocates', { limits: { processHeapBytes: 200 * MiB } });
    const neighbour = await runtime.create({ kind: 'exits' });
    await neighbour.ask({ add: 1 });
    assert.equal(await worker.ask({ how: 'not' }), 1);
    const { code, details } = await failureOf(worker.ask({ how }));
    assert.deepEqual([code, details['cause'], details['heap_limit_bytes']], ['host_lost', 'out_of_memory', 200 * MiB]);
    assert.deepEqual([details['culprits'], details['workers_hit']], [['alone'], 1]);
    assert.equal(await worker.ask({ how: 'not' }), 2);
    assert.equal(worker.view().restarts, 1);
    assert.deepEqual([await neighbour.ask({ add: 1 }), neighbour.view().restarts], [2, 0]);
  });

test('what an actor does to its process is told as the cause of its end', async (t) => {
  const { worker } = await startAlone(t, 'alone');
  const ends = [
    ['exit', 'host_lost', { cause: 'exited', exit_code: 7 }],
    ['fault', 'host_lost', { cause: 'crashed', signal: 'SIGSEGV' }],
    ['throw later', 'worker_crashed', { cause: 'uncaught_exception' }],
  ] as const;
  for (const [what, expectedCode, expected] of ends) {
    const { code, details } = await failureOf(worker.ask({ do: what }));
    const told = Object.fromEntries(Object.keys(expected).map((key) => [key, details[key]]));
    assert.deepEqual([code, told], [expectedCode, expected]);
  }
  assert.deepEqual(
    (await transcriptOf(worker))
      .filter(({ type }) => type === 'restarted')
      .map(({ data }) => (data as { cause: string }).cause),
    ['exited', 'crashed', 'uncaught_exception'],
  );
});

test('a process that is killed from outside is a crash, and the worker goes on in another one', async (t) => {
  const { worker } = await startAlone(t, 'alone');
  const pid = await pidOf(worker);
  process.kill(pid, 'SIGKILL');
  await eventually(() => worker.view().restarts === 1);
  assert.notEqual(await pidOf(worker), pid);
});

test('a signal for the whole group of processes leaves the end of hosts to the runtime', async (t) => {
  const { worker } = await startAlone(t, 'alone');
  const pid = await pidOf(worker);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
  assert.equal(await pidOf(worker), pid);
});

test('native code that blocks is killed with its process at once', async (t) => {
  const { worker } = await startAlone(t, 'alone', { limits: { cancelGraceMs: 50 } });
  const pid = await pidOf(worker);
  const answer = codeOf(worker.ask({ do: 'block' }));
  await emitted(worker, 'blocking');
  await worker.cancel();
  assert.equal(await answer, 'cancelled');
  await eventually(() => isGone(pid));
  assert.notEqual(await pidOf(worker), pid);
});

test('the watchdog sees what a process does, and ends one that gives no sign of life', async (t) => {
  const { worker, runtime } = await startAlone(t, 'alone', { limits: { stuckAfterMs: 500 } });
  const pid = await pidOf(worker);
  const waits = codeOf(worker.ask({ do: 'wait' }));
  const { hostId } = worker.view();
  const seen = await eventually(async () =>
    (await runtime.describe()).hosts.find(
      (host) => host.hostId === hostId && host.verdict === 'progressing' && host.heapBytes > 0,
    ),
  );
  assert.deepEqual([seen.isolation, seen.handled], ['process', 1]);
  await worker.cancel();
  assert.equal(await waits, 'cancelled');
  assert.equal(await pidOf(worker), pid);
  const { code, details } = await failureOf(worker.ask({ do: 'block' }));
  assert.deepEqual([code, details['cause'], details['culprits']], ['host_lost', 'stuck', ['alone']]);
  assert.equal(isGone(pid), true);
  assert.notEqual(await pidOf(worker), pid);
});

test('a process waits for one input at a time: what had not been sent runs after its death', async (t) => {
  const { worker } = await startAlone(t, 'alone');
  const pid = await pidOf(worker);
  const first = failureOf(worker.ask({ do: 'wait' }));
  const others = [1, 2, 3].map(() => worker.ask({ do: 'tell' }));
  await emitted(worker, 'waiting');
  process.kill(pid, 'SIGKILL');
  assert.equal((await first).code, 'host_lost');
  const runs = (await Promise.all(others)).map((output) => (output as { runs: number }).runs);
  assert.deepEqual(runs, [2, 3, 4]);
});

test('what an actor prints in a process is in the log with its worker, bounded and without paths', async (t) => {
  const { lines, log } = recordLog();
  const { worker } = await startAlone(t, 'alone', { log });
  await worker.ask({ do: 'print', lines: 5_000 });
  await worker.stop();
  const written = () => lines.filter(({ fields }) => fields['stream'] !== undefined);
  const dropped = () => lines.reduce((sum, { fields }) => sum + Number(fields['dropped_lines'] ?? 0), 0);
  // One of them to stderr.
  await eventually(() => written().length + dropped() === 5_001);
  assert.ok(written().length < 1_000, `${written().length} lines`);
  const { message, fields } = written()[0] ?? {};
  assert.deepEqual([message, fields?.['worker_id']], ['line 0 of <path>', worker.workerId]);
  assert.equal(typeof fields?.['host_id'], 'string');
});

test('a process ends at once when its runtime is killed, whatever its actor does', async () => {
  const script = fileURLToPath(new URL('./process-owner.js', import.meta.url));
  const owner = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await Promise.race([once(owner.stdout, 'data'), once(owner, 'exit')])) as [Buffer];
  const pid = Number(line.toString());
  assert.equal(isGone(pid), false);
  owner.kill('SIGKILL');
  await eventually(() => isGone(pid));
});

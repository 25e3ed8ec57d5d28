// Hangs of every kind, with real threads: each is found from outside, ended, and written down; neighbours and the worker itself go on.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { KILL_DEADLINE_MS } from '../../lib/limits.ts';
import type { KillCertificate, Verdict } from '../../lib/protocol/views.ts';
import { toCamelCase } from '../../lib/protocol/views.ts';
import { eventually, recordLog, startRuntime, transcriptOf } from '../support/start-runtime.ts';

const STUCK_AFTER_MS = 300;
/** A few seconds of native code: longer than it takes to be found, killed and given up. */
const BLOCK_ITERATIONS = 4_000_000;
/** Whether the kernel tells how much CPU a thread takes. */
const KNOWS_CPU = existsSync('/proc/thread-self/schedstat');
/** Whether Node can interrupt a thread for an answer. */
const INTERRUPTS = 'getHeapStatistics' in Worker.prototype;

/** A hang, the input that causes it, one that does no harm and its answer, and what may be found. */
const HANGS: readonly [string, unknown, Verdict[]][] = [
  ['spins', { politely: false }, ['spinning']],
  ['regex', { hang: true }, ['spinning']],
  ['waits', { hang: true }, ['blocked']],
  // Node 26 encodes in one piece, which does not answer but is over soon.
  ['stringifies', { hang: true }, INTERRUPTS ? ['spinning', 'native_block'] : ['spinning']],
  ['microtasks', { hang: true }, ['spinning']],
];

describe('a hang', () => {
  for (const [kind, input, verdicts] of HANGS)
    test(`of an actor that ${kind} is ended, and its neighbour answers`, async (t) => {
      const { log, lines } = recordLog();
      const runtime = await startRuntime(t, { limits: { stuckAfterMs: STUCK_AFTER_MS }, log });
      const worker = await runtime.create({ kind, workerId: 'stuck' });
      const neighbour = await runtime.create({ kind: 'counter', workerId: 'neighbour' });
      const hostId = worker.view().hostId ?? '';
      const asking = worker.ask(input).catch((error: unknown) => error as { code: string; details: object });
      const behind = neighbour.ask({ add: 1 });
      const { code, details } = (await asking) as { code: string; details: Record<string, unknown> };
      assert.equal(code, 'host_lost');
      assert.equal(details['cause'], 'stuck');
      assert.equal(await behind, 1);

      const entry = (await transcriptOf(worker)).find(({ type }) => type === 'killed');
      const certificate = toCamelCase(entry?.data) as KillCertificate;
      assert.equal(certificate.reason, 'stuck');
      assert.equal(certificate.hostId, hostId);
      assert.deepEqual(certificate.culprits, ['stuck']);
      assert.equal(certificate.workersHit, 2);
      assert.deepEqual(
        certificate.inputs.map(({ workerId, became }) => [workerId, became]),
        [['stuck', 'unknown']],
      );
      assert.equal(certificate.evidence.running[0]?.inputId, certificate.inputs[0]?.inputId);
      assert.ok(certificate.evidence.silentMs >= STUCK_AFTER_MS);
      assert.ok(certificate.tookMs !== null);
      const expected: readonly Verdict[] = KNOWS_CPU ? verdicts : ['unresponsive'];
      assert.ok(expected.includes(certificate.verdict), `${certificate.verdict}: ${JSON.stringify(certificate)}`);

      const detail = await eventually(() => runtime.supervisor.hosts.detail(hostId));
      assert.equal(detail.status, 'dead');
      assert.ok(detail.endedAt !== null);
      assert.equal(detail.certificate?.orderedAt, certificate.orderedAt);
      const line = lines.find(({ message }) => message === 'host killed');
      assert.equal((line?.fields['certificate'] as { reason: string }).reason, 'stuck');
      await eventually(() => worker.view().status === 'idle');
    });
});

describe('native code that does not return', () => {
  test('has its host quarantined and replaced: neighbours and the worker answer meanwhile, and nothing waits for it', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { limits: { stuckAfterMs: STUCK_AFTER_MS }, log });
    const worker = await runtime.create({ kind: 'blocks-native', workerId: 'native' });
    const neighbour = await runtime.create({ kind: 'counter', workerId: 'neighbour' });
    const hostId = worker.view().hostId ?? '';
    const blocked = worker.ask({ iterations: BLOCK_ITERATIONS }).catch((error: unknown) => error as { code: string });
    const behind = neighbour.ask({ add: 1 });
    assert.equal(((await blocked) as { code: string }).code, 'host_lost');
    assert.equal(await behind, 1);
    assert.equal(await worker.ask({ iterations: 1 }), 64);

    const detail = runtime.supervisor.hosts.detail(hostId);
    assert.equal(detail?.status, 'quarantined', 'the block was over too soon for this test');
    assert.equal(detail.endedAt, null);
    assert.equal(detail.certificate?.verdict, 'native_block');
    assert.equal(detail.certificate.tookMs, null);
    const { hosts } = await runtime.describe();
    assert.deepEqual(
      hosts.map(({ status }) => status),
      ['ready', 'quarantined'],
    );
    assert.ok(lines.some(({ message }) => message.startsWith('host quarantined')));
    assert.ok((await transcriptOf(worker)).some(({ type }) => type === 'killed'));

    // It is not waited for, and when it ends at last its certificate is complete.
    const report = await runtime.close({ deadlineMs: 5_000 });
    assert.equal(report.killed, 0);
    assert.equal(
      runtime.supervisor.hosts.detail(hostId)?.status,
      'quarantined',
      'the block was over too soon for this test',
    );
    const ended = await eventually(() => {
      const gone = runtime.supervisor.hosts.detail(hostId);
      return gone?.status === 'dead' ? gone : undefined;
    }, 60_000);
    assert.ok((ended.certificate?.tookMs ?? 0) > KILL_DEADLINE_MS);
    assert.equal(ended.certificate?.verdict, 'native_block');
  });
});

describe('a handler that takes long', () => {
  for (const how of ['checkpoints', 'awaits'])
    test(`is left alone if it ${how === 'awaits' ? 'awaits' : 'looks at whether it is cancelled'}`, async (t) => {
      const runtime = await startRuntime(t, { limits: { stuckAfterMs: STUCK_AFTER_MS } });
      const worker = await runtime.create({ kind: 'patient' });
      assert.equal(await worker.ask({ how, forMs: 5 * STUCK_AFTER_MS }), 'through');
      assert.equal(worker.view().restarts, 0);
    });
});

// Hangs of every kind, with real threads: each is found from outside, ended, and written down; neighbours and the worker itself go on.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { KILL_DEADLINE_MS } from '../../lib/limits.ts';
import { replaceTime } from '../../lib/protocol/clock.ts';
import type { KillCertificate, Verdict } from '../../lib/protocol/views.ts';
import { toCamelCase } from '../../lib/protocol/views.ts';
import { Wheel } from '../../lib/protocol/wheel.ts';
import type { HostSlot } from '../../lib/supervisor/host-slot.ts';
import { Watchdog } from '../../lib/supervisor/watchdog.ts';
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

      const detail = await eventually(() => {
        const gone = runtime.supervisor.hosts.detail(hostId);
        return gone?.status === 'dead' ? gone : undefined;
      });
      assert.ok(detail.endedAt !== null);
      assert.equal(detail.certificate?.orderedAt, certificate.orderedAt);
      const { verdict, tookMs, evidence } = detail.certificate;
      assert.ok(tookMs !== null);
      // On a crowded machine even a loop may not end in time; then it has to look like native code.
      const late: readonly Verdict[] = tookMs >= KILL_DEADLINE_MS ? ['native_block'] : [];
      const expected: readonly Verdict[] = [...(KNOWS_CPU ? verdicts : (['unresponsive'] as const)), ...late];
      assert.ok(expected.includes(verdict), `${verdict}: ${JSON.stringify(detail.certificate)}`);
      t.diagnostic(
        `${kind}: ${verdict}, killed ${evidence.running[0]?.ageMs} ms after its input was accepted, ended after ${tookMs} ms`,
      );
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

/** A watchdog with one host that can be told what to do, on a clock that moves when it is told. */
function simulated(t: TestContext) {
  let nowMs = 1_000_000;
  let waking = { atMs: Infinity, due: (): void => undefined };
  t.after(
    replaceTime({
      now: () => nowMs,
      monotonicMs: () => nowMs,
      wake: (delayMs, due) => {
        waking = { atMs: nowMs + delayMs, due };
        return () => (waking = { atMs: Infinity, due: () => undefined });
      },
    }),
  );
  const host = { inFlight: 1, beat: 0, progress: 0, quietMs: 0, pings: 0, pulses: 0, answers: true };
  const killed: { reason: string; atMs: number }[] = [];
  const slot = {
    status: 'ready',
    killOrder: null as unknown,
    handled: 0,
    sample: { verdict: 'idle', silentMs: 0 },
    workers: [],
    seated: () => [],
    host: {
      get inFlight() {
        return host.inFlight;
      },
      ping: () => {
        host.pings++;
        if (host.answers) host.beat = host.pings;
        return host.pings;
      },
      pulse: () => {
        host.pulses++;
        const { beat, progress, quietMs } = host;
        return {
          beat,
          progress,
          quietMs,
          utilization: 0,
          heapBytes: 1,
          externalBytes: 2,
          cpuMs: null,
          wantedCpuMs: null,
        };
      },
      interrupt: () => null,
      current: () => -1,
    },
    kill: (reason: string) => {
      slot.killOrder = { reason };
      killed.push({ reason, atMs: nowMs });
    },
  };
  const { log, lines } = recordLog();
  const watchdog = new Watchdog({
    wheel: new Wheel(),
    log,
    stuckAfterMs: 2_000,
    slots: () => [slot as unknown as HostSlot],
  });
  const run = (ms: number) => {
    const untilMs = nowMs + ms;
    while (waking.atMs <= untilMs) {
      const { atMs, due } = waking;
      waking = { atMs: Infinity, due: () => undefined };
      nowMs = Math.max(nowMs, atMs);
      due();
    }
    nowMs = untilMs;
  };
  /** Time passes, and nothing runs: not even what is due. */
  const standStill = (ms: number) => (nowMs += ms);
  return { host, slot, killed, lines, watchdog, run, standStill, now: () => nowMs };
}

describe('the watchdog', () => {
  test('kills a host that is silent for stuckAfterMs, and not earlier', (t) => {
    const { host, killed, run, now } = simulated(t);
    run(1_000);
    host.answers = false;
    run(300);
    const silentFromMs = now() - 300;
    run(1_690);
    assert.equal(killed.length, 0);
    run(600);
    assert.deepEqual(
      killed.map(({ reason }) => reason),
      ['stuck'],
    );
    assert.ok((killed[0]?.atMs ?? 0) - silentFromMs >= 2_000);
  });

  test('counts silence from the start of a handler that has given no sign of life since', (t) => {
    const { host, killed, run, now } = simulated(t);
    run(1_000);
    host.answers = false;
    host.progress++;
    host.quietMs = 200;
    run(250);
    const enteredMs = now() - host.quietMs;
    run(4_000);
    const [kill] = killed;
    assert.ok(kill !== undefined);
    const lateMs = kill.atMs - enteredMs - 2_000;
    assert.ok(lateMs >= -50 && lateMs <= 50, `${lateMs} ms after its time was over`);
  });

  test('a handler that answers the ping of the next look has not been silent', (t) => {
    const { host, slot, killed, run } = simulated(t);
    host.quietMs = 200;
    run(10_000);
    assert.deepEqual(killed, []);
    assert.equal(slot.sample.silentMs, 0);
  });

  test('takes progress for a sign of life while no ping is answered', (t) => {
    const { host, slot, killed, run } = simulated(t);
    host.answers = false;
    for (let n = 0; n < 20; n++) {
      host.progress++;
      run(1_000);
    }
    assert.deepEqual(killed, []);
    assert.equal(slot.sample.verdict, 'progressing');
  });

  test('does not hold it against a host that this thread itself stood still', (t) => {
    const { host, killed, lines, run, standStill } = simulated(t);
    run(1_000);
    host.answers = false;
    run(500);
    standStill(60_000);
    run(1_000);
    assert.deepEqual(killed, []);
    assert.deepEqual(
      lines.map(({ message }) => message),
      ['the main thread stood still'],
    );
    // It does not forgive what comes after.
    run(2_000);
    assert.equal(killed.length, 1);
  });

  test('leaves an idle host nearly alone, and finds what hangs there without an input', (t) => {
    const { host, slot, killed, run } = simulated(t);
    host.inFlight = 0;
    run(60_000);
    assert.ok(host.pings >= 10 && host.pings <= 13, `${host.pings} pings in a minute`);
    assert.ok(host.pulses <= 2 * host.pings + 1, `${host.pulses} looks`);
    assert.equal(slot.sample.verdict, 'idle');
    host.answers = false;
    run(10_000);
    assert.equal(killed.length, 1);
  });

  test('looks at nothing any more once it is stopped', (t) => {
    const { host, watchdog, run } = simulated(t);
    run(1_000);
    watchdog.stop();
    const { pulses } = host;
    run(10_000);
    assert.equal(host.pulses, pulses);
  });
});

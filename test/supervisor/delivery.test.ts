import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  codeOf,
  emitted,
  eventually,
  hasStatus,
  openGate,
  recordLog,
  startRuntime,
  transcriptOf,
} from '../support/start-runtime.ts';
import type { GreenroomError } from '../../lib/errors.ts';

const rejection = (promise: Promise<unknown>): Promise<GreenroomError> =>
  promise.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error as GreenroomError,
  );

describe('one at a time', () => {
  test('inputs of a worker run in the order of their acceptance, whatever the handler awaits', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'context', workerId: 'self' });
    const echo = await runtime.create({ kind: 'echo', workerId: 'echo' });
    const asks = Array.from({ length: 200 }, (_, n) =>
      n % 2 === 0 ? { do: 'count' } : { do: 'ask', worker: echo.workerId, input: n },
    );
    const answers = await Promise.all(asks.map((input) => worker.ask(input)));
    assert.deepEqual(
      answers,
      asks.map((_, n) => (n % 2 === 0 ? n + 1 : n)),
    );
  });

  test('asks that follow one another leave the loop of the main thread its turns', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'echo' });
    const text = 'x'.repeat(256 * 1_024);
    let asked = 0;
    let isOver = false;
    // Node reads up to 1,000 messages of a port in a row: had each answer its next question on the way at once, this
    // timer would come after them.
    const timer = setTimeout(() => (isOver = true), 1);
    const lane = async (): Promise<void> => {
      while (!isOver && ++asked < 1_000) assert.equal(await worker.ask(text), text);
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
    clearTimeout(timer);
    assert.ok(asked < 500, `${asked} asks before a timer of 1 ms`);
  });

  test('workers of one host go on while another waits', async (t) => {
    const runtime = await startRuntime(t);
    const gate = await runtime.create({ kind: 'gate' });
    const waiting = gate.ask({ wait: 'neighbours', say: 'late' });
    await emitted(gate, 'waiting');
    const echo = await runtime.create({ kind: 'echo' });
    assert.equal(await echo.ask('meanwhile'), 'meanwhile');
    openGate('neighbours');
    assert.equal(await waiting, 'late');
  });
});

describe('bounds', () => {
  test('a full mailbox refuses the next input at once, and says what is running and how much waits', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'narrow' });
    const running = worker.ask({ wait: 'narrow' });
    await emitted(worker, 'waiting');
    const waiting = [1, 2, 3].map((say) => worker.ask({ say }));
    const error = await rejection(worker.ask({ say: 4 }));
    const {
      oldest_age_ms,
      running: head,
      ...details
    } = error.details as { oldest_age_ms: number; running: { input_id: string; age_ms: number } };
    assert.deepEqual([error.code, error.status, error.retryable], ['worker_busy', 429, true]);
    assert.ok(oldest_age_ms >= 0 && head.age_ms >= 0 && head.input_id.length > 0);
    assert.deepEqual(details, {
      status: 'running',
      messages: 3,
      bytes: 27,
      capacity: 3,
      max_bytes: 67_108_864,
      estimated_wait_ms: 4, // none has ended yet: taken for a millisecond each
      retry_after_ms: 50,
    });
    openGate('narrow');
    assert.deepEqual(await Promise.all([running, ...waiting]), [null, 1, 2, 3]);
  });

  test('a turn-based worker accepts an input only while it is idle', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'turn' });
    const running = worker.ask({ wait: 'turn', say: 1 });
    const error = await rejection(worker.ask({ say: 2 }));
    assert.deepEqual([error.code, error.status], ['worker_busy', 409]);
    await emitted(worker, 'waiting');
    openGate('turn');
    assert.equal(await running, 1);
    assert.equal(await worker.ask({ say: 3 }), 3);
  });

  test('a mailbox is bounded in bytes', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxMessageBytes: 20 * 1024 * 1024 } });
    const worker = await runtime.create({ kind: 'gate' });
    void codeOf(worker.ask({ wait: 'never' }));
    await emitted(worker, 'waiting');
    const third = { say: 'x'.repeat(20 * 1024 * 1024 - 16) };
    await Promise.all([1, 2, 3].map(() => worker.tell(third)));
    const { code, details } = await rejection(worker.tell(third));
    assert.deepEqual([code, details?.['messages']], ['worker_busy', 3]);
  });

  test('the runtime is bounded in total bytes, across workers', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxMessageBytes: 1_000_000, maxTotalBytes: 5_000_000 } });
    const workers = await Promise.all([1, 2, 3].map(() => runtime.create({ kind: 'gate' })));
    const outcomes = await Promise.all(
      workers.map((worker) => codeOf(worker.tell({ wait: 'never', say: 'x'.repeat(900_000) }))),
    );
    assert.equal(outcomes[2], 'runtime_overloaded');
    await workers[0]?.cancel();
    await eventually(() => workers[0]?.view().status === 'idle');
    assert.equal(typeof (await workers[0]?.tell({ say: 'x'.repeat(900_000) }))?.inputId, 'string');
  });

  test('a message above the limit is refused before it is sent, at exactly one byte more', async (t) => {
    const runtime = await startRuntime(t, { limits: { maxMessageBytes: 100_000 } });
    const echo = await runtime.create({ kind: 'echo' });
    const atLimit = 'x'.repeat(100_000 - 2);
    assert.equal(await echo.ask(atLimit), atLimit);
    const { code, details } = await rejection(echo.ask(`${atLimit}x`));
    assert.deepEqual(
      { code, details },
      { code: 'payload_too_large', details: { payload_bytes: 100_001, limit_bytes: 100_000, hop: 'ask' } },
    );
    assert.equal(await codeOf(runtime.create({ kind: 'echo', config: { x: atLimit } })), 'payload_too_large');
  });

  for (const [what, hop, input] of [
    ['a result', 'result', { answer: 1_001 }],
    ['an emitted entry', 'emit', { emit: 1_001 }],
    ['a state', 'state', { keep: 1_001 }],
  ] as const) {
    test(`${what} above the limit fails that input; the worker and its neighbours go on`, async (t) => {
      const runtime = await startRuntime(t, { limits: { maxMessageBytes: 1_000 } });
      const worker = await runtime.create({ kind: 'large' });
      const neighbour = await runtime.create({ kind: 'echo' });
      const [refused, fine, alive] = await Promise.allSettled([
        worker.ask(input),
        worker.ask({ answer: 1_000 }),
        neighbour.ask(1),
      ]);
      assert.equal(refused.status, 'rejected');
      const { code, details } = refused.reason as GreenroomError;
      assert.deepEqual([code, details?.['limit_bytes'], details?.['hop']], ['payload_too_large', 1_000, hop]);
      assert.deepEqual([fine.status, alive.status], ['fulfilled', 'fulfilled']);
    });
  }
});

describe('errors of an actor', () => {
  for (const [fault, code] of [
    ['plain', 'actor_error'],
    ['typed', 'no_such_thing'],
    ['async', 'later'],
    ['undefined', 'actor_error'],
    ['cycle', 'invalid_output'],
    ['bigint', 'invalid_output'],
    ['function', 'invalid_output'],
  ] as const) {
    test(`${fault}: the caller gets ${code}, and the state is as it was`, async (t) => {
      const runtime = await startRuntime(t);
      const worker = await runtime.create({ kind: 'throws' });
      assert.equal(await codeOf(worker.ask(fault)), code);
      assert.deepEqual(await worker.ask('look'), { changed: false });
      assert.equal(worker.view().restarts, 0);
    });
  }

  test('code, retryable and details of a typed error survive; of another nothing internal does', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { log });
    const worker = await runtime.create({ kind: 'throws' });
    const typed = await rejection(worker.ask('typed'));
    assert.deepEqual(typed.toWire(), {
      code: 'no_such_thing',
      message: 'There is no such thing.',
      retryable: true,
      details: { id: 7 },
    });
    const plain = await rejection(worker.ask('plain'));
    assert.deepEqual(plain.toWire(), { code: 'actor_error', message: 'The actor threw an error.', retryable: false });
    const line = await eventually(() => lines.find((entry) => entry.message === 'actor threw'));
    assert.equal(line.fields['error_message'], 'secret of <path>');
    assert.ok(!JSON.stringify(await transcriptOf(worker)).includes('/srv'));
  });

  test('an unhandled rejection is in the log and costs nobody a host', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { log });
    const worker = await runtime.create({ kind: 'throws' });
    assert.equal(await worker.ask('unhandled'), 'fine');
    const line = await eventually(() => lines.find(({ message }) => message === 'worker crashed'));
    assert.equal(line.fields['error_message'], 'nobody awaits this');
    assert.equal(worker.view().hostId, 'host-1');
  });
});

describe('cancel', () => {
  test('overtakes what waits: the running input ends, the others run', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const running = codeOf(worker.ask({ wait: 'never' }));
    const waiting = [1, 2].map((say) => worker.ask({ say }));
    await emitted(worker, 'waiting');
    const { effect, status } = await worker.cancel({ reason: 'user' });
    assert.deepEqual({ effect, status }, { effect: 'aborting', status: 'running' });
    assert.equal(await running, 'cancelled');
    assert.deepEqual(await Promise.all(waiting), [1, 2]);
  });

  test('removes an input that waits, and tells the outcome of one that has ended', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    void worker.tell({ wait: 'cancel', say: 1 });
    const waiting = [];
    for (let say = 0; say < 80; say++) waiting.push(await worker.tell({ say }));
    // Beyond the credits the supervisor has it, within them the host.
    const [near, far] = [waiting[0]?.inputId ?? '', waiting[79]?.inputId ?? ''];
    assert.equal((await worker.cancel({ inputId: far })).effect, 'removed');
    assert.equal((await worker.cancel({ inputId: near })).effect, 'aborting');
    await emitted(worker, 'waiting');
    // At once, not when its turn would have come.
    assert.equal(await eventually(() => worker.input(near).outcome), 'cancelled');
    openGate('cancel');
    await hasStatus(worker, 'idle');
    assert.deepEqual(
      [worker.input(near).outcome, worker.input(near).startedAt, worker.input(far).outcome],
      ['cancelled', undefined, 'cancelled'],
    );
    assert.deepEqual((await worker.cancel({ inputId: near })).outcome, 'cancelled');
    assert.equal(await codeOf(worker.cancel({ inputId: 'nothing' })), 'input_not_found');
  });

  test('reaches a synchronous loop that checks for it', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'spins' });
    const spinning = codeOf(worker.ask({ politely: true }));
    await emitted(worker, 'spinning');
    await worker.cancel();
    assert.equal(await spinning, 'cancelled');
    assert.equal(worker.view().restarts, 0);
  });

  test('kills the host of a handler that does not hear it, after the grace; transcript and log say so, neighbours recover', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { limits: { cancelGraceMs: 50 }, log });
    const neighbour = await runtime.create({ kind: 'counter', workerId: 'neighbour' });
    assert.equal(await neighbour.ask({ add: 1 }), 1);
    const worker = await runtime.create({ kind: 'spins', workerId: 'deaf' });
    const spinning = rejection(worker.ask({ politely: false }));
    await emitted(worker, 'spinning');
    const behind = neighbour.ask({ add: 1 });
    await worker.cancel({ reason: 'enough' });
    const { code, details } = await spinning;
    const { took_ms, host_id, ...rest } = details as { took_ms: number; host_id: string };
    assert.equal(code, 'cancelled');
    assert.deepEqual(rest, {
      reason: 'enough',
      killed: true,
      culprits: ['deaf'],
      also_hit: ['neighbour'],
      workers_hit: 2,
    });
    assert.ok(took_ms >= 0 && host_id === 'host-1');
    assert.equal(await behind, 2);
    await hasStatus(worker, 'idle');
    assert.ok(
      (await transcriptOf(worker)).some(
        (entry) => entry.type === 'restarted' && (entry.data as { cause: string }).cause === 'cancel_grace',
      ),
    );
    const kill = lines.find((line) => line.message === 'host killed');
    assert.deepEqual(
      [kill?.fields['cause'], kill?.fields['culprits'], kill?.fields['workers_hit']],
      ['cancel_grace', ['deaf'], 2],
    );
  });

  test('by the signal of an ask cancels the input', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const abort = new AbortController();
    const asking = codeOf(worker.ask({ wait: 'never' }, { signal: abort.signal }));
    await emitted(worker, 'waiting');
    abort.abort();
    assert.equal(await asking, 'cancelled');
    await hasStatus(worker, 'idle');
  });
});

describe('deadlines', () => {
  test('an ask that runs too long rejects with timeout, and its receipt tells how it ended', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const { code, details } = await rejection(worker.ask({ wait: 'late', say: 'late' }, { timeoutMs: 30 }));
    assert.equal(code, 'timeout');
    await emitted(worker, 'waiting');
    openGate('late');
    const inputId = String(details?.['input_id']);
    assert.equal(await eventually(() => worker.input(inputId).outcome), 'completed');
  });

  test('an input that is cancelled after its deadline has passed while it ran is cancelled, not expired', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const { code, details } = await rejection(worker.ask({ wait: 'never' }, { timeoutMs: 30 }));
    assert.equal(code, 'timeout');
    await worker.cancel();
    assert.equal(await eventually(() => worker.input(String(details?.['input_id'])).outcome), 'cancelled');
  });

  test('an input that has not started by its deadline expires then, and never runs', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'gate' });
    const first = worker.ask({ wait: 'expiry', say: 'first' });
    await emitted(worker, 'waiting');
    const atHost = await worker.tell({ say: 'near' }, { deadlineMs: 20 });
    for (let n = 0; n < 70; n++) await worker.tell({});
    const notAtHost = await rejection(worker.ask({ say: 'far' }, { timeoutMs: 20 }));
    assert.equal(notAtHost.code, 'expired');
    // While the first one is still running.
    assert.equal(await eventually(() => worker.input(atHost.inputId).outcome), 'expired');
    assert.equal(worker.input(atHost.inputId).startedAt, undefined);
    openGate('expiry');
    assert.equal(await first, 'first');
  });
});

describe('idempotency', () => {
  test('the same key and input is the same receipt; another input is a conflict', async (t) => {
    const runtime = await startRuntime(t);
    const worker = await runtime.create({ kind: 'counter' });
    const options = { idempotencyKey: 'k1' };
    assert.deepEqual([await worker.ask({ add: 1 }, options), await worker.ask({ add: 1 }, options)], [1, 1]);
    assert.equal((await worker.tell({ add: 1 }, options)).inputId, (await worker.tell({ add: 1 }, options)).inputId);
    assert.equal(await codeOf(worker.ask({ add: 2 }, options)), 'idempotency_conflict');
    assert.equal(await worker.ask({ add: 1 }), 2);
  });
});

describe('what actors may ask of the runtime', () => {
  test('asks, tells, creates, stops, sets timers, and gets the same typed errors', async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { log });
    const worker = await runtime.create({ kind: 'context', workerId: 'a' });
    assert.equal(await worker.ask({ do: 'create', kind: 'counter', worker: 'child' }), 'child');
    assert.equal(await worker.ask({ do: 'ask', worker: 'child', input: { add: 4 } }), 4);
    assert.equal(typeof (await worker.ask({ do: 'tell', worker: 'child', input: { add: 1 } })), 'string');
    assert.equal(await codeOf(worker.ask({ do: 'ask', worker: 'nobody', input: 1 })), 'worker_not_found');
    assert.equal(await codeOf(worker.ask({ do: 'ask', worker: 'child', input: 1 })), 'invalid_input');
    assert.equal(await codeOf(worker.ask({ do: 'invoke', name: 'ns::nothing' })), 'function_not_found');
    await worker.ask({ do: 'stop', worker: 'child' });
    assert.equal(runtime.worker('child').view().status, 'stopped');
    await worker.ask({ do: 'after', ms: 5, input: { do: 'log', message: 'ding' } });
    const line = await eventually(() => lines.find((entry) => entry.message === 'ding'));
    assert.deepEqual(line.fields, { host_id: 'host-1', worker_id: 'a', from: 'actor' });
    await worker.ask({ do: 'stop', worker: 'a' });
    await hasStatus(worker, 'stopped');
  });
});

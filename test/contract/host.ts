// What every host must do. Run by the thread pool and by the inline host.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { WireError } from '../../lib/errors.ts';
import type { Crash, Host, HostFactory, LogLine } from '../../lib/host/host.ts';
import { uniformServices } from '../../lib/host/services.ts';
import type { RuntimeServices } from '../../lib/host/services.ts';
import { COMPLETED, CANCELLED, FAILED } from '../../lib/protocol/frames.ts';
import type { Ticket } from '../../lib/protocol/frames.ts';
import type { Payload } from '../../lib/protocol/payload.ts';
import type { Isolation } from '../../lib/protocol/views.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';

export interface HostContractOptions {
  makeFactory: (services: RuntimeServices) => HostFactory;
  isolation: Isolation;
  /** A loop without an await can be ended from outside. */
  canKillLoops: boolean;
  /** Its memory is that of the process, and counts as none. Default false. */
  sharesMemory?: boolean;
}

interface Reply {
  seq: number;
  code: number;
  body: unknown;
  state: unknown;
  hasStarted: boolean;
}

const moduleOf = (name: string) => new URL(`../fixtures/actors/${name}.js`, import.meta.url).href;
const services: RuntimeServices = uniformServices(() => assert.fail('no actor asked for this'));

/** Seq of the input that opens a gate. */
const OPENING = 9_999;

/** A host with what it said, in order. */
class Probe {
  readonly replies: Reply[] = [];
  readonly emitted: { workerSlot: number; data: unknown }[] = [];
  readonly crashed: { workerSlot: number; crash: Crash }[] = [];
  readonly logged: LogLine[] = [];
  dropped = 0;
  readonly host: Host;

  constructor(factory: HostFactory, isolation: Isolation) {
    this.host = factory.launch(
      { hostId: 'host-1', isolation },
      {
        reply: (ticket, code, startedAtMs, _endedAtMs, body, state) => {
          if (ticket.seq === OPENING) return;
          this.replies.push({
            seq: ticket.seq,
            code,
            body: read(body.payload),
            state: state === null ? null : read(state),
            hasStarted: startedAtMs > 0,
          });
        },
        emitted: (workerSlot, _seq, _atMs, data) => this.emitted.push({ workerSlot, data: read(data) }),
        crashed: (workerSlot, crash) => this.crashed.push({ workerSlot, crash }),
        dropped: () => void this.dropped++,
        logged: (line) => this.logged.push(line),
      },
    );
  }

  async start(
    name: string,
    slot: number,
    saved: { state: Payload; stateVersion: number } | null = null,
  ): Promise<unknown> {
    const { state, stateVersion } = saved ?? { state: null, stateVersion: 0 };
    const [result] = await this.host.startWorkers([
      { slot, workerId: `w${slot}`, module: moduleOf(name), config: '{}', state, stateVersion },
    ]);
    return result;
  }

  send(workerSlot: number, seq: number, input: unknown): void {
    const payload = JSON.stringify(input);
    const ticket: Ticket = { seq, attempt: 1, payload, bytes: payload.length };
    this.host.send(workerSlot, ticket);
  }

  cancel(workerSlot: number, seq: number | null, waitingOnly = false): void {
    this.host.cancel({ workerSlot, seq, reason: 'test', waitingOnly });
  }

  seqs(count: number): Promise<number[]> {
    return eventually(() => this.replies.length >= count && this.replies.map(({ seq }) => seq));
  }

  /** Where the host runs, which may be another process. */
  async openGate(name: string): Promise<void> {
    await this.start('gate', 9);
    this.send(9, OPENING, { open: name });
  }

  said(data: unknown): Promise<unknown> {
    return eventually(() => this.emitted.find((entry) => entry.data === data));
  }
}

const read = (payload: Payload): unknown =>
  JSON.parse(typeof payload === 'string' ? payload : new TextDecoder().decode(payload));

/** Whether Node can interrupt a thread for an answer. */
const INTERRUPTS = 'getHeapStatistics' in Worker.prototype;

/** What is wrong, the actor, its saved state, the version that it should have, and what is said. */
const UNMIGRATABLE: readonly [string, string, { state: string; stateVersion: number }, number, RegExp][] = [
  ['is newer than the actor', 'versioned', { state: '{"total":1}', stateVersion: 3 }, 2, /newer/],
  ['has a version and the actor none', 'exits', { state: '{"total":1}', stateVersion: 1 }, 0, /newer/],
  ['is refused by the actor', 'versioned', { state: '{"do":"refuse"}', stateVersion: 1 }, 2, /refused it: Too old/],
  ['makes migrate throw', 'versioned', { state: '{"do":"throw SECRET"}', stateVersion: 1 }, 2, /threw an error/],
  ['becomes a promise', 'versioned', { state: '{"do":"promise"}', stateVersion: 1 }, 2, /promise/],
  ['becomes a promise that rejects', 'versioned', { state: '{"do":"reject"}', stateVersion: 1 }, 2, /promise/],
  ['becomes nothing', 'versioned', { state: '{"do":"nothing"}', stateVersion: 1 }, 2, /nothing/],
  ['becomes no JSON', 'versioned', { state: '{"do":"bigint"}', stateVersion: 1 }, 2, /not plain JSON/],
  ['becomes too large', 'versioned', { state: '{"do":"large"}', stateVersion: 1 }, 2, /limit is 16777216/],
  ['is older and nobody migrates it', 'unmigrated', { state: '{"total":1}', stateVersion: 0 }, 1, /no `migrate`/],
];

export function hostContract(name: string, options: HostContractOptions): void {
  const launch = async (t: TestContext): Promise<Probe> => {
    const factory = options.makeFactory(services);
    const probe = new Probe(factory, options.isolation);
    t.after(async () => {
      probe.host.kill(new Error('the test is over'));
      await probe.host.exited;
      await factory.close();
    });
    await probe.host.ready;
    return probe;
  };

  describe(`${name} as a host`, () => {
    test('runs the inputs of a worker in order, one at a time, and answers each once', async (t) => {
      const probe = await launch(t);
      assert.deepEqual(await probe.start('gate', 0), { state: null, stateVersion: 0 });
      probe.send(0, 1, { wait: `${name}-order`, say: 'a' });
      for (let seq = 2; seq <= 9; seq++) probe.send(0, seq, { say: seq });
      await probe.said('waiting');
      assert.deepEqual(probe.replies, []);
      await probe.openGate(`${name}-order`);
      assert.deepEqual(await probe.seqs(9), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
      assert.deepEqual(probe.replies[8], { seq: 9, code: COMPLETED, body: 9, state: null, hasStarted: true });
    });

    test('goes on with other workers while one waits', async (t) => {
      const probe = await launch(t);
      await Promise.all([probe.start('gate', 0), probe.start('exits', 1)]);
      probe.send(0, 1, { wait: 'never' });
      probe.send(1, 2, { add: 3 });
      assert.deepEqual(await probe.seqs(1), [2]);
      assert.deepEqual(probe.replies[0], { seq: 2, code: COMPLETED, body: 3, state: { total: 3 }, hasStarted: true });
    });

    test('turns what a handler throws into a typed failure and keeps the state', async (t) => {
      const probe = await launch(t);
      await probe.start('throws', 0);
      probe.send(0, 1, 'typed');
      probe.send(0, 2, 'look');
      await probe.seqs(2);
      const error = { code: 'no_such_thing', message: 'There is no such thing.', retryable: true, details: { id: 7 } };
      assert.deepEqual(probe.replies, [
        { seq: 1, code: FAILED, body: error, state: null, hasStarted: true },
        { seq: 2, code: COMPLETED, body: { changed: false }, state: null, hasStarted: true },
      ]);
    });

    test('hears a cancel before what waits: the running input ends, one that waits never starts', async (t) => {
      const probe = await launch(t);
      await probe.start('gate', 0);
      probe.send(0, 1, { wait: 'never' });
      probe.send(0, 2, { say: 2 });
      probe.send(0, 3, { say: 3 });
      await probe.said('waiting');
      // The one that waits first: the end of the running one lets it start, and a host may be through with that between two cancels.
      probe.cancel(0, 2);
      probe.cancel(0, 1);
      await probe.seqs(3);
      const replies = probe.replies.map(({ seq, code, hasStarted }) => [seq, code, hasStarted]);
      // What had not started is answered first: it need not wait for its turn.
      assert.deepEqual(replies.sort(), [
        [1, CANCELLED, true],
        [2, CANCELLED, false],
        [3, COMPLETED, true],
      ]);
    });

    test('hears a cancel of an input that was sent in the same turn', async (t) => {
      const probe = await launch(t);
      await probe.start('gate', 0);
      probe.send(0, 1, { wait: 'never' });
      probe.cancel(0, 1);
      await probe.seqs(1);
      assert.equal(probe.replies[0]?.code, CANCELLED);
    });

    test('leaves a running input alone when only a waiting one is meant', async (t) => {
      const probe = await launch(t);
      await probe.start('gate', 0);
      probe.send(0, 1, { wait: `${name}-only`, say: 1 });
      await probe.said('waiting');
      probe.cancel(0, 1, true);
      await probe.openGate(`${name}-only`);
      await probe.seqs(1);
      assert.equal(probe.replies[0]?.code, COMPLETED);
    });

    test('unloads a worker after the inputs that it still holds, and runs stopped()', async (t) => {
      const probe = await launch(t);
      await probe.start('context', 0);
      probe.send(0, 1, { do: 'count' });
      await probe.host.stopWorkers([0]);
      assert.deepEqual(
        probe.replies.map(({ seq }) => seq),
        [1],
      );
      assert.deepEqual(probe.emitted, [{ workerSlot: 0, data: 'stopped() ran' }]);
    });

    test('says why a worker cannot start', async (t) => {
      const probe = await launch(t);
      const { error } = (await probe.start('bad-start', 0)) as { error: { code: string } };
      assert.equal(error.code, 'actor_error');
    });

    test('migrates a saved state of an older version, and gives it back once, to be saved', async (t) => {
      const probe = await launch(t);
      const first = await probe.start('versioned', 0);
      assert.deepEqual(first, { state: '{"total":0,"history":[2]}', stateVersion: 2 });
      const migrated = await probe.start('versioned', 1, { state: '{"sum":5}', stateVersion: 0 });
      assert.deepEqual(migrated, { state: '{"total":5,"history":[0,2]}', stateVersion: 2 });
      // Read only: what was saved is what there is, so nothing is saved again.
      probe.send(1, 1, { add: 0 });
      probe.send(1, 2, { add: 1 });
      await probe.seqs(2);
      assert.deepEqual(
        probe.replies.map(({ body, state }) => [body, state]),
        [
          [5, null],
          [6, { total: 6, history: [0, 2] }],
        ],
      );
    });

    test('goes on with a saved state of its own version, text or bytes, without saving it again', async (t) => {
      const probe = await launch(t);
      const state = '{"total":7,"history":["ä"]}';
      for (const [slot, saved] of [state, new TextEncoder().encode(state)].entries()) {
        const started = await probe.start('versioned', slot, { state: saved, stateVersion: 2 });
        assert.deepEqual(started, { state: null, stateVersion: 2 });
        probe.send(slot, slot + 1, { add: 0 });
      }
      await probe.seqs(2);
      assert.deepEqual(
        probe.replies.map(({ body, state: changed }) => [body, changed]),
        [
          [7, null],
          [7, null],
        ],
      );
    });

    test('goes back to the migrated state after an input that failed', async (t) => {
      const probe = await launch(t);
      await probe.start('versioned', 0, { state: '{"sum":5}', stateVersion: 1 });
      probe.send(0, 1, { add: 1, fail: true });
      probe.send(0, 2, { add: 0 });
      await probe.seqs(2);
      assert.deepEqual([probe.replies[0]?.code, probe.replies[1]?.body, probe.replies[1]?.state], [FAILED, 5, null]);
    });

    for (const [what, actor, saved, to, reason] of UNMIGRATABLE)
      test(`does not start a worker whose state ${what}, and goes on with the others`, async (t) => {
        const probe = await launch(t);
        await probe.start('versioned', 0);
        const { error } = (await probe.start(actor, 1, saved)) as { error: WireError };
        assert.deepEqual([error.code, error.retryable], ['migration_failed', false]);
        const { from, to: wanted, reason: said } = error.details ?? {};
        assert.deepEqual([from, wanted], [saved.stateVersion, to]);
        assert.match(String(said), reason);
        assert.doesNotMatch(JSON.stringify(error), /SECRET|\bat |file:|\.js/);
        probe.send(0, 1, { add: 4 });
        assert.deepEqual([await probe.seqs(1), probe.replies[0]?.body], [[1], 4]);
      });

    test('validates an input without running it', async (t) => {
      const probe = await launch(t);
      await probe.host.validate(moduleOf('exits'), '{"add":1}');
      assert.equal(await codeOf(probe.host.validate(moduleOf('exits'), '{"add":"1"}')), 'invalid_input');
      assert.equal(await codeOf(probe.host.validate(moduleOf('exits'), '{')), 'invalid_json');
    });

    test('tells JSON from what is none, bytes and text alike', async (t) => {
      const probe = await launch(t);
      await probe.host.checkJson(new TextEncoder().encode('{"a":[1]}'));
      for (const bad of ['', '{', '[1]]', '\uFEFF1', '{"__proto__":1}', '['.repeat(1_000) + ']'.repeat(1_000)])
        assert.equal(await codeOf(probe.host.checkJson(bad)), 'invalid_json', bad.slice(0, 9));
      assert.equal(await codeOf(probe.host.checkJson(Uint8Array.of(0x22, 0xff, 0x22))), 'invalid_json');
    });
    for (const how of ['killed', 'cut off'] as const)
      test(`settles every call and tells its end once when it is ${how}`, async (t) => {
        const probe = await launch(t);
        await probe.start('gate', 0);
        probe.send(0, 1, { wait: 'never' });
        await probe.said('waiting');
        const pending = codeOf(probe.host.stopWorkers([0]));
        if (how === 'killed') probe.host.kill(new Error('enough'));
        else probe.host.cutOff();
        assert.equal(await pending, 'host_lost');
        const { type, error } = await probe.host.exited;
        assert.deepEqual([type, error?.message], ['killed', how === 'killed' ? 'enough' : how]);
        assert.equal(await codeOf(probe.host.stopWorkers([0])), 'host_lost');
        assert.equal(probe.host.lastStarted(0), 1);
      });

    test('answers a ping while it waits, and shows what it does and how much memory it takes', async (t) => {
      const probe = await launch(t);
      await probe.start('gate', 0);
      const before = probe.host.pulse().progress;
      probe.send(0, 1, { wait: 'never' });
      await probe.said('waiting');
      assert.equal(probe.host.inFlight, 1);
      const ping = probe.host.ping();
      await eventually(() => probe.host.pulse().beat === ping);
      const { utilization, heapBytes, externalBytes, progress } = probe.host.pulse();
      assert.notEqual(progress, before);
      assert.equal(heapBytes > 0 && externalBytes > 0, options.sharesMemory !== true, `${heapBytes}, ${externalBytes}`);
      assert.ok(utilization >= 0 && utilization <= 1, String(utilization));
    });

    test('closes in order when it is asked to', async (t) => {
      const probe = await launch(t);
      await probe.host.close();
      assert.deepEqual(await probe.host.exited, { type: 'closed', error: null });
    });

    if (!options.canKillLoops) return;

    test('gives no sign of life while a handler lets nothing else run, and does while it looks at whether it is cancelled', async (t) => {
      const probe = await launch(t);
      await Promise.all([probe.start('spins', 0), probe.start('spins', 1)]);
      probe.send(0, 1, { politely: true });
      await probe.said('spinning');
      const ping = probe.host.ping();
      await eventually(() => probe.host.pulse().beat === ping);
      probe.cancel(0, 1);
      await probe.seqs(1);
      probe.send(1, 2, { politely: false });
      await eventually(() => probe.host.lastStarted(1) === 2);
      const { progress } = probe.host.pulse();
      probe.host.ping();
      // Another thread may be slow; that this one is not heard is all that can be said of it.
      const canAsk = INTERRUPTS && options.isolation !== 'process';
      assert.equal(await probe.host.interrupt(), canAsk ? true : null);
      assert.deepEqual([probe.host.pulse().beat, probe.host.pulse().progress], [ping, progress]);
    });

    test('has ended when nothing of it runs any more', async (t) => {
      const probe = await launch(t);
      await probe.start('blocks-native', 0);
      probe.send(0, 1, { iterations: 1_000_000 });
      await eventually(() => probe.host.current() === 0);
      let hasEnded = false;
      const ended = probe.host.ended.then(() => (hasEnded = true));
      probe.host.kill(new Error('enough'));
      probe.host.cutOff();
      await probe.host.exited;
      assert.equal(hasEnded, false, 'the native code was over too soon for this test');
      await ended;
    });

    test('names the worker on the stack when a loop that hears nothing is killed', async (t) => {
      const probe = await launch(t);
      await Promise.all([probe.start('gate', 0), probe.start('spins', 1)]);
      probe.send(1, 7, { politely: false });
      await probe.said('spinning');
      probe.host.kill(new Error('deaf'));
      await probe.host.exited;
      assert.deepEqual([probe.host.current(), probe.host.lastStarted(1)], [1, 7]);
    });

    test('delivers the replies that it had sent before it died', async (t) => {
      const probe = await launch(t);
      await Promise.all([probe.start('exits', 0), probe.start('exits', 1)]);
      probe.send(0, 1, { add: 1 });
      probe.send(1, 2, { code: 9 });
      const { type, error } = await probe.host.exited;
      assert.deepEqual([type, /code: 9/.test(error?.message ?? '')], ['crashed', true]);
      assert.deepEqual([probe.replies.length, probe.replies[0]?.seq], [1, 1]);
    });
  });
}

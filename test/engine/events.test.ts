import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import type { FunctionCall, FunctionOwner } from '../../lib/functions/function.ts';
import { Functions } from '../../lib/functions/registry.ts';
import { EVENTS_PER_TRIGGER } from '../../lib/engine/bounds.ts';
import { Triggers } from '../../lib/engine/triggers.ts';
import { eventually, recordLog } from '../support/start-runtime.ts';
import { fakeRemote } from './fake-remote.ts';
import type { FakeRemote } from './fake-remote.ts';

const WORKERS = 'engine::workers-available';
const FUNCTIONS = 'engine::functions-available';

function setUp(t: TestContext) {
  const functions = new Functions();
  const { log, lines } = recordLog();
  const triggers = new Triggers({ functions, log, invocationTimeoutMs: 1_000 });
  t.after(() => triggers.close());
  const calls: FunctionCall[] = [];
  /** What is told, in order; each call ends when the test says so if `held`. */
  const held: (() => void)[] = [];
  const serve =
    (isHeld: boolean): FunctionOwner['serve'] =>
    async (_, call) => {
      calls.push(call);
      if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
      return 'null';
    };
  const told = (): unknown[] => calls.map(({ payload }) => JSON.parse(payload as string) as unknown);
  return { functions, triggers, lines, calls, told, held, serve };
}

function bind(triggers: Triggers, remote: FakeRemote, id: string, triggerType: string, functionId = 'a::on-event') {
  return triggers.handle(remote, {
    type: 'registertrigger',
    id,
    triggerType,
    functionId,
    config: null,
    metadata: { m: 1 },
  });
}

const event = (name: string, workerId: string) => ({ event: name, worker_id: workerId });

describe('engine::workers-available', () => {
  test('calls the function with each event, in order, and with the metadata of the trigger', async (t) => {
    const { functions, triggers, calls, told, serve } = setUp(t);
    const user = fakeRemote('user', {}, serve(false));
    functions.register(user, { functionId: 'a::on-event', description: null });
    await bind(triggers, user, 't1', WORKERS);
    triggers.workerChanged('worker_connected', 'w1');
    triggers.workerChanged('worker_metadata_updated', 'w1');
    triggers.workerChanged('worker_disconnected', 'w1');
    await eventually(() => calls.length === 3);
    assert.deepEqual(told(), [
      event('worker_connected', 'w1'),
      event('worker_metadata_updated', 'w1'),
      event('worker_disconnected', 'w1'),
    ]);
    assert.deepEqual(
      calls.map(({ caller, metadata, timeoutMs }) => ({ caller, metadata, timeoutMs })),
      Array(3).fill({ caller: { workerId: null }, metadata: '{"m":1}', timeoutMs: 1_000 }),
    );
  });

  test('waits for a slow function: one call at a time, the same event once, the oldest dropped and counted', async (t) => {
    const { functions, triggers, calls, told, held, serve, lines } = setUp(t);
    const slow = fakeRemote('slow', {}, serve(true));
    functions.register(slow, { functionId: 'a::on-event', description: null });
    await bind(triggers, slow, 't1', WORKERS);
    triggers.workerChanged('worker_connected', 'first');
    for (let n = 0; n < EVENTS_PER_TRIGGER + 1; n++) {
      triggers.workerChanged('worker_connected', `w${n}`);
      triggers.workerChanged('worker_connected', `w${n}`);
    }
    assert.equal(calls.length, 1);
    for (let n = 1; n <= EVENTS_PER_TRIGGER; n++) {
      held.shift()?.();
      await eventually(() => calls.length === n + 1);
    }
    assert.deepEqual(
      told().slice(0, 3),
      ['first', 'w1', 'w2'].map((id) => event('worker_connected', id)),
    );
    assert.deepEqual(told().at(-1), event('worker_connected', `w${EVENTS_PER_TRIGGER}`));
    const dropped = lines.filter(({ message }) => message === 'events of the runtime were dropped');
    assert.deepEqual(
      dropped.map(({ fields }) => fields['dropped']),
      [1],
    );
  });

  test('goes on after a function that fails, is missing, or may not be called', async (t) => {
    const { functions, triggers, told, serve } = setUp(t);
    const callRefusal = () => GreenroomError.of('forbidden');
    const [user, limited] = [fakeRemote('user', {}, serve(false)), fakeRemote('limited', { callRefusal })];
    const failing = fakeRemote('failing', {}, () => Promise.reject(new Error('no')));
    functions.register(failing, { functionId: 'b::fails', description: null });
    functions.register(user, { functionId: 'a::on-event', description: null });
    await bind(triggers, failing, 't1', WORKERS, 'b::fails');
    await bind(triggers, failing, 't2', WORKERS, 'b::missing');
    await bind(triggers, limited, 't3', WORKERS);
    await bind(triggers, user, 't4', WORKERS);
    triggers.workerChanged('worker_connected', 'w1');
    triggers.workerChanged('worker_connected', 'w2');
    await eventually(() => told().length === 2);
    assert.deepEqual(told(), [event('worker_connected', 'w1'), event('worker_connected', 'w2')]);
  });

  test('tells nothing more once the trigger is unregistered', async (t) => {
    const { functions, triggers, calls, told, held, serve } = setUp(t);
    const [user, witness] = [fakeRemote('user', {}, serve(true)), fakeRemote('witness', {}, serve(false))];
    functions.register(user, { functionId: 'a::on-event', description: null });
    functions.register(witness, { functionId: 'b::on-event', description: null });
    await bind(triggers, user, 't1', WORKERS);
    triggers.workerChanged('worker_connected', 'w1');
    triggers.workerChanged('worker_connected', 'w2');
    await triggers.handle(user, { type: 'unregistertrigger', id: 't1' });
    held.shift()?.();
    await bind(triggers, witness, 't2', WORKERS, 'b::on-event');
    triggers.workerChanged('worker_connected', 'w3');
    await eventually(() => calls.length === 2);
    assert.deepEqual(told(), [event('worker_connected', 'w1'), event('worker_connected', 'w3')]);
  });

  test('ends what it is telling when the runtime ends', async (t) => {
    const { functions, triggers, calls, serve } = setUp(t);
    const user = fakeRemote('user', {}, serve(true));
    functions.register(user, { functionId: 'a::on-event', description: null });
    await bind(triggers, user, 't1', WORKERS);
    triggers.workerChanged('worker_connected', 'w1');
    triggers.close();
    triggers.workerChanged('worker_connected', 'w2');
    assert.deepEqual(
      calls.map(({ signal }) => signal?.aborted),
      [true],
    );
  });
});

describe('engine::functions-available', () => {
  test('tells many changes at once, with the functions as they are then and as the policy lets them be seen', async (t) => {
    const { functions, triggers, told, serve } = setUp(t);
    const listRefusal = (id: string) => (id.startsWith('secret::') ? GreenroomError.of('forbidden') : null);
    const user = fakeRemote('user', { listRefusal }, serve(false));
    functions.register(user, { functionId: 'a::on-event', description: 'Hears.' });
    await bind(triggers, user, 't1', FUNCTIONS);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    for (const functionId of ['b::1', 'b::2', 'secret::3']) functions.register(user, { functionId, description: null });
    functions.release(user, 'b::1');
    assert.deepEqual(told(), []);
    t.mock.timers.tick(100);
    assert.deepEqual(told(), [
      {
        event: 'functions_changed',
        functions: [
          { function_id: 'a::on-event', worker_name: 'user', description: 'Hears.' },
          { function_id: 'b::2', worker_name: 'user' },
        ],
      },
    ]);
    t.mock.timers.tick(100);
    assert.equal(told().length, 1);
  });

  test('says nothing when nobody listens', (t) => {
    const { functions, told } = setUp(t);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    functions.register(fakeRemote('user'), { functionId: 'a::b', description: null });
    t.mock.timers.tick(1_000);
    assert.deepEqual(told(), []);
  });
});

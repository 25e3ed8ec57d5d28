import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { CONNECTED_AT, owner, setUpEngine } from './setup.ts';

const row = (id: string, more: object = {}) => ({
  name: id,
  description: null,
  version: '0.22.1',
  id,
  runtime: 'node',
  os: 'linux',
  status: 'connected',
  function_count: 0,
  connected_at_ms: Date.parse(CONNECTED_AT),
  active_invocations: 3,
  isolation: null,
  ip_address: '127.0.0.1',
  ...more,
});
const inProcess = (id: string, functionCount: number) =>
  row(id, {
    version: '1.2.3',
    runtime: 'engine',
    os: null,
    status: 'available',
    function_count: functionCount,
    connected_at_ms: 42,
    active_invocations: 0,
    isolation: 'in-process',
    ip_address: null,
  });

type Listed = { workers: { id: string }[] };
const idsIn = (answer: unknown): string[] => (answer as Listed).workers.map(({ id }) => id);

describe('engine::workers::register', () => {
  test('describes the session that calls it, cleaned and cut, and nothing else of the payload counts', async (t) => {
    const { connect, callAs } = setUpEngine(t);
    const [{ remote }, { remote: other }] = [connect('w1'), connect('w2')];
    const before = { ...other.profile };
    const said = {
      _caller_worker_id: 'w2',
      runtime: 'node',
      version: '0.22.1',
      name: 'shop\u202E\n',
      description: 'x'.repeat(300),
      os: '  ',
      pid: 12,
      isolation: null,
      telemetry: { amplitude_api_key: 'k' },
    };
    assert.deepEqual(await callAs('w1', 'workers::register', said), { success: true });
    assert.deepEqual(remote.profile, {
      name: 'shop',
      description: 'x'.repeat(280),
      runtime: 'node',
      version: '0.22.1',
      os: null,
      pid: 12,
      isolation: null,
    });
    assert.deepEqual(other.profile, before);
  });

  test('is told to those who listen for workers', async (t) => {
    const { connect, callAs, functions, triggers } = setUpEngine(t);
    const { remote } = connect('w1');
    const told: unknown[] = [];
    const listener = {
      ...remote,
      serve: async (_: unknown, call: { payload: unknown }) => `${told.push(call.payload)}`,
    };
    functions.register(listener, { functionId: 'a::b', description: null });
    const request = { triggerType: 'engine::workers-available', functionId: 'a::b', config: null, metadata: undefined };
    await triggers.register(null, request, { timeoutMs: 1_000 });
    await callAs('w1', 'workers::register', {});
    await eventually(() => told.length === 1);
    assert.deepEqual(told, ['{"event":"worker_metadata_updated","worker_id":"w1"}']);
  });

  test('refuses a caller that is no session, and a payload that does not fit', async (t) => {
    const { connect, call, callAs } = setUpEngine(t);
    const { remote, disconnect } = connect('w1');
    const before = { ...remote.profile };
    assert.equal(await codeOf(call('workers::register', { name: 'x' })), 'unsupported_operation');
    assert.equal(await codeOf(callAs('an-actor', 'workers::register', {})), 'unsupported_operation');
    for (const bad of [{ pid: 'x' }, { pid: -1 }, { name: 5 }, [1], 'text', 7])
      assert.equal(await codeOf(callAs('w1', 'workers::register', bad)), 'deserialization_error', JSON.stringify(bad));
    disconnect();
    assert.equal(await codeOf(callAs('w1', 'workers::register', {})), 'invocation_stopped');
    assert.deepEqual(remote.profile, before);
  });
});

describe('engine::workers::list', () => {
  test('has one row for each remote and group, each kind of actor with functions, and the runtime, by name', async (t) => {
    const { functions, connect, call } = setUpEngine(t);
    connect('w2', { displayName: 'bob' });
    connect('w1', { displayName: 'bob', description: 'The first.' });
    connect('zoe', { displayName: null });
    connect('group', { origin: 'group', status: 'available', pid: null });
    functions.register(owner('actor', 'counter'), { functionId: 'counter::add', description: null });
    const { length } = [...functions.values()];
    assert.deepEqual(await call('workers::list'), {
      workers: [
        row('w1', { name: 'bob', description: 'The first.' }),
        row('w2', { name: 'bob' }),
        inProcess('counter', 1),
        inProcess('engine', length - 1),
        row('group', { status: 'available' }),
        row('zoe', { name: null }),
      ],
    });
  });

  test('hides sockets that never said what they are, and those that have gone unless they are asked for', async (t) => {
    const { connect, call } = setUpEngine(t);
    connect('silent', { pid: null });
    connect('gone').disconnect();
    assert.deepEqual(idsIn(await call('workers::list')), ['engine']);
    assert.deepEqual(idsIn(await call('workers::list', { status: 'disconnected' })), ['gone']);
  });

  test('finds by part of a name, by runtime and by status', async (t) => {
    const { connect, call } = setUpEngine(t);
    connect('w1', { displayName: 'Alice' });
    connect('w2', { displayName: 'bob', runtime: 'python' });
    assert.deepEqual(idsIn(await call('workers::list', { search: 'LIC' })), ['w1']);
    assert.deepEqual(idsIn(await call('workers::list', { runtime: 'python' })), ['w2']);
    assert.deepEqual(idsIn(await call('workers::list', { status: 'available' })), ['engine']);
    assert.deepEqual(idsIn(await call('workers::list', { search: 'LIC', runtime: null, status: 'connected' })), ['w1']);
  });

  test('is given up when it would not fit a message', async (t) => {
    const { connect, call } = setUpEngine(t, { maxMessageBytes: 1_000 });
    for (let n = 0; n < 10; n++) connect(`w${n}`);
    assert.equal(await codeOf(call('workers::list')), 'invocation_failed_payload_too_large');
  });
});

describe('engine::workers::info', () => {
  test('shows a remote with its functions, types and triggers', async (t) => {
    const { functions, triggers, connect, call } = setUpEngine(t);
    const { remote } = connect('w1', { displayName: 'shop' });
    functions.register(remote, { functionId: 'shop::buy', description: 'Buys.' });
    functions.register(remote, { functionId: 'shop::hidden', description: null, metadata: { internal: true } });
    await triggers.handle(remote, { type: 'registertriggertype', id: 'sale', description: 'A sale.' });
    await triggers.handle(remote, {
      type: 'registertrigger',
      id: 't1',
      triggerType: 'sale',
      functionId: 'shop::buy',
      config: { a: 1 },
    });
    const expected = {
      worker: { ...row('w1', { name: 'shop', function_count: 2 }), pid: 7, internal: false },
      functions: [{ function_id: 'shop::buy', worker_name: 'w1', description: 'Buys.' }],
      trigger_types: [{ id: 'sale', worker_name: 'w1', description: 'A sale.' }],
      registered_triggers: [
        {
          id: 't1',
          trigger_type: 'sale',
          function_id: 'shop::buy',
          worker_name: 'w1',
          config: { a: 1 },
          config_summary: '{"a":1}',
        },
      ],
    };
    assert.deepEqual(await call('workers::info', { name: 'shop' }), expected);
    assert.deepEqual(await call('workers::info', { name: 'w1' }), expected);
  });

  test('shows the runtime itself, which no remote can pose as', async (t) => {
    const { connect, call } = setUpEngine(t);
    connect('w1', { displayName: 'engine' });
    const info = (await call('workers::info', { name: 'engine' })) as { worker: object; functions: object[] };
    assert.deepEqual(info.worker, { ...inProcess('engine', info.functions.length), internal: true });
  });

  test('hides functions that the caller may not see', async (t) => {
    const { functions, connect, callAs } = setUpEngine(t);
    const { remote } = connect('w1');
    functions.register(remote, { functionId: 'secret::x', description: null });
    connect('viewer', {}, { listRefusal: () => GreenroomError.of('forbidden') });
    const info = (await callAs('viewer', 'workers::info', { name: 'w1' })) as { functions: object[] };
    assert.deepEqual(info.functions, []);
  });

  test('says what it does not know', async (t) => {
    const { call } = setUpEngine(t);
    await assert.rejects(call('workers::info', { name: 'nobody' }), {
      code: 'not_found',
      message: 'Worker nobody not found',
    });
    assert.equal(await codeOf(call('workers::info', {})), 'deserialization_error');
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LOG_LINES_PER_SECOND } from '../../lib/engine/bounds.ts';
import type { EngineFunction } from '../../lib/engine/engine-function.ts';
import { logFunctions } from '../../lib/engine/log.ts';
import { codeOf, recordLog } from '../support/start-runtime.ts';
import { setUpEngine } from './setup.ts';
import { fakeRemote } from './fake-remote.ts';
import type { FakeRemote } from './fake-remote.ts';

test('the functions of the runtime are those that clients of the protocol know', (t) => {
  const { functions } = setUpEngine(t);
  assert.deepEqual(
    [...functions.values()].map(({ functionId, owner }) => `${owner.origin} ${functionId}`),
    [
      'baggage::get',
      'baggage::get_all',
      'baggage::set',
      'channels::create',
      'functions::info',
      'functions::list',
      'log::debug',
      'log::error',
      'log::info',
      'log::trace',
      'log::warn',
      'register_trigger',
      'registered-triggers::info',
      'registered-triggers::list',
      'triggers::info',
      'triggers::list',
      'unregister_trigger',
      'workers::info',
      'workers::list',
      'workers::register',
    ].map((name) => `runtime engine::${name}`),
  );
});

describe('engine::channels::create', () => {
  test('makes a channel that belongs to the caller, with a buffer within bounds', async (t) => {
    const { channels, callAs, call, connect } = setUpEngine(t);
    connect('w1');
    assert.deepEqual(await callAs('w1', 'channels::create', { buffer_size: 7 }), {
      writer: { channel_id: 'c', access_key: 'k', direction: 'write' },
      reader: { channel_id: 'c', access_key: 'k', direction: 'read' },
    });
    for (const data of [null, {}, { buffer_size: null }, { buffer_size: 0 }, { buffer_size: 5_000 }])
      await call('channels::create', data);
    assert.deepEqual(channels, [
      { ownerId: 'w1', bufferMessages: 7 },
      ...[64, 64, 64, 1, 1_024].map((bufferMessages) => ({ ownerId: null, bufferMessages })),
    ]);
    assert.equal(await codeOf(call('channels::create', { buffer_size: 1.5 })), 'deserialization_error');
    assert.equal(await codeOf(call('channels::create', { buffer_size: '7' })), 'deserialization_error');
  });
});

const CALL = { payload: '', metadata: null, timeoutMs: 1_000 };

describe('engine::log', () => {
  test('writes a line at each level, under the worker that its session is', async (t) => {
    const { lines, callAs, connect } = setUpEngine(t);
    connect('w1');
    for (const level of ['trace', 'debug', 'info', 'warn', 'error']) {
      const line = { message: `a ${level}`, worker_id: 'w2', _caller_worker_id: 'w2' };
      assert.equal(await callAs('w1', `log::${level}`, line), null);
    }
    const fields = (text: string) => ({ worker_id: 'w1', worker_name: 'w1', text });
    assert.deepEqual(
      lines.map(({ level, message, fields: written }) => [level, message, written]),
      [
        ['debug', 'a worker says', fields('a trace')],
        ['debug', 'a worker says', fields('a debug')],
        ['info', 'a worker says', fields('a info')],
        ['warn', 'a worker says', fields('a warn')],
        ['error', 'a worker says', fields('a error')],
      ],
    );
  });

  test('keeps what it writes on one line, bounded, and without secrets', async (t) => {
    const { lines, call } = setUpEngine(t);
    await call('log::info', {
      message: `forged\n{"level":"error"}\u001b[2J${'x'.repeat(5_000)}`,
      data: { user: 'u\n1', password: 'hunter2', deep: { token: 't' }, long: 'y'.repeat(5_000) },
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      span_id: 'not an id',
      service_name: 'shop\u202E',
    });
    const { text, data, ...rest } = lines[0]?.fields as { text: string; data: string };
    assert.deepEqual(rest, { worker_id: null, service_name: 'shop', trace_id: '0af7651916cd43dd8448eb211c80319c' });
    assert.match(text, /^forged\{"level":"error"\}\[2Jx+$/);
    assert.equal(text.length, 2_048);
    assert.match(data, /^\{"user":"u\\n1","password":"\[redacted\]","deep":\{"token":"\[redacted\]"\},"long":"y+$/);
    assert.equal(data.length, 2_048);
  });

  test('writes so many lines of one remote in a second, and then tells how many it dropped', async () => {
    let nowMs = 0;
    const { log, lines } = recordLog();
    const info = logFunctions(log, () => nowMs)['engine::log::info'] as EngineFunction;
    const [noisy, quiet] = [fakeRemote('w1'), fakeRemote('w2')];
    const write = (session: FakeRemote) =>
      info.run({ message: 'm' }, { session, policy: null, caller: { workerId: session.ownerId }, ...CALL });
    for (let n = 0; n < LOG_LINES_PER_SECOND + 3; n++) await write(noisy);
    await write(quiet);
    assert.equal(lines.length, LOG_LINES_PER_SECOND + 1);
    nowMs = 1_000;
    await write(noisy);
    await write(noisy);
    assert.deepEqual(
      lines.slice(-2).map(({ fields }) => fields['dropped_lines']),
      [3, undefined],
    );
  });

  test('refuses a line without a message', async (t) => {
    const { lines, call } = setUpEngine(t);
    assert.equal(await codeOf(call('log::info', { data: 1 })), 'deserialization_error');
    assert.deepEqual(lines, []);
  });
});

describe('engine::baggage', () => {
  test('reads what came with the call', async (t) => {
    const { call } = setUpEngine(t);
    const baggage = 'user=al%20ice;secret, tenant = t1 ,broken,=x,__proto__=p,bad=%E0%A4%A';
    assert.deepEqual(await call('baggage::get', { key: 'user' }, { baggage }), { value: 'al ice' });
    assert.deepEqual(await call('baggage::get', { key: 'nobody' }, { baggage }), { value: null });
    assert.deepEqual(
      JSON.stringify(await call('baggage::get_all', {}, { baggage })),
      '{"baggage":{"user":"al ice","tenant":"t1","__proto__":"p","bad":"%E0%A4%A"}}',
    );
    assert.deepEqual(await call('baggage::get_all'), { baggage: {} });
  });

  test('says that it cannot be set there', async (t) => {
    const { call } = setUpEngine(t);
    const { success, note } = (await call('baggage::set', { key: 'a', value: 'b' })) as Record<string, unknown>;
    assert.equal(success, false);
    assert.match(String(note), /set it where the call is made/);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { codeOf } from '../support/start-runtime.ts';
import { owner, setUpEngine } from './setup.ts';

const noSecrets = {
  listRefusal: (id: string) =>
    id.startsWith('secret::') ? GreenroomError.of('forbidden', { message: `${id} is not exposed to you.` }) : null,
};
type Listed = { functions: { function_id: string }[] };
const idsIn = (answer: unknown): string[] => (answer as Listed).functions.map(({ function_id: id }) => id);

describe('engine::functions::list', () => {
  test('has every function by id, with what its owner says of it', async (t) => {
    const { functions, call, connect } = setUpEngine(t);
    const { remote } = connect('w1');
    functions.register(remote, { functionId: 'shop::buy', description: 'Buys.', metadata: { public: true } });
    functions.register(owner('remote', 'w2', null), { functionId: 'cart::add', description: null });
    assert.deepEqual(await call('functions::list'), {
      functions: [
        { function_id: 'cart::add', worker_name: 'cart' },
        { function_id: 'shop::buy', worker_name: 'w1', description: 'Buys.', metadata: { public: true } },
      ],
    });
  });

  test('hides what is internal unless it is asked for, and what the caller may not see always', async (t) => {
    const { functions, call, callAs, connect } = setUpEngine(t);
    const { remote } = connect('w1', {}, noSecrets);
    functions.register(remote, { functionId: 'a::hidden', description: null, metadata: { internal: true } });
    functions.register(remote, { functionId: 'secret::x', description: null });
    assert.deepEqual(idsIn(await call('functions::list')), ['secret::x']);
    assert.deepEqual(idsIn(await callAs('w1', 'functions::list')), []);
    const all = idsIn(await callAs('w1', 'functions::list', { include_internal: true }));
    assert.ok(all.includes('a::hidden') && all.includes('engine::functions::list') && !all.includes('secret::x'));
  });

  test('ranks what it finds: beginnings and segments, then parts of ids, then descriptions', async (t) => {
    const { functions, call } = setUpEngine(t);
    const someone = owner('remote', 'w1');
    const ids = ['a::order::x', 'order::b', 'reorder::a', 'z::order'];
    for (const functionId of ids) functions.register(someone, { functionId, description: null });
    functions.register(someone, { functionId: 'a::about', description: 'Knows each ORDER.' });
    functions.register(someone, { functionId: 'a::other', description: 'Knows nothing.' });
    assert.deepEqual(idsIn(await call('functions::list', { search: 'Order' })), [
      'a::order::x',
      'order::b',
      'z::order',
      'reorder::a',
      'a::about',
    ]);
  });

  test('finds by prefix, by one owner and by several, under their ids and names', async (t) => {
    const { functions, call } = setUpEngine(t);
    functions.register(owner('remote', 'w1', 'one'), { functionId: 'a::1', description: null });
    functions.register(owner('remote', 'w2', 'two'), { functionId: 'a::2', description: null });
    functions.register(owner('remote', 'w3', 'three'), { functionId: 'b::3', description: null });
    assert.deepEqual(idsIn(await call('functions::list', { prefix: 'a::' })), ['a::1', 'a::2']);
    assert.deepEqual(idsIn(await call('functions::list', { worker: 'one' })), ['a::1']);
    assert.deepEqual(idsIn(await call('functions::list', { workers: ['two', 'w3'] })), ['a::2', 'b::3']);
  });

  test('refuses what does not fit', async (t) => {
    const { call } = setUpEngine(t);
    for (const bad of [{ search: 1 }, { workers: 'one' }, { include_internal: 'yes' }, []])
      assert.equal(await codeOf(call('functions::list', bad)), 'deserialization_error', JSON.stringify(bad));
    assert.equal(
      await codeOf(call('functions::list', { search: 'x'.repeat(300_000) })),
      'invocation_failed_payload_too_large',
    );
  });
});

describe('engine::functions::info', () => {
  test('shows one function with its schemas and what is bound to it', async (t) => {
    const { functions, triggers, call } = setUpEngine(t);
    const spec = { description: 'Buys.', requestFormat: { type: 'object' }, responseFormat: { type: 'null' } };
    functions.register(owner('remote', 'w1'), { functionId: 'shop::buy', ...spec });
    const request = { triggerType: 'clock', functionId: 'shop::buy', config: { every: 1 }, metadata: undefined };
    const id = await triggers.register(null, request, { timeoutMs: 1_000 });
    assert.deepEqual(await call('functions::info', { function_id: 'shop::buy' }), {
      function_id: 'shop::buy',
      worker_name: 'w1',
      description: 'Buys.',
      request_schema: { type: 'object' },
      response_schema: { type: 'null' },
      registered_triggers: [{ id, trigger_type: 'clock', config: { every: 1 } }],
    });
  });

  test('refuses one that is not there, or not to be seen', async (t) => {
    const { functions, callAs, connect } = setUpEngine(t);
    connect('w1', {}, noSecrets);
    functions.register(owner('remote', 'w2'), { functionId: 'secret::x', description: null });
    await assert.rejects(callAs('w1', 'functions::info', { function_id: 'a::b' }), {
      code: 'not_found',
      message: 'Function a::b not found',
    });
    await assert.rejects(callAs('w1', 'functions::info', { function_id: 'secret::x' }), {
      code: 'forbidden',
      message: 'secret::x is not exposed to you.',
    });
  });

  test('shows several in the order in which they were asked for, with a word for each that is not shown', async (t) => {
    const { functions, callAs, connect } = setUpEngine(t);
    connect('w1', {}, noSecrets);
    for (const functionId of ['secret::x', 'a::b'])
      functions.register(owner('remote', 'w2'), { functionId, description: null });
    assert.deepEqual(await callAs('w1', 'functions::info', { function_ids: ['secret::x', 'a::b', 'c::d'] }), {
      functions: [
        { function_id: 'secret::x', error: 'forbidden' },
        { function_id: 'a::b', worker_name: 'w2', registered_triggers: [] },
        { function_id: 'c::d', error: 'not_found' },
      ],
    });
  });

  test('wants either one id or 1 to 32', async (t) => {
    const { call } = setUpEngine(t);
    const many = Array.from({ length: 33 }, (_, n) => `a::${n}`);
    for (const bad of [{}, { function_ids: [] }, { function_ids: many }, { function_id: 'a', function_ids: ['b'] }])
      assert.equal(await codeOf(call('functions::info', bad)), 'invalid_request', JSON.stringify(bad));
    const answer = await call('functions::info', { function_ids: many.slice(1) });
    assert.equal(idsIn(answer).length, 32);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import type { TriggerFrame } from '../../lib/protocol/remote-frames.ts';
import { codeOf } from '../support/start-runtime.ts';
import { setUpEngine } from './setup.ts';

const bindFrame = (id: string, triggerType: string, functionId: string, config: unknown = null): TriggerFrame => ({
  type: 'registertrigger',
  id,
  triggerType,
  functionId,
  config,
});
const row = (id: string, triggerType: string, functionId: string, workerName: string) => ({
  id,
  trigger_type: triggerType,
  function_id: functionId,
  worker_name: workerName,
  config: null,
  config_summary: 'null',
});
const idsIn = (answer: unknown): string[] =>
  Object.values(answer as Record<string, { id: string }[]>)
    .flat()
    .map(({ id }) => id);

describe('engine::triggers', () => {
  test('lists the types that remotes provide, and those of the runtime when asked', async (t) => {
    const { triggers, connect, call } = setUpEngine(t);
    const { remote } = connect('w1');
    await triggers.handle(remote, { type: 'registertriggertype', id: 'clock', description: 'Ticks.' });
    await triggers.handle(remote, { type: 'registertriggertype', id: 'mail', description: 'Post.' });
    assert.deepEqual(await call('triggers::list', { search: 'tick' }), {
      triggers: [{ id: 'clock', worker_name: 'w1', description: 'Ticks.' }],
    });
    assert.deepEqual(idsIn(await call('triggers::list')), ['clock', 'mail']);
    assert.deepEqual(idsIn(await call('triggers::list', { prefix: 'm' })), ['mail']);
    assert.deepEqual(idsIn(await call('triggers::list', { worker: 'engine' })), []);
    assert.deepEqual(idsIn(await call('triggers::list', { worker: 'engine', include_internal: true })), [
      'engine::functions-available',
      'engine::workers-available',
    ]);
  });

  test('shows one type with its schemas and how often it is used', async (t) => {
    const { triggers, connect, call } = setUpEngine(t);
    const { remote } = connect('w1');
    const formats = { requestFormat: { type: 'object' }, callFormat: { type: 'string' } };
    await triggers.handle(remote, { type: 'registertriggertype', id: 'clock', description: 'Ticks.', ...formats });
    await triggers.handle(remote, bindFrame('t1', 'clock', 'a::b'));
    assert.deepEqual(await call('triggers::info', { id: 'clock' }), {
      id: 'clock',
      worker_name: 'w1',
      description: 'Ticks.',
      configuration_schema: { type: 'object' },
      request_schema: { type: 'string' },
      instance_count: 1,
    });
    assert.equal(await codeOf(call('triggers::info', { id: 'x' })), 'not_found');
    assert.equal(await codeOf(call('triggers::info')), 'deserialization_error');
  });
});

describe('engine::registered-triggers', () => {
  test('lists triggers, parked ones too, and finds them', async (t) => {
    const { triggers, connect, call } = setUpEngine(t);
    const [{ remote: one }, { remote: two }] = [connect('one'), connect('two')];
    await triggers.handle(one, bindFrame('t2', 'clock', 'a::b'));
    await triggers.handle(two, bindFrame('t1', 'mail', 'c::d'));
    assert.deepEqual(await call('registered-triggers::list'), {
      registered_triggers: [row('t1', 'mail', 'c::d', 'two'), row('t2', 'clock', 'a::b', 'one')],
    });
    for (const filter of [{ trigger_type: 'mail' }, { function_id: 'c::d' }, { worker: 'two' }, { search: 'MAI' }])
      assert.deepEqual(idsIn(await call('registered-triggers::list', filter)), ['t1'], JSON.stringify(filter));
    assert.deepEqual(await call('registered-triggers::info', { id: 't2' }), row('t2', 'clock', 'a::b', 'one'));
    assert.equal(await codeOf(call('registered-triggers::info', { id: 't3' })), 'not_found');
  });

  test('cuts the summary of a config', async (t) => {
    const { triggers, connect, call } = setUpEngine(t);
    const { remote } = connect('w1');
    for (const [id, length] of Object.entries({ fits: 78, cut: 79 }))
      await triggers.handle(remote, bindFrame(id, 'clock', 'a::b', 'x'.repeat(length)));
    const { registered_triggers: rows } = (await call('registered-triggers::list')) as {
      registered_triggers: { config_summary: string }[];
    };
    assert.deepEqual(
      rows.map(({ config_summary: summary }) => summary),
      [`"${'x'.repeat(79)}…`, `"${'x'.repeat(78)}"`],
    );
  });

  test('hides what the caller may not see, but not its own', async (t) => {
    const { triggers, connect, callAs } = setUpEngine(t);
    const { remote: other } = connect('other');
    const { remote: viewer } = connect('viewer', {}, { listRefusal: () => GreenroomError.of('forbidden') });
    await triggers.handle(other, bindFrame('t1', 'clock', 'a::b'));
    await triggers.handle(viewer, bindFrame('t2', 'clock', 'a::b'));
    assert.deepEqual(idsIn(await callAs('viewer', 'registered-triggers::list')), ['t2']);
    assert.equal(await codeOf(callAs('viewer', 'registered-triggers::info', { id: 't1' })), 'not_found');
  });

  test('hides triggers on internal functions unless they are asked for', async (t) => {
    const { functions, triggers, connect, call } = setUpEngine(t);
    const { remote } = connect('w1');
    functions.register(remote, { functionId: 'a::b', description: null, metadata: { internal: true } });
    await triggers.handle(remote, bindFrame('t1', 'clock', 'a::b'));
    assert.deepEqual(idsIn(await call('registered-triggers::list')), []);
    assert.deepEqual(idsIn(await call('registered-triggers::list', { include_internal: true })), ['t1']);
  });
});

describe('engine::register_trigger', () => {
  test('binds a trigger that outlives the session, until engine::unregister_trigger ends it', async (t) => {
    const { triggers, connect, callAs, call } = setUpEngine(t);
    const { remote } = connect('w1', {}, { admit: (asked) => ({ ...asked, functionId: 'p::a::b' }) });
    const request = { trigger_type: 'clock', function_id: 'a::b', config: { every: 1 }, metadata: { m: 1 } };
    const { id } = (await callAs('w1', 'register_trigger', request)) as { id: string };
    triggers.sessionEnded(remote);
    const { functionId, config, metadata } = triggers.book.get(id) ?? {};
    assert.deepEqual(
      { functionId, config, metadata },
      { functionId: 'p::a::b', config: { every: 1 }, metadata: { m: 1 } },
    );
    assert.deepEqual(await call('unregister_trigger', { id, trigger_type: 'clock' }), { removed: true });
    assert.deepEqual(await call('unregister_trigger', { id }), { removed: false });
  });

  test('does not end what a session registered by a frame', async (t) => {
    const { triggers, connect, call } = setUpEngine(t);
    await triggers.handle(connect('w1').remote, bindFrame('t1', 'clock', 'a::b'));
    assert.deepEqual(await call('unregister_trigger', { id: 't1' }), { removed: false });
  });

  test('refuses what does not fit, and types that are not here', async (t) => {
    const { call } = setUpEngine(t);
    assert.equal(await codeOf(call('register_trigger', { trigger_type: 'clock' })), 'deserialization_error');
    const cron = { trigger_type: 'cron', function_id: 'a::b' };
    assert.equal(await codeOf(call('register_trigger', cron)), 'unsupported_operation');
  });
});

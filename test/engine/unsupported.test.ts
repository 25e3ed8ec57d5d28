import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unsupportedRefusal, unsupportedTriggerType } from '../../lib/engine/unsupported.ts';
import { MAX_FUNCTION_ID_CHARS } from '../../lib/limits.ts';

test('functions of the protocol that this runtime does not have are refused as such, by name', () => {
  const ids = ['state::get', 'state::update', 'stream::set', 'stream::get(chat)', 'engine::queue::enqueue'];
  for (const id of [...ids, 'iii::durable::publish', 'publish', 'engine::traces::list']) {
    const refusal = unsupportedRefusal(id);
    assert.equal(refusal?.code, 'unsupported_operation', id);
    assert.ok(refusal.message.includes(id), refusal.message);
  }
});

test('other names are merely not known', () => {
  const ids = [
    'state::mine',
    'my::state::get',
    'stream',
    'engine::functions::list',
    'publish::x',
    'orders::publish',
    '',
  ];
  assert.deepEqual(ids.map(unsupportedRefusal), Array(ids.length).fill(null));
  assert.deepEqual(['clock', 'engine::functions-available', 'HTTP'].map(unsupportedTriggerType), [null, null, null]);
});

test('a long name is cut in the message', () => {
  const message = unsupportedRefusal(`stream::get(${'x'.repeat(10_000)})`)?.message ?? '';
  assert.ok(message.length < MAX_FUNCTION_ID_CHARS + 100, String(message.length));
});

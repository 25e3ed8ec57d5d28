// The actors that can be created, over HTTP.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEdge } from './support.ts';

test('the actors are listed with their schemas, and the list stays the same', async (t) => {
  const { send } = await startEdge(t);
  const { status, json, text } = await send('GET', '/v1/actors');
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(json), ['actors']);
  assert.deepEqual(json.actors.map((actor) => actor.kind).sort(), ['agent', 'counter', 'digest', 'echo', 'ledger']);
  const counter = json.actors.find((actor) => actor.kind === 'counter');
  assert.deepEqual(Object.keys(counter ?? {}).sort(), [
    'config_schema',
    'description',
    'durability',
    'functions',
    'idle_after_ms',
    'input_schema',
    'isolation',
    'kind',
    'mailbox',
    'output_schema',
  ]);
  assert.deepEqual(counter?.input_schema.properties['add'], { type: 'number' });
  assert.equal((await send('GET', '/v1/actors')).text, text);
});

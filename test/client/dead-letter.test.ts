// Dead letters through the client, against a real runtime behind its real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from '../../lib/client/index.ts';
import { startServer } from '../../lib/server/index.ts';
import { codeOf, eventually, startRuntime } from '../support/start-runtime.ts';

const TOKEN = 'client-test-token';

test('dead letters are listed, looked at, redelivered and discarded', async (t) => {
  const runtime = await startRuntime(t);
  const server = await startServer({ runtime, token: TOKEN, host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  const client = createClient({ url: server.url, token: TOKEN });
  t.after(() => client.close());
  const worker = await client.create({ kind: 'poison', workerId: 'w' });
  const input = { name: 'x', mendedBy: '/nowhere/mended' };
  assert.equal(await codeOf(worker.ask(input)), 'poison_input');
  const [letter = assert.fail(), ...others] = await all(client.deadLetters({ workerId: 'w' }));
  assert.deepEqual([others, await all(client.deadLetters({ kind: 'exits' }))], [[], []]);
  assert.deepEqual([letter], runtime.deadLetters().deadLetters);
  assert.deepEqual(await client.deadLetter(letter.inputId), { ...letter, payload: input });
  const receipt = await client.redeliver(letter.inputId);
  assert.equal(receipt.workerId, 'w');
  // It is poison still.
  const [again = assert.fail()] = await eventually(async () => {
    const letters = await all(client.deadLetters());
    return letters.length > 0 && letters;
  });
  assert.equal(again.inputId, receipt.inputId);
  assert.equal((await client.discard(again.inputId)).inputId, again.inputId);
  assert.equal(await codeOf(client.redeliver(again.inputId)), 'input_not_found');
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

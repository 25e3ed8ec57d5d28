// Sources by the client, against a real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createClient } from '../../lib/client/index.ts';
import { TOKEN } from '../server/support.ts';
import { gate } from '../sources/fake-type.ts';
import { startServed } from '../sources/served.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';

async function start(t: TestContext, timeoutMs?: number) {
  const served = await startServed(t);
  const client = createClient({ url: served.url, token: TOKEN, timeoutMs });
  t.after(() => client.close());
  return { ...served, client };
}

test('a source is made, seen, read again and deleted', async (t) => {
  const { client, sources, place } = await start(t);
  const preview = await client.createSource({ name: 'a:b', type: 'fake' }, { dryRun: true });
  assert.deepEqual(
    preview.functions.map(({ functionId, requestFormat }) => [functionId, requestFormat]),
    [
      ['a:b::one', { type: 'object', title: 'one 1' }],
      ['a:b::two', { type: 'object', title: 'two 1' }],
    ],
  );
  assert.deepEqual(await codeOf(client.source('a:b')), 'not_found');
  const made = await client.createSource({ name: 'a:b', type: 'fake', include: ['*'] });
  assert.deepEqual(made, sources.view('a:b'));
  await client.createSource({ name: 'c', type: 'fake' }, { dryRun: false });
  assert.deepEqual(await client.source('a:b'), made);
  const listed = [];
  for await (const source of client.sources()) listed.push(source);
  assert.deepEqual(listed, sources.list().sources);
  place('a:b').functions = { one: 1 };
  const { lastChange } = await client.refreshSource('a:b');
  assert.deepEqual(lastChange, { added: 0, changed: 0, removed: 1, unchanged: 1 });
  assert.equal((await client.deleteSource('a:b')).name, 'a:b');
  for (const name of ['a:b', '../sources/c', 'c?x'])
    for (const refused of [client.deleteSource(name), client.refreshSource(name), client.source(name)])
      assert.equal(await codeOf(refused), 'not_found', name);
  assert.equal(await codeOf(client.createSource({ name: 'c', type: 'fake' })), 'worker_exists');
  assert.deepEqual(sources.counts, { total: 1, failed: 0 });
});

test('a source is waited for longer than other calls, unless its call says otherwise', async (t) => {
  const { client, sources, place } = await start(t, 1);
  const held = gate();
  for (const name of ['a', 'b']) place(name).gate = held.promise;
  const made = client.createSource({ name: 'a', type: 'fake' }).then(({ status }) => status);
  assert.equal(await codeOf(client.createSource({ name: 'b', type: 'fake' }, { timeoutMs: 50 })), 'timeout');
  await eventually(() => place('a').reads === 1 && !sources.list().sources.some(({ name }) => name === 'b'));
  held.open();
  assert.equal(await made, 'available');
});

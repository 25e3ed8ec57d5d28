import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { GreenroomError } from '../../lib/client/index.ts';
import { clientOf, reply, startFake } from './fake.ts';

const WORKER = { worker: { worker_id: 'w1', kind: 'echo', display_name: null, last_sequence: 3 } };
const hasCode = (code: string) => (error: unknown) => error instanceof GreenroomError && error.code === code;

test('an answer above the limit is not read to its end, and the next call works', async (t) => {
  const limit = 1_024 + 4 * 1_024 * 1_024;
  const fake = await startFake(t, (_, response, count) => {
    if (count > 2) return reply(response, 200, WORKER);
    response.writeHead(200, count === 1 ? { 'content-length': String(limit + 1) } : {}); // announced, then chunked
    response.end(Buffer.alloc(limit + 1, ' '));
  });
  const client = clientOf(t, fake.url, { maxMessageBytes: 1_024 });
  for (let n = 0; n < 2; n++) await assert.rejects(client.worker('w1').view(), hasCode('internal'));
  assert.equal((await client.worker('w1').view()).workerId, 'w1');
});

test('an answer at the limit is read', async (t) => {
  const limit = 1_024 + 4 * 1_024 * 1_024;
  const fake = await startFake(t, (_, response) => reply(response, 200, JSON.stringify(WORKER).padEnd(limit)));
  assert.equal((await clientOf(t, fake.url, { maxMessageBytes: 1_024 }).worker('w1').view()).workerId, 'w1');
});

const GARBAGE: [name: string, status: number, body: string][] = [
  ['text', 200, '<html>Welcome</html>'],
  ['nothing', 200, ''],
  ['a number', 200, '42'],
  ['another noun', 200, '{"weather":{}}'],
  ['a page of a proxy', 502, '<html>Bad Gateway</html>'],
  ['an error that is none', 500, '{"error":"oh"}'],
  ['half an error', 429, '{"error":{"code":"worker_busy"}}'],
];
for (const [name, status, body] of GARBAGE) {
  test(`an answer that is ${name} rejects with internal and is not repeated`, async (t) => {
    const fake = await startFake(t, (_, response) => reply(response, status, body));
    await assert.rejects(clientOf(t, fake.url).worker('w1').view(), hasCode('internal'));
    assert.equal(fake.seen.length, 1);
  });
}

test('a server that does not speak HTTP rejects with internal', async (t) => {
  const url = await startGarbage(t, (socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n')));
  await assert.rejects(clientOf(t, url).worker('w1').view(), hasCode('internal'));
});

/** A TCP server that is no HTTP server. */
async function startGarbage(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  const server = createServer(onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

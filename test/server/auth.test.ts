// The credential comes before everything else: before routes, ids, types, sizes and bodies.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FastifyRequest } from 'fastify';
import { createAuthenticate } from '../../lib/server/auth.ts';
import { exchange, startEdge, TOKEN } from './support.ts';

const asks = (authorization?: string) => ({ headers: { authorization } }) as FastifyRequest;

test('only the token itself is let through, whatever its length', () => {
  for (const token of ['t', TOKEN, 'x'.repeat(512)]) {
    const authenticate = createAuthenticate({ token });
    assert.equal(authenticate(asks(`Bearer ${token}`)), true);
    assert.equal(authenticate(asks(`bearer ${token}`)), true);
    const wrong = [
      '',
      'Bearer',
      'Bearer ',
      token,
      `Basic ${token}`,
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Bearer ${token}\0`,
      `Bearer ${'y'.repeat(8_000)}`,
      `Bearer  ${token}`,
    ];
    for (const header of wrong) assert.equal(authenticate(asks(header)), false, header.slice(0, 40));
    assert.equal(authenticate(asks()), false);
    // A wrong one leaves nothing behind that the next comparison would see.
    assert.equal(authenticate(asks(`Bearer ${token}`)), true);
  }
});

test('a callback lets through only what it calls true', () => {
  const truthy = (() => Promise.resolve(false)) as unknown as () => boolean;
  assert.equal(createAuthenticate({ authenticate: truthy })(asks()), false);
  assert.equal(createAuthenticate({ authenticate: () => true })(asks()), true);
});

test('without a credential, with two, or with one that no header can carry, nothing is served', () => {
  for (const options of [
    {},
    { token: '' },
    { token: 'a b' },
    { token: 'é' },
    { token: 'x'.repeat(513) },
    { token: TOKEN, authenticate: () => true },
  ]) {
    assert.throws(() => createAuthenticate(options), { code: 'invalid_option' });
  }
});

const REQUESTS: [method: string, path: string, options?: { headers?: Record<string, string>; body?: string }][] = [
  ['GET', '/v1/runtime'],
  ['GET', '/v1/actors'],
  ['GET', '/v1/workers'],
  ['POST', '/v1/workers', { body: '{' }],
  ['GET', '/v1/workers/'],
  ['GET', '/v1/workers/%zz'],
  ['GET', '/%zz'],
  ['DELETE', '/v1/workers/e1?odd=1'],
  ['POST', '/v1/workers/none/input', { body: '1' }],
  ['POST', '/v1/workers/e1/input', { body: 'x'.repeat(200_000) }],
  ['POST', '/v1/workers/e1/input', { body: '1', headers: { 'content-type': 'text/plain' } }],
  ['GET', '/v1/workers/e1/inputs/x'],
  ['POST', '/v1/workers/e1/cancel'],
  ['POST', '/v1/workers/e1/stop'],
  ['POST', '/v1/workers/e1/restore'],
  ['GET', '/v1/workers/e1/transcript?limit=0'],
  ['PUT', '/v1/workers'],
  ['POST', '/livez'],
  ['GET', '/'],
  ['GET', '/nowhere'],
  ['PROPFIND', '/nowhere'],
];

test('every route but the two of health asks for the token first', async (t) => {
  const { send, worker } = await startEdge(t, { maxMessageBytes: 100_000 });
  await worker('echo', 'e1');
  for (const [method, path, options = {}] of REQUESTS) {
    for (const token of [null, 'wrong']) {
      const { status, json, headers } = await send(method, path, { ...options, token });
      assert.deepEqual(
        [status, json.error.code, headers['www-authenticate']],
        [401, 'unauthorized', 'Bearer'],
        `${method} ${path}`,
      );
    }
  }
  assert.equal((await send('GET', '/v1/workers/e1')).json.worker.last_sequence, 1);
});

test('a request without a Host header is asked for the token before it is refused', async (t) => {
  const { port } = await startEdge(t);
  const bare = await exchange(port, 'GET /v1/actors HTTP/1.1\r\nconnection: close\r\n\r\n');
  assert.deepEqual([bare.status, bare.json.error.code], [401, 'unauthorized']);
  const known = await exchange(
    port,
    `GET /v1/actors HTTP/1.1\r\nauthorization: Bearer ${TOKEN}\r\nconnection: close\r\n\r\n`,
  );
  assert.deepEqual([known.status, known.json.error.code], [400, 'invalid_request']);
});

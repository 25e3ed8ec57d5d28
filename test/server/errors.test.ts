// Every failure is the envelope: unknown routes, wrong methods, malformed HTTP, and defects of our own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from '../../lib/observe/log.ts';
import { exchange, head, startEdge } from './support.ts';

test('an unknown route is not found, whatever the method', async (t) => {
  const { send } = await startEdge(t);
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/v1'],
    ['GET', '/v1/'],
    ['POST', '/v2/workers'],
    ['GET', '/v1/workers/a/b/c/d'],
    ['PROPFIND', '/x'],
    ['GET', '/V1/workers'],
    ['GET', '//v1/workers'],
  ] as const) {
    const { status, json, headers } = await send(method, path);
    assert.deepEqual(
      [status, json, headers['cache-control']],
      [404, { error: { code: 'route_not_found', message: 'There is no such route.', retryable: false } }, 'no-store'],
      `${method} ${path}`,
    );
  }
});

const ALLOWED: [path: string, method: string, allow: string][] = [
  ['/v1/runtime', 'POST', 'GET, HEAD'],
  ['/v1/actors', 'DELETE', 'GET, HEAD'],
  ['/v1/workers', 'PUT', 'GET, HEAD, POST'],
  ['/v1/workers/e1', 'PATCH', 'DELETE, GET, HEAD'],
  ['/v1/workers/e1/input', 'GET', 'POST'],
  ['/v1/workers/e1/inputs/x', 'POST', 'GET, HEAD'],
  ['/v1/workers/e1/cancel', 'GET', 'POST'],
  ['/v1/workers/e1/stop', 'PROPFIND', 'POST'],
  ['/v1/workers/e1/restore', 'OPTIONS', 'POST'],
  ['/v1/workers/e1/transcript?after=1', 'DELETE', 'GET, HEAD'],
  ['/livez', 'POST', 'GET, HEAD'],
];

for (const [path, method, allow] of ALLOWED) {
  test(`${method} ${path} is not allowed, and ${allow} is`, async (t) => {
    const { send } = await startEdge(t);
    const { status, json, headers } = await send(method, path);
    assert.deepEqual([status, json.error.code, headers['allow']], [405, 'method_not_allowed', allow]);
  });
}

test('HEAD of something unknown has the status and no body', async (t) => {
  const { send } = await startEdge(t);
  for (const path of ['/nowhere', '/v1/workers/none']) {
    const { status, text } = await send('HEAD', path);
    assert.deepEqual([status, text], [404, '']);
  }
});

const MALFORMED: [name: string, raw: string, status: number, code: string][] = [
  ['no HTTP at all', 'hello\r\n\r\n', 400, 'invalid_request'],
  ['an unknown method', 'FROB / HTTP/1.1\r\n\r\n', 400, 'invalid_request'],
  ['a header without a colon', 'GET / HTTP/1.1\r\nhost\r\n\r\n', 400, 'invalid_request'],
  ['two lengths', 'POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', 400, 'invalid_request'],
  [
    'a length and chunks',
    'POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    400,
    'invalid_request',
  ],
  ['too large headers', `GET /v1/actors HTTP/1.1\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`, 431, 'headers_too_large'],
  ['a too long path', `GET /${'y'.repeat(100_000)} HTTP/1.1\r\n\r\n`, 431, 'headers_too_large'],
];

for (const [name, raw, status, code] of MALFORMED) {
  test(`${name} is answered with ${status} in the envelope, and the connection closes`, async (t) => {
    const { port } = await startEdge(t);
    const answer = await exchange(port, raw);
    assert.deepEqual([answer.status, answer.json.error.code, answer.headers['connection']], [status, code, 'close']);
    assert.equal(answer.headers['content-length'], String(answer.text.length));
  });
}

test('a malformed chunk in the body is answered too', async (t) => {
  const { port, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const { status, json } = await exchange(
    port,
    head('POST', '/v1/workers/e1/input', 'content-type: application/json', 'transfer-encoding: chunked'),
    'zz\r\n',
  );
  assert.deepEqual([status, json.error.code], [400, 'invalid_request']);
});

test('a defect is told to the log and not to the caller', async (t) => {
  const lines: [fields: Record<string, unknown>, message: string][] = [];
  const ignore = (): undefined => undefined;
  const log: Logger = { debug: ignore, info: ignore, warn: ignore, error: (...line) => lines.push(line) };
  const { send, runtime } = await startEdge(t, {}, log);
  t.mock.method(runtime.supervisor, 'describe', () => Promise.reject(new Error('cannot open /etc/secret')));
  const { status, json } = await send('GET', '/v1/runtime');
  assert.equal(status, 500);
  assert.deepEqual(json, {
    error: { code: 'internal', message: 'Something went wrong inside the runtime.', retryable: false },
  });
  assert.deepEqual(lines, [
    [
      { error_name: 'Error', error_message: 'cannot open <path>', method: 'GET', route: '/v1/runtime' },
      'request failed',
    ],
  ]);
});

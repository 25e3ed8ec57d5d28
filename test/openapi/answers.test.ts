// What an API answers, as the value of a function; which credentials go along, and that they are nowhere else.

import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { notesFor, requireSchemes } from '../../lib/openapi/security.ts';
import type { SecurityScheme } from '../../lib/openapi/operation.ts';
import { codeOf } from '../support/start-runtime.ts';
import { answerOf, operationOf, parameter, record, serve, startCalls } from './calls.ts';

const header = (head: string | undefined, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)$`, 'im').exec(head ?? '')?.[1];

test('answers are decoded by their media type', async (t) => {
  const { call } = startCalls(t);
  const mark = '\ufeff';
  const rows: readonly (readonly [string | null, string | Buffer, unknown])[] = [
    ['application/json', '{"a":[1]}', { a: [1] }],
    ['application/json; charset=utf-8', `${mark}"é"`, 'é'],
    ['application/problem+json', 'false', false],
    ['application/json; charset=iso-8859-1', Buffer.from('"é"', 'latin1'), 'é'],
    ['text/plain', 'é\n', 'é\n'],
    ['text/html; charset=ISO-8859-1', Buffer.from('é', 'latin1'), 'é'],
    ['text/plain; charset="utf-8"', mark, ''],
    ['text/plain; charset=klingon', 'a', { content_type: 'text/plain; charset=klingon', base64: 'YQ==' }],
    ['image/png', Buffer.from([0xff, 0]), { content_type: 'image/png', base64: '/wA=' }],
    ['application/xml', '<a>é</a>', '<a>é</a>'],
    ['application/xml', Buffer.from('é', 'latin1'), { content_type: 'application/xml', base64: '6Q==' }],
    ['text/plain', Buffer.from('é', 'latin1'), '\ufffd'],
    [null, 'a', { content_type: 'application/octet-stream', base64: 'YQ==' }],
    ['application/json', '', null],
    ['image/png', '', null],
  ];
  for (const [contentType, body, expected] of rows) {
    const { url } = await record(t, answerOf(contentType, body));
    assert.deepEqual(await call(operationOf({ baseUrl: url }), null), expected, String(contentType));
  }
});

test('JSON comes back as it was sent, and a large one is checked by whoever checks large ones', async (t) => {
  const { serverOf, checked } = startCalls(t);
  const text = `{ "id": 12345678901234567890, "list": [${'1,'.repeat(50_000)}1] }`;
  const { url } = await record(t, answerOf('application/json', text));
  const answer = await serve(serverOf(operationOf({ baseUrl: url })), null);
  assert.equal(Buffer.from(answer as Uint8Array).toString(), text);
  assert.deepEqual(checked, [text.length]);
});

test('what is compressed is inflated, and asked for', async (t) => {
  const bytes = gzipSync('{"a":1}');
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${bytes.length}\r\n\r\n`;
  const { url, heads } = await record(t, Buffer.concat([Buffer.from(head), bytes]));
  const { call } = startCalls(t);
  assert.deepEqual(await call(operationOf({ baseUrl: url }), null), { a: 1 });
  assert.equal(header(heads[0], 'accept-encoding'), 'gzip, deflate, br');
});

test('statuses mean what they mean for functions over HTTP', async (t) => {
  const { call } = startCalls(t);
  const json = 'application/json';
  const rows: readonly (readonly [string, string, string, unknown])[] = [
    ['201 Created', json, '1', 1],
    ['302 Found', json, '{"to":1}', { to: 1 }],
    ['302 Found', 'text/html', '<a>', null],
    ['200 OK', json, '{"a":', 'invalid_response'],
    ['200 OK', json, '{"__proto__":1}', 'invalid_response'],
    ['404 Not Found', 'text/plain', 'gone', 'http_error'],
    ['422 Unprocessable', json, '{"error":{"code":"too_small","message":"m"}}', 'too_small'],
    ['500 Oops', json, '{"error":"text"}', 'http_error'],
  ];
  for (const [status, contentType, body, expected] of rows) {
    const { url } = await record(t, answerOf(contentType, body, status));
    assert.deepEqual(await codeOf(call(operationOf({ baseUrl: url }), null)), expected, status);
  }
});

test('a value that is too large in base64 is refused, and so is an answer that never comes', async (t) => {
  const { call } = startCalls(t, { limits: { maxMessageBytes: 1_024 } });
  const { url } = await record(t, answerOf('image/png', Buffer.alloc(1_000)));
  assert.equal(await codeOf(call(operationOf({ baseUrl: url }), null)), 'invocation_failed_payload_too_large');
  const silent = await record(t, '');
  const operation = operationOf({ baseUrl: silent.url, method: 'POST' });
  assert.equal(await codeOf(call(operation, null)), 'http_request_failed');
});

test('a caller that gives up while a large answer is checked is told at once', async (t) => {
  const { parts, serverOf } = startCalls(t);
  const aborting = new AbortController();
  parts.response.checkPayload = () => {
    aborting.abort();
    return new Promise<never>(() => undefined) as unknown as void;
  };
  const { url } = await record(t, answerOf('application/json', JSON.stringify('x'.repeat(70_000))));
  const server = serverOf(operationOf({ baseUrl: url }));
  assert.equal(await codeOf(serve(server, null, { signal: aborting.signal })), 'cancelled');
  parts.response.checkPayload = () => new Promise<never>(() => undefined) as unknown as void;
  assert.equal(await codeOf(serve(server, null, { timeoutMs: 500 })), 'timeout');
});

test('what is accepted, who asks and the trace go along, and nothing of the runtime does', async (t) => {
  const server = await record(t);
  const { call } = startCalls(t, { headers: { 'X-Tenant': 'ours', Accept: 'application/vnd.v2+json' } });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const parameters = [parameter({ name: 'X-Tenant', in: 'header' }), parameter({ name: 'X-Other', in: 'header' })];
  const operation = operationOf({ baseUrl: server.url, accepts: ['application/json', 'text/csv'], parameters });
  const payload = { header: { 'X-Tenant': 'theirs', 'X-Other': 'b' } };
  await call(operation, payload, { traceparent, baggage: 'a=b', caller: { workerId: 'w1' } });
  assert.deepEqual(
    server.heads[0]
      ?.split('\r\n')
      .slice(1)
      .map((line) => line.toLowerCase())
      .sort(),
    [
      'accept-encoding: gzip, deflate, br',
      'accept: application/vnd.v2+json',
      'connection: keep-alive',
      `host: ${server.url.slice('http://'.length)}`,
      `traceparent: ${traceparent}`,
      'user-agent: greenroom',
      'x-other: b',
      'x-tenant: ours',
    ],
  );
  const { call: plain } = startCalls(t);
  await plain(operationOf({ baseUrl: server.url, accepts: ['application/json', 'text/csv'] }), null, {
    traceparent: 'x\r\ny: z',
  });
  assert.equal(header(server.heads[1], 'accept'), 'application/json, text/csv');
  assert.equal(header(server.heads[1], 'traceparent'), undefined);
});

// --- credentials ---

const SCHEMES: Readonly<Record<string, SecurityScheme>> = {
  inHeader: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
  inQuery: { type: 'apiKey', in: 'query', name: 'api key' },
  inCookie: { type: 'apiKey', in: 'cookie', name: 'session' },
  basic: { type: 'basic' },
  bearer: { type: 'bearer' },
};
const variable = 'KEY';
const AUTH = {
  inHeader: { variable },
  inQuery: { variable },
  inCookie: { variable },
  basic: { username_variable: 'USER', password_variable: 'PASSWORD' },
  bearer: { variable },
};
const ENVIRONMENT = { KEY: 's3cr&t', USER: 'ann', PASSWORD: 'pässword' };

test('each scheme goes where it belongs, and stands above what a caller gives', async (t) => {
  const server = await record(t);
  const { call } = startCalls(t, { schemes: SCHEMES, auth: AUTH, environment: ENVIRONMENT });
  const parameters = [
    parameter({ name: 'api key', in: 'query' }),
    parameter({ name: 'X-Api-Key', in: 'header' }),
    parameter({ name: 'session', in: 'cookie' }),
    parameter({ name: 'a', in: 'query' }),
  ];
  const payload = { query: { 'api key': 'mine', a: 1 }, header: { 'X-Api-Key': 'mine' }, cookie: { session: 'mine' } };
  const security = [['inHeader', 'inQuery', 'inCookie', 'bearer']];
  await call(operationOf({ baseUrl: server.url, parameters, security }), payload);
  await call(operationOf({ baseUrl: server.url, security: [['basic']] }), null);
  const [first, second] = server.heads;
  assert.deepEqual(
    [first?.split(' ')[1], ...['x-api-key', 'cookie', 'authorization'].map((name) => header(first, name))],
    ['/?a=1&api%20key=s3cr%26t', 's3cr&t', 'session=s3cr%26t', 'Bearer s3cr&t'],
  );
  assert.equal(header(second, 'authorization'), `Basic ${Buffer.from('ann:pässword').toString('base64')}`);
});

test('the first alternative that is configured is used; optional ones and none are called without', async (t) => {
  const server = await record(t);
  const { call } = startCalls(t, { schemes: SCHEMES, auth: { bearer: { variable } }, environment: ENVIRONMENT });
  const rows: readonly (readonly [string[][], string | undefined, number])[] = [
    [[['inHeader'], ['bearer']], 'Bearer s3cr&t', 0],
    [[[], ['bearer']], 'Bearer s3cr&t', 0],
    [[['inHeader'], []], undefined, 0],
    [[['inHeader', 'bearer']], undefined, 1],
    [[], undefined, 0],
  ];
  for (const [security, expected, notes] of rows) {
    const operation = operationOf({ baseUrl: server.url, security });
    await call(operation, null);
    assert.equal(header(server.heads.at(-1), 'authorization'), expected, JSON.stringify(security));
    assert.equal(notesFor(operation, { bearer: { variable } }).length, notes, JSON.stringify(security));
  }
});

test('a variable that is not set has the code of its kind, is looked up at each call, and is not named', async (t) => {
  const server = await record(t);
  const environment: Record<string, string> = {};
  const { call } = startCalls(t, { schemes: SCHEMES, auth: AUTH, environment });
  const using = (name: string) => operationOf({ baseUrl: server.url, security: [[name]] });
  assert.equal(await codeOf(call(using('bearer'), null)), 'token_not_found');
  assert.equal(await codeOf(call(using('inQuery'), null)), 'api_key_not_found');
  assert.equal(await codeOf(call(using('basic'), null)), 'secret_not_found');
  environment['KEY'] = 'two\r\nlines';
  const error: unknown = await call(using('bearer'), null).catch((thrown: unknown) => thrown);
  assert.equal((error as { code: string }).code, 'token_not_found');
  assert.doesNotMatch(inspect(error, { depth: 9 }), /KEY|lines/);
  assert.equal(server.connections(), 0);
  environment['KEY'] = 'fine';
  assert.equal(await call(using('bearer'), null), null);
});

test('no secret shows in a server, in what it answers, or in an error', async (t) => {
  const { call, serverOf } = startCalls(t, { schemes: SCHEMES, auth: AUTH, environment: ENVIRONMENT });
  const security = [['inHeader', 'inQuery', 'bearer']];
  const shown: unknown[] = [];
  for (const answer of [answerOf('text/plain', 'no', '500 Oops'), 'no http at all', '']) {
    const { url } = await record(t, answer);
    const operation = operationOf({ baseUrl: url, security, method: 'POST' });
    shown.push(serverOf(operation), await call(operation, null).catch((error: unknown) => error));
  }
  shown.push(await call(operationOf({ baseUrl: 'http://10.0.0.1', security }), null).catch((error: unknown) => error));
  for (const each of shown) {
    const everything = inspect(each, { depth: 12, showHidden: true }) + JSON.stringify(each);
    assert.doesNotMatch(everything, /s3cr|KEY|X-API-Key/i);
  }
});

test('settings that do not fit the schemes of the document are refused by their path', () => {
  const hostile: SecurityScheme = { type: 'apiKey', in: 'header', name: 'Host' };
  const refused = { gone: { variable }, basic: { variable }, bearer: AUTH.basic, hostile: { variable } };
  assert.throws(
    () => requireSchemes(refused, { ...SCHEMES, hostile }),
    (error: { code: string; details: { issues: { path: string }[] } }) => {
      assert.equal(error.code, 'invalid_source');
      assert.deepEqual(
        error.details.issues.map(({ path }) => path),
        ['auth.gone', 'auth.basic', 'auth.bearer', 'auth.hostile'],
      );
      return true;
    },
  );
  requireSchemes(AUTH, SCHEMES);
});

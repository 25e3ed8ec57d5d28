// Documents as sources, from the settings to the bytes that an API gets: the real reader, the real guard, the real client.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { GreenroomError } from '../../lib/errors.ts';
import type { EncodedFormat } from '../../lib/functions/format.ts';
import type { RegisteredFunction } from '../../lib/functions/function.ts';
import { OpenApiType } from '../../lib/openapi/openapi.ts';
import type { OpenApiParts } from '../../lib/openapi/openapi.ts';
import { readDocument } from '../../lib/openapi/reading.ts';
import { payloadText } from '../../lib/protocol/payload.ts';
import type { SourceHealth, SourceReading } from '../../lib/sources/source.ts';
import { codeOf } from '../support/start-runtime.ts';
import { answerOf, issuesOf, LONG_MS, record, startCalls } from './calls.ts';
import type { CallSettings } from './calls.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const never = new AbortController().signal;

function documentOf(url: string, more: object = {}) {
  return {
    openapi: '3.1.0',
    info: { title: 'Pets', version: '1' },
    servers: [{ url: `${url}/{stage}`, variables: { stage: { default: 'v1' } } }],
    components: { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'X-Key' } } },
    paths: {
      '/pets/{id}': {
        get: {
          operationId: 'getPet',
          tags: ['pets'],
          security: [{ key: [] }],
          parameters: [
            { name: 'id', in: 'path', required: true, schema: { type: 'integer' } },
            { name: 'with', in: 'query', style: 'pipeDelimited', explode: false, schema: { type: 'array' } },
          ],
          responses: { 200: { content: { 'application/json': { schema: { type: 'object' } } } } },
        },
      },
      '/pets': {
        post: {
          operationId: 'addPet',
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
              },
            },
          },
          responses: { 204: { description: 'done' } },
        },
      },
    },
    ...more,
  };
}

function start(
  t: TestContext,
  settings: Record<string, unknown>,
  given: CallSettings = {},
  more: Partial<OpenApiParts> = {},
) {
  const { client, egress, limits, parts } = startCalls(t, given);
  const { checkPayload } = parts.response;
  const type = new OpenApiType({
    client,
    egress,
    limits,
    openReader: parts.request.openReader,
    readDocument,
    checkPayload,
    ended: parts.ended,
    ...more,
  });
  const health: SourceHealth[] = [];
  const events = { changed: () => undefined, healthChanged: (now: SourceHealth) => void health.push(now) };
  const source = type.open({ name: 'pets', type: 'openapi', isFromOperator: false, settings }, events);
  t.after(() => source.close());
  return { source, health };
}

async function call({ functions }: SourceReading, name: string, payload: unknown): Promise<unknown> {
  const found = functions.find((each) => each.name === name);
  assert.ok(found, `there is no ${name}`);
  const rest = { metadata: null, caller: { workerId: null }, timeoutMs: LONG_MS };
  const answer = await found.server.serve({} as RegisteredFunction, { payload: JSON.stringify(payload), ...rest });
  return JSON.parse(payloadText(answer));
}

test('a document that is given becomes functions that call its API', async (t) => {
  const api = await record(t, answerOf('application/json', '{"id":7}'));
  const settings = {
    document: documentOf(api.url),
    auth: { key: { variable: 'PET_KEY' } },
    server_variables: { stage: 'v2' },
  };
  const { source, health } = start(t, settings, { environment: { PET_KEY: 'k-1' } });
  assert.deepEqual(source.health, { status: 'connecting', error: null });
  const reading = await source.read(never);
  assert.deepEqual(health, [{ status: 'available', error: null }]);
  assert.deepEqual(
    [reading.title, reading.unmapped, reading.functions.map(({ name }) => name).sort()],
    ['Pets', [], ['addPet', 'getPet']],
  );
  const getPet = reading.functions.find(({ name }) => name === 'getPet');
  assert.deepEqual(getPet?.metadata, { operation: 'GET /pets/{id}', tags: ['pets'] });
  assert.ok(JSON.stringify((getPet?.requestFormat as EncodedFormat).decode()).includes('"with"'));

  assert.deepEqual(await call(reading, 'getPet', { path: { id: 7 }, query: { with: ['a', 'b'] } }), { id: 7 });
  assert.match(api.heads[0] ?? '', /^GET \/v2\/pets\/7\?with=a%7Cb HTTP\/1\.1\r\n/);
  assert.match(api.heads[0] ?? '', /\r\nx-key: k-1(\r\n|$)/);
  assert.deepEqual(await call(reading, 'addPet', { body: { name: 'Bo' } }), { id: 7 });
  assert.equal(api.body().toString(), '{"name":"Bo"}');
  assert.deepEqual(await issuesOf(call(reading, 'addPet', { body: {} })), ['body.name: required']);
  assert.deepEqual(await issuesOf(call(reading, 'getPet', { path: { id: 'x' } })), ['path.id: expected integer']);
  assert.doesNotMatch(
    inspect(reading, { depth: 9, showHidden: true }) + JSON.stringify(reading),
    /PET_KEY|k-1|127\.0\.0\.1/,
  );
});

test('a document is fetched again at each read, and changes show in the fingerprints of what changed', async (t) => {
  const api = await record(t, answerOf('application/json', '1'));
  let document: unknown = documentOf(api.url);
  const urls: string[] = [];
  const fetchDocument = async (url: string) => {
    urls.push(url);
    return { status: 200, statusText: '', headers: {}, body: Buffer.from(`\ufeff${JSON.stringify(document)}`) };
  };
  const exchange = () => Promise.reject(GreenroomError.of('internal'));
  const url = `${api.url}/openapi.json`;
  const { source } = start(t, { url }, {}, { client: { fetchDocument, exchange } });
  const prints = async () =>
    Object.fromEntries((await source.read(never)).functions.map((each) => [each.name, each.fingerprint]));
  const [first, again] = [await prints(), await prints()];
  assert.deepEqual(again, first);
  assert.deepEqual(urls, [url, url]);
  const { paths } = documentOf(api.url);
  document = documentOf(api.url, { paths: { ...paths, '/pets': { post: { operationId: 'addPet', responses: {} } } } });
  const changed = await prints();
  assert.deepEqual([changed['getPet'] === first['getPet'], changed['addPet'] === first['addPet']], [true, false]);
  const { source: other } = start(t, { document: documentOf(api.url), headers: { 'X-A': 'b' } });
  const [one] = (await other.read(never)).functions;
  assert.ok(!Object.values(first).includes(one?.fingerprint ?? ''));
});

test('a document comes over HTTP, relative servers start there, and `base_url` stands for all of them', async (t) => {
  const text = JSON.stringify(documentOf('', { servers: [{ url: '/api' }] }));
  const server = await record(t, answerOf('application/json', text));
  const { source } = start(t, { url: `${server.url}/docs/openapi.json` });
  await call(await source.read(never), 'addPet', { body: { name: 'Bo' } });
  const other = await record(t);
  const { source: moved } = start(t, { url: `${server.url}/docs/openapi.json`, base_url: `${other.url}/base/` });
  await call(await moved.read(never), 'addPet', { body: { name: 'Bo' } });
  const lines = [...server.heads, ...other.heads].map((head) => head.split('\r\n')[0]);
  assert.deepEqual(lines, [
    'GET /docs/openapi.json HTTP/1.1',
    'POST /api/pets HTTP/1.1',
    'GET /docs/openapi.json HTTP/1.1',
    'POST /base/pets HTTP/1.1',
  ]);
});

test('operations without credentials are served, with a note; those that lead where requests may not go are not', async (t) => {
  const api = await record(t);
  const { paths } = documentOf(api.url);
  const inside = { get: { operationId: 'inside', servers: [{ url: 'http://169.254.169.254' }], responses: {} } };
  const { source } = start(t, { document: documentOf(api.url, { paths: { ...paths, '/meta': inside } }) });
  const { functions, unmapped } = await source.read(never);
  assert.deepEqual(functions.map(({ name }) => name).sort(), ['addPet', 'getPet']);
  assert.deepEqual(unmapped.map(({ operation, isServed }) => [operation, isServed]).sort(), [
    ['GET /meta', false],
    ['GET /pets/{id}', true],
  ]);
  assert.doesNotMatch(JSON.stringify(unmapped), /169\.254/);
  const { source: refused } = start(t, { document: documentOf('http://10.1.2.3') });
  assert.equal(await codeOf(refused.read(never)), 'url_validation_failed');
});

test('a source that cannot be read says why, and is available again when it can', async (t) => {
  const { source, health } = start(t, { document: 'openapi: [' });
  assert.equal(await codeOf(source.read(never)), 'invalid_source');
  assert.deepEqual(source.health, { status: 'failed', error: 'invalid_source' });
  assert.equal(await codeOf(source.read(AbortSignal.abort())), 'cancelled');
  assert.equal(await codeOf(source.read(AbortSignal.abort(GreenroomError.of('timeout')))), 'timeout');
  await source.close();
  assert.equal(await codeOf(source.read(never)), 'cancelled');
  assert.deepEqual(
    health.map(({ error }) => error),
    ['invalid_source', 'cancelled', 'timeout', 'cancelled'],
  );
  const { source: mistaken } = start(t, { document: documentOf('http://127.0.0.1'), auth: { kye: { variable: 'A' } } });
  assert.equal(await codeOf(mistaken.read(never)), 'invalid_source');
});

test('settings are refused by their key before anything is read', (t) => {
  const document = {};
  const rows: readonly (readonly [Record<string, unknown>, string])[] = [
    [{}, 'url'],
    [{ url: 'http://a', document }, 'url'],
    [{ url: 'file:///etc/passwd' }, 'url'],
    [{ url: '/relative' }, 'url'],
    [{ document: 1 }, 'document'],
    [{ document, base_url: 'http://a/?b=c' }, 'base_url'],
    [{ document, base_url: 'http://user:word@a/' }, 'base_url'],
    [{ document, auth: { a: { token: 'in clear text' } } }, 'auth.a'],
    [{ document, auth: { a: { variable: 'A', password_variable: 'B' } } }, 'auth.a'],
    [{ document, headers: { Host: 'a' } }, 'headers.Host'],
    [{ document, headers: { 'X-A': 'a\r\nb' } }, 'headers.X-A'],
    [{ document, server_variables: { a: 1 } }, 'server_variables.a'],
    [{ document, other: 1 }, 'other'],
  ];
  for (const [settings, path] of rows) {
    assert.throws(
      () => start(t, settings),
      (error: { code: string; details: { issues: { path: string }[] } }) => {
        assert.deepEqual([error.code, error.details.issues[0]?.path], ['invalid_request', path]);
        return true;
      },
    );
  }
});

test('the functions of a large document hold less than 20 KB each', async (t) => {
  const paths = Object.fromEntries(
    Array.from({ length: 1_200 }, (_, n) => [
      `/p${n}/{id}`,
      { get: { ...documentOf('').paths['/pets/{id}'].get, operationId: `op${n}` } },
    ]),
  );
  const { source } = start(t, { document: JSON.stringify(documentOf('http://127.0.0.1', { paths })) });
  collect();
  const before = process.memoryUsage().heapUsed;
  const { functions } = await source.read(never);
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / functions.length;
  t.diagnostic(`${Math.round(bytes)} bytes each`);
  assert.equal(functions.length, 1_200);
  assert.ok(bytes < 20_000, `${bytes} bytes`);
});

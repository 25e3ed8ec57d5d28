import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { GreenroomError } from '../../lib/errors.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { listen, SESSIONS, toolHandler } from './http-server.ts';
import type { Protocol } from './http-server.ts';
import { openEgress } from './open-egress.ts';
import { keepProgress, openSource } from './open-source.ts';

function words(): { said: string[]; say: (word: string) => void; has: (word: string) => Promise<unknown> } {
  const said: string[] = [];
  const say = (word: string): void => void said.push(word);
  return { said, say, has: (word) => eventually(() => said.includes(word)) };
}

for (const protocol of [SESSIONS, 'newer'] as Protocol[]) {
  test(`tools over HTTP (${protocol}) are read page by page and called`, async (t) => {
    const { say } = words();
    const { url, headers } = await listen(t, toolHandler(protocol, { say, pageSize: 3 }));
    const source = openSource(t, { url, headers: { 'x-team': 'a' } });
    const { functions, title } = await source.read();
    assert.equal(title, 'Tools for tests');
    assert.ok(functions.length > 9, `${functions.length} functions`);
    assert.deepEqual(await source.call('echo', { a: 1 }), { a: 1 });
    assert.equal(await source.call('text'), 'hello');
    await assert.rejects(source.call('fail'), { code: 'tool_failed', message: 'no such thing' });
    const { all, onProgress } = keepProgress();
    assert.equal(await source.call('progress', {}, { onProgress }), 'done');
    assert.deepEqual(all, [{ progress: 1, total: 2, message: 'half' }]);
    assert.equal(source.health.status, 'available');
    for (const each of headers) {
      assert.equal(each['x-team'], 'a');
      assert.equal(each['x-greenroom-call'], undefined);
    }
  });

  test(`cancelling over HTTP (${protocol}) reaches the tool, by the caller and by the deadline`, async (t) => {
    const { said, say, has } = words();
    const { url } = await listen(t, toolHandler(protocol, { say }));
    const source = openSource(t, { url });
    await source.read();
    const controller = new AbortController();
    const cancelled = codeOf(source.call('wait', {}, { signal: controller.signal }));
    await has('started');
    controller.abort();
    assert.equal(await cancelled, 'cancelled');
    await has('cancelled');
    assert.equal(await codeOf(source.call('wait', {}, { timeoutMs: 100 })), 'timeout');
    await eventually(() => said.filter((word) => word === 'cancelled').length === 2);
    assert.equal(await source.call('text'), 'hello');
  });

  test(`a new tool over HTTP (${protocol}) is told`, async (t) => {
    const { url, seen } = await listen(t, toolHandler(protocol, { say: () => undefined, added: [] }));
    const source = openSource(t, { url });
    await source.read();
    if (protocol === SESSIONS) await eventually(() => seen.includes('GET'));
    // The stream on which it is told may still be opening: then the next one is.
    for (let count = 1; source.changes === 0; count++) {
      await source.call('add_tool', { name: `later${count}` });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await source.read();
    assert.equal(await source.call('later1'), 'new');
  });

  test(`a server (${protocol}) that goes takes its calls with it, and is found again when it is back`, async (t) => {
    const { say, has } = words();
    const first = await listen(t, toolHandler(protocol, { say }));
    const source = openSource(t, { url: first.url });
    await source.read();
    const waiting = codeOf(source.call('wait'));
    await has('started');
    await first.stop();
    assert.match(String(await waiting), /^(?:invocation_stopped|http_response_failed|http_request_failed)$/);
    await source.has('connecting');
    assert.equal(await codeOf(source.call('text')), 'worker_busy');
    await listen(t, toolHandler(protocol, { say }), Number(new URL(first.url).port));
    await source.has('available');
    await eventually(() => source.changes > 0);
    await source.read();
    assert.equal(await source.call('text'), 'hello');
  });
}

test('a session that the server has forgotten is made again', async (t) => {
  let handler = toolHandler(SESSIONS, { say: () => undefined });
  const { url } = await listen(t, (request, response) => handler(request, response));
  const source = openSource(t, { url });
  await source.read();
  handler = toolHandler(SESSIONS, { say: () => undefined });
  await assert.rejects(source.call('text'), { code: 'worker_busy', retryable: true });
  await source.has('available');
  await eventually(() => source.changes > 0);
  await source.read();
  assert.equal(await source.call('text'), 'hello');
});

test('a bearer token is read by the name of its variable, for every request, and shown to nobody', async (t) => {
  const secrets: Record<string, string> = { MCP_TOKEN: 'first-token-value' };
  const { url, headers } = await listen(t, toolHandler(SESSIONS, { say: () => undefined }));
  const source = openSource(
    t,
    { url, auth: { type: 'bearer', token_key: 'MCP_TOKEN' } },
    { egress: openEgress(t, secrets) },
  );
  await source.read();
  assert.equal(
    headers.every(({ authorization }) => authorization === 'Bearer first-token-value'),
    true,
  );
  secrets['MCP_TOKEN'] = 'second-token-value';
  await source.call('text');
  assert.equal(headers.at(-1)?.authorization, 'Bearer second-token-value');
  for (const left of [{}, { MCP_TOKEN: 'no\nheader token-value' }]) {
    delete secrets['MCP_TOKEN'];
    Object.assign(secrets, left);
    const { code, details, cause } = await source.call('text').then(
      () => assert.fail('it was sent'),
      (error: GreenroomError) => error,
    );
    assert.deepEqual({ code, details, cause }, { code: 'token_not_found', details: undefined, cause: undefined });
  }
  assert.equal(JSON.stringify(source.lines).includes('token-value'), false);
});

test('a redirect is not followed, wherever it leads', async (t) => {
  const target = await listen(t, toolHandler(SESSIONS, { say: () => undefined }));
  for (const location of [target.url, '/mcp']) {
    const { url, seen } = await listen(t, (_request, response) => response.writeHead(307, { location }).end());
    const source = openSource(t, { url });
    assert.equal(await codeOf(source.read()), 'http_error');
    assert.equal(
      seen.every((method) => method === 'POST'),
      true,
    );
    await source.close();
  }
  assert.deepEqual(target.seen, []);
});

const INSUFFICIENT = 'Bearer error="insufficient_scope", scope="more"';

test('a server that says no, nothing, or something else is told apart', async (t) => {
  const answers: [string, (response: ServerResponse) => unknown][] = [
    ['http_error', (response) => response.writeHead(401).end()],
    ['http_error', (response) => response.writeHead(500).end('<html>')],
    ['http_error', (response) => response.writeHead(403, { 'www-authenticate': INSUFFICIENT }).end()],
    ['invalid_response', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')],
    ['timeout', () => undefined],
    ['http_request_failed', (response) => response.destroy()],
  ];
  for (const [code, answer] of answers) {
    const { url } = await listen(t, (_request, response) => void answer(response));
    const source = openSource(t, { url }, { limits: { startTimeoutMs: 500 } });
    assert.equal(await codeOf(source.read()), code);
    assert.equal(source.health.error, code);
    await source.close();
  }
});

/** A server that answers everything but calls as it should, and a call as it is told. */
async function listenRaw(
  t: Parameters<typeof listen>[0],
  answerCall: (response: ServerResponse, id: number) => unknown,
  answerResumed?: (response: ServerResponse) => unknown,
) {
  const ordinary = toolHandler(SESSIONS, { say: () => undefined });
  const cut = new EventEmitter();
  const server = await listen(t, async (request, response) => {
    if (request.headers['last-event-id'] !== undefined) return answerResumed?.(response);
    if (request.method !== 'POST' || request.headers['x-raw'] === undefined) return ordinary(request, response);
    const chunks = await request.toArray();
    const message = JSON.parse(Buffer.concat(chunks).toString()) as { id: number; method: string; params: unknown };
    const { id, method } = message;
    if (method === 'tools/call') {
      response.once('close', () => cut.emit('cut'));
      return answerCall(response, id);
    }
    if (id === undefined) return response.writeHead(202).end();
    const results: Record<string, unknown> = {
      initialize: {
        protocolVersion: (message.params as { protocolVersion?: string }).protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'raw', version: '1' },
      },
      'tools/list': { tools: [{ name: 'raw', inputSchema: { type: 'object' } }] },
      ping: {},
    };
    const result = results[method];
    const error = { code: -32_601, message: 'unknown' };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...(result === undefined ? { error } : { result }) }));
  });
  return { ...server, cut };
}

const JSON_HEADERS = { 'content-type': 'application/json' };
const STREAM_HEADERS = { 'content-type': 'text/event-stream' };

test('an answer is counted after it was inflated, as JSON and as an event', async (t) => {
  const body = (id: number): string =>
    JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'x'.repeat(20_000_000) }] } });
  const answers: ((response: ServerResponse, id: number) => unknown)[] = [
    (response, id) => response.writeHead(200, { ...JSON_HEADERS, 'content-encoding': 'gzip' }).end(gzipSync(body(id))),
    (response, id) => response.writeHead(200, STREAM_HEADERS).end(`data: ${body(id)}\n\n`),
    (response) => response.writeHead(200, STREAM_HEADERS).end('data: '.padEnd(20_000_000, 'x')),
  ];
  for (const answer of answers) {
    const { url } = await listenRaw(t, answer);
    const source = openSource(t, { url, headers: { 'x-raw': '1' } }, { limits: { maxMessageBytes: 1_000_000 } });
    await source.read();
    assert.equal(await codeOf(source.call('raw')), 'invocation_failed_payload_too_large');
    await source.close();
  }
});

test('many events before the answer are no message too large', async (t) => {
  const { url } = await listenRaw(t, (response, id) => {
    response.writeHead(200, STREAM_HEADERS);
    for (let count = 0; count < 100; count++) response.write(`: ${'x'.repeat(50_000)}\r\n\r\n`);
    response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } })}\n\n`);
  });
  const source = openSource(t, { url, headers: { 'x-raw': '1' } }, { limits: { maxMessageBytes: 1_000_000 } });
  await source.read();
  assert.equal(await source.call('raw'), null);
});

test('an answer that ends without a message ends the call at once, and not at its deadline', async (t) => {
  const { url } = await listenRaw(t, (response) => response.writeHead(200, STREAM_HEADERS).end(': nothing\n\n'));
  const source = openSource(t, { url, headers: { 'x-raw': '1' } });
  await source.read();
  assert.equal(await codeOf(source.call('raw', {}, { timeoutMs: 2 ** 31 })), 'http_response_failed');
});

test('an answer that breaks off with an event id is asked for again', async (t) => {
  let id = 0;
  const { url, headers } = await listenRaw(
    t,
    (response, callId) => {
      id = callId;
      response.writeHead(200, STREAM_HEADERS).end('id: 7\nretry: 1\ndata:\n\n');
    },
    (response) => {
      const answer = { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'at last' }] } };
      response.writeHead(200, STREAM_HEADERS).end(`data: ${JSON.stringify(answer)}\n\n`);
    },
  );
  const source = openSource(t, { url, headers: { 'x-raw': '1' } });
  await source.read();
  assert.equal(await source.call('raw'), 'at last');
  assert.equal(headers.at(-1)?.['last-event-id'], '7');
});

test('an answer that nobody waits for any more is cut off', async (t) => {
  const { url, cut } = await listenRaw(t, (response) => response.writeHead(200, STREAM_HEADERS).write(': soon\n\n'));
  const source = openSource(t, { url, headers: { 'x-raw': '1' } });
  await source.read();
  const isCut = once(cut, 'cut');
  assert.equal(await codeOf(source.call('raw', {}, { timeoutMs: 50 })), 'timeout');
  await isCut;
});

test('pages of tools that never end, and more tools than the limit, are no source', async (t) => {
  const { url } = await listen(t, toolHandler('newer', { say: () => undefined, pageSize: 2 }));
  const source = openSource(t, { url }, { limits: { maxFunctionsPerSource: 3 } });
  assert.equal(await codeOf(source.read()), 'invalid_source');
  const endless = await listen(t, toolHandler('newer', { say: () => undefined, pageSize: 0 }));
  assert.equal(await codeOf(openSource(t, { url: endless.url }).read()), 'invalid_source');
});

test('a server of the newer protocol that nobody calls is found again when it is back', async (t) => {
  const first = await listen(t, toolHandler('newer', { say: () => undefined }));
  const source = openSource(t, { url: first.url });
  await source.read();
  await first.stop();
  await source.has('connecting');
  await listen(t, toolHandler('newer', { say: () => undefined }), Number(new URL(first.url).port));
  await source.has('available');
  await eventually(() => source.changes > 0);
});

test('settings that do not hold together are refused by their keys', (t) => {
  const bad: [Record<string, unknown>, string][] = [
    [{}, 'url'],
    [{ url: 'http://a', command: 'b' }, 'url'],
    [{ url: 'http://a', headers: { host: 'b' } }, 'headers.host'],
    [{ url: 'http://a', headers: { 'mcp-session-id': 'b' } }, 'headers.mcp-session-id'],
    [{ url: 'http://a', headers: { a: 'b\r\nc: d' } }, 'headers.a'],
    [{ url: 'http://a', headers: { 'X-Team': 'a', 'x-team': 'b' } }, 'headers.x-team'],
    [{ url: 'http://a', auth: { type: 'basic', token_key: 'A' } }, 'auth.type'],
    [
      { url: 'http://a', auth: { type: 'bearer', token_key: 'A' }, headers: { Authorization: 'b' } },
      'headers.authorization',
    ],
    [{ url: 'http://a', cwd: '/' }, 'cwd'],
    [{ command: 'a', env: { 'NOT A NAME': 'b' } }, 'env.NOT A NAME'],
    [{ command: 'a', args: [1] }, 'args.0'],
  ];
  for (const [settings, path] of bad) {
    assert.throws(
      () => openSource(t, settings),
      (error: { code?: string; details?: { issues?: { path: string }[] } }) => {
        assert.deepEqual([error.code, error.details?.issues?.[0]?.path], ['invalid_request', path]);
        return true;
      },
    );
  }
  assert.throws(() => openSource(t, { url: 'not a url' }), { code: 'url_validation_failed' });
});

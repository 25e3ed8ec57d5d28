// The functions as tools, used by the published client in both protocols, and by requests that no client would send.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { CallToolResult } from '@modelcontextprotocol/client';
import { Agent, fetch as undiciFetch, request } from 'undici';
import { GreenroomError } from '../../lib/errors.ts';
import type { FunctionCall, FunctionOwner, FunctionSpec } from '../../lib/functions/function.ts';
import type { Limits } from '../../lib/limits.ts';
import { decode, encode } from '../../lib/protocol/payload.ts';
import type { Runtime } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';
import { eventually } from '../support/start-runtime.ts';
import { clientOf, startRuntime, TOKEN } from './support.ts';
import type { Edge } from './support.ts';

const CREDENTIALS = [
  { name: 'tools', token: 'credential-with-tools', mcp: true, call: ['math::*'] },
  { name: 'plain', token: 'credential-without' },
];

interface Served extends Edge {
  readonly calls: FunctionCall[];
  readonly offer: (functionId: string, serve: (call: FunctionCall) => unknown, spec?: Partial<FunctionSpec>) => void;
  readonly connect: (options?: { token?: string; mode?: 'legacy' | 'auto' }) => Promise<Client>;
}

async function startTools(t: TestContext, limits: Partial<Limits> = {}): Promise<Served> {
  const agent = new Agent();
  // Before the server, which would wait for connections that a client has in reserve.
  t.after(() => agent.destroy());
  const runtime: Runtime = await startRuntime(t, limits);
  const server = await startServer({ runtime, token: TOKEN, gateway: { credentials: CREDENTIALS } });
  t.after(() => server.close());
  const calls: FunctionCall[] = [];
  const offer: Served['offer'] = (functionId, serve, spec = {}) => {
    const owner: FunctionOwner = {
      ownerId: functionId,
      origin: 'remote',
      name: null,
      serve: async (_fn, call) => {
        calls.push(call);
        return encode((await serve(call)) ?? null);
      },
    };
    runtime.functions.register(owner, { functionId, description: null, ...spec });
  };
  const connect: Served['connect'] = async ({ token = TOKEN, mode = 'auto' } = {}) => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
    const requestInit = { headers: { authorization: `Bearer ${token}` } };
    const fetch = ((url: string, init: object) =>
      undiciFetch(url, { ...init, dispatcher: agent })) as unknown as typeof globalThis.fetch;
    await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/v1/mcp`), { requestInit, fetch }));
    t.after(() => client.close());
    return client;
  };
  return { runtime, calls, offer, connect, ...clientOf(t, server.url) };
}

const errorOf = ({ isError, content }: CallToolResult): unknown => {
  const [part] = content;
  assert.deepEqual([isError, content.length, part?.type], [true, 1, 'text']);
  return (JSON.parse((part as { text: string }).text) as { error: { code: string } }).error.code;
};
const OBJECT = { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] };

for (const mode of ['legacy', 'auto'] as const) {
  test(`functions are listed and called as tools, protocol ${mode}`, async (t) => {
    const { offer, connect, calls } = await startTools(t);
    offer('math::double', ({ payload }) => ({ sum: 2 * (decode(payload) as { a: number }).a }), {
      description: 'Twice',
      requestFormat: OBJECT,
    });
    offer('text::shout', ({ payload }) => String(decode(payload)).toUpperCase(), { requestFormat: { type: 'string' } });
    offer('text::any', ({ payload }) => decode(payload));
    offer('hidden::one', () => 1, { metadata: { internal: true } });
    const client = await connect({ mode });
    const { tools } = await client.listTools();
    assert.deepEqual(
      tools.map(({ name, title, description, inputSchema }) => ({ name, title, description, inputSchema })),
      [
        { name: 'math__double', title: 'math::double', description: 'Twice', inputSchema: OBJECT },
        {
          name: 'text__any',
          title: 'text::any',
          description: undefined,
          inputSchema: { type: 'object', properties: { input: {} } },
        },
        {
          name: 'text__shout',
          title: 'text::shout',
          description: undefined,
          inputSchema: { type: 'object', properties: { input: { type: 'string' } } },
        },
      ],
    );
    assert.deepEqual((await client.callTool({ name: 'math__double', arguments: { a: 2 } })).structuredContent, {
      sum: 4,
    });
    const { content } = await client.callTool({ name: 'text__shout', arguments: { input: 'hello' } });
    assert.deepEqual(content, [{ type: 'text', text: 'HELLO' }]);
    assert.deepEqual((await client.callTool({ name: 'text__any' })).content, [{ type: 'text', text: 'null' }]);
    assert.deepEqual(calls[0]?.caller, { workerId: null });
    assert.equal(errorOf(await client.callTool({ name: 'hidden__one' })), 'function_not_found');
    assert.equal(errorOf(await client.callTool({ name: 'none' })), 'function_not_found');
  });

  test(`what a function rejects with is a result with its code, and nothing from within, protocol ${mode}`, async (t) => {
    const { offer, connect } = await startTools(t);
    offer('bad::code', () => Promise.reject(GreenroomError.of('worker_busy')));
    offer('bad::inside', () => Promise.reject(new Error('at /secret/path')));
    const client = await connect({ mode });
    assert.equal(errorOf(await client.callTool({ name: 'bad__code' })), 'worker_busy');
    const inside = await client.callTool({ name: 'bad__inside' });
    assert.equal(errorOf(inside), 'internal');
    assert.equal(JSON.stringify(inside).includes('secret'), false);
  });

  test(`progress reaches a client that asks for it, protocol ${mode}`, async (t) => {
    const { offer, connect } = await startTools(t);
    offer('slow::one', ({ onProgress }) => {
      onProgress?.({ progress: 1, total: 3, message: 'one' });
      return 'done';
    });
    const client = await connect({ mode });
    const seen: unknown[] = [];
    await client.callTool({ name: 'slow__one' }, { onprogress: (progress) => void seen.push(progress) });
    assert.deepEqual(seen, [{ progress: 1, total: 3, message: 'one' }]);
  });

  test(`a call ends when its client has gone, protocol ${mode}`, async (t) => {
    const { offer, connect, calls } = await startTools(t);
    offer('slow::wait', ({ signal }) => new Promise((resolve) => signal?.addEventListener('abort', resolve)));
    const client = await connect({ mode });
    const call = client.callTool({ name: 'slow__wait' }).catch(() => 'gone');
    await eventually(() => calls.length === 1);
    await client.close();
    assert.equal(await call, 'gone');
    await eventually(() => calls[0]?.signal?.aborted === true);
  });
}

test('many functions come in pages', async (t) => {
  const { offer, connect } = await startTools(t);
  const ids = Array.from({ length: 250 }, (_, index) => `many::f${String(index).padStart(3, '0')}`);
  for (const functionId of ids) offer(functionId, () => 1);
  const client = await connect();
  const first = await client.listTools({ cursor: '' });
  assert.ok(first.nextCursor !== undefined && first.tools.length < ids.length);
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map(({ title }) => title),
    ids,
  );
});

test('ids that cannot be names are still called by the names that they are given', async (t) => {
  const { offer, connect } = await startTools(t);
  const ids = ['a::b', 'a__b', 'a::b c', `long::${'x'.repeat(100)}`, 'ä::ö', 'a::_b', 'a_::b', 'a:b'];
  for (const functionId of ids) offer(functionId, () => functionId);
  const client = await connect();
  const { tools } = await client.listTools();
  assert.equal(new Set(tools.map(({ name }) => name)).size, ids.length);
  for (const { name, title } of tools) {
    assert.match(name, /^[A-Za-z0-9_.-]{1,64}$/);
    assert.deepEqual((await client.callTool({ name })).content, [{ type: 'text', text: title }]);
  }
});

test('a credential with the right sees and calls what its patterns allow, and nothing else', async (t) => {
  const { offer, connect } = await startTools(t);
  offer('math::one', () => 1);
  offer('other::one', () => 1);
  const client = await connect({ token: 'credential-with-tools' });
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map(({ name }) => name),
    ['math__one'],
  );
  assert.equal((await client.callTool({ name: 'math__one' })).isError, undefined);
  assert.equal(errorOf(await client.callTool({ name: 'other__one' })), 'forbidden');
});

/** The status, and the code of an error of ours; events are not looked at. */
async function post(
  { url }: Served,
  body: unknown,
  { token = TOKEN, ...headers }: { token?: string | null; [name: string]: string | null } = {},
): Promise<[number, string | null]> {
  const response = await request(`${url}/v1/mcp`, {
    method: 'POST',
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(headers as Record<string, string>),
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.body.text();
  if (!String(response.headers['content-type']).startsWith('application/json')) return [response.statusCode, null];
  const { code } = (JSON.parse(text) as { error: { code: unknown } }).error;
  return [response.statusCode, typeof code === 'string' ? code : 'rpc'];
}

const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };

test('who may not use the tools is refused', async (t) => {
  const served = await startTools(t);
  assert.deepEqual(await post(served, LIST), [200, null]);
  assert.deepEqual(await post(served, LIST, { token: 'credential-with-tools' }), [200, null]);
  assert.deepEqual(await post(served, LIST, { token: null }), [401, 'unauthorized']);
  assert.deepEqual(await post(served, LIST, { token: 'something-else' }), [401, 'unauthorized']);
  assert.deepEqual(await post(served, LIST, { token: 'credential-without' }), [403, 'forbidden']);
});

test('a page of another origin, or of a name that could lead anywhere, may not use the tools', async (t) => {
  const served = await startTools(t);
  const { port } = served;
  const status = async (origin: string, host = `127.0.0.1:${port}`) => (await post(served, LIST, { origin, host }))[0];
  assert.equal(await status(`http://127.0.0.1:${port}`), 200);
  assert.equal(await status(`http://localhost:${port}`, `localhost:${port}`), 200);
  assert.equal(await status(`http://[::1]:${port}`, `[::1]:${port}`), 200);
  for (const origin of [
    'http://evil.example',
    `http://localhost:${port}`,
    `http://127.0.0.1:${port + 1}`,
    'null',
    'x',
  ]) {
    assert.equal(await status(origin), 403, origin);
  }
  assert.equal(await status(`http://evil.example:${port}`, `evil.example:${port}`), 403);
});

test('there is nothing to get or to delete, whoever asks', async (t) => {
  const { send } = await startTools(t);
  for (const method of ['GET', 'DELETE', 'PUT']) {
    const { status, headers, json } = await send(method, '/v1/mcp', { token: 'credential-with-tools' });
    assert.deepEqual([status, headers['allow'], json.error.code], [405, 'POST', 'method_not_allowed']);
  }
  assert.equal((await send('GET', '/v1/mcp', { token: null })).status, 401);
});

test('bodies that are no message are refused', async (t) => {
  const served = await startTools(t, { maxMessageBytes: 10_000 });
  assert.deepEqual(await post(served, '{'), [400, 'invalid_json']);
  assert.deepEqual(await post(served, ''), [400, 'invalid_json']);
  assert.deepEqual(await post(served, [LIST, LIST]), [400, 'invalid_request']);
  assert.deepEqual(await post(served, { ...LIST, params: { x: 'x'.repeat(20_000) } }), [413, 'payload_too_large']);
  assert.deepEqual(await post(served, LIST, { 'content-type': 'text/plain' }), [415, 'unsupported_media_type']);
  assert.deepEqual(await post(served, LIST, { accept: 'text/html' }), [406, 'rpc']);
  assert.deepEqual(await post(served, { hello: 1 }), [400, 'rpc']);
});

test('a deadline that the request gives is that of the call', async (t) => {
  const served = await startTools(t);
  served.offer('a::b', () => 1);
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'a__b', arguments: {} } };
  await post(served, call, { 'greenroom-deadline-ms': '1234' });
  const { timeoutMs = 0 } = served.calls[0] ?? {};
  assert.ok(timeoutMs > 0 && timeoutMs <= 1_234, String(timeoutMs));
  assert.deepEqual(await post(served, call, { 'greenroom-deadline-ms': 'soon' }), [400, 'invalid_request']);
});

test('an output above the limit is a result that says so', async (t) => {
  const { offer, connect } = await startTools(t, { maxMessageBytes: 100_000 });
  offer('a::big', () => 'x'.repeat(200_000));
  const client = await connect();
  assert.equal(errorOf(await client.callTool({ name: 'a__big' })), 'invocation_failed_payload_too_large');
});

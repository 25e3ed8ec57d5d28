// What is private of functions and sources that a Backend or an operator makes: where they are, their headers, commands, arguments and
// variables, and what is in those. Everything that the real command line says to anybody, its log included, is searched for it.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Cli, freshDir, started } from '../cli/harness.ts';
import { RawPeer } from '../gateway/raw-peer.ts';
import { listen, SESSIONS, toolHandler } from '../mcp/http-server.ts';
import type { TestServer } from '../mcp/http-server.ts';
import { clientOf } from '../server/support.ts';
import type { Answer } from '../server/support.ts';
import { eventually } from '../support/start-runtime.ts';

const STDIO_SERVER = fileURLToPath(new URL('../mcp/stdio-server.js', import.meta.url));
const TOKEN = 'a-token-of-the-operator';
const ENVIRONMENT = {
  PRIVATE_TOKEN: 'token-in-variable',
  PRIVATE_KEY: 'key-in-variable',
  PRIVATE_SECRET: 'secret-in-variable',
  PRIVATE_BROKEN: 'broken-in-variable\nsecond-in-variable',
};
/** What must be nowhere, whoever asks. `/private` is the beginning of every path of the servers below. */
const PRIVATE = [
  ...['/private', 'private-query', 'private-host', '10.9.8.7', 'ECONN', 'ENOTFOUND'],
  ...['private-header-value', 'x-private-key', 'private-answer', 'private-base'],
  ...['stdio-server', 'private-argument', 'private-level', 'PRIVATE_LEVEL', 'private-command'],
  ...['PRIVATE_MISSING', 'in-variable', ...Object.keys(ENVIRONMENT)],
  ...['token_key":"', 'value_key":"', 'secret_key":"', TOKEN, 'node:internal', 'node_modules'],
];
/** A key of a bad definition, which its refusal names to whoever wrote it, and to nobody else. */
const PLACE = 'x-private-name';
const HEADERS = { 'x-private-name': 'private-header-value' };
const AUTH = { type: 'bearer', token_key: 'PRIVATE_TOKEN' };

interface Servers {
  readonly api: TestServer;
  readonly mcp: TestServer;
  /** Until it is set, the document makes sense. */
  isBroken: boolean;
}

async function startServers(t: TestContext): Promise<Servers> {
  const api = await listen(t, (request, response) => {
    const path = (request.url ?? '').split('?')[0];
    response.setHeader('content-type', 'application/json');
    if (path === '/private/ok') response.end('"fine"');
    else if (path === '/private/cut')
      response.writeHead(200, { 'content-length': 99 }).write('"private-answer', () => response.destroy());
    else if (path !== '/private/openapi.json') response.writeHead(500).end('private-answer');
    else response.end(servers.isBroken ? '{"private-answer":' : JSON.stringify(documentOf(api)));
  });
  const mcp = await listen(t, toolHandler(SESSIONS, { say: () => undefined }));
  const servers: Servers = { api, mcp, isBroken: false };
  return servers;
}

const urlAt = ({ url }: TestServer, path: string): string => `${new URL(url).origin}/private/${path}?private-query`;

function documentOf(api: TestServer): object {
  const paths = ['ok', 'cut', 'failed'].map((operationId) => [
    `/${operationId}`,
    { get: { operationId, security: [{ key: [] }], responses: {} } },
  ]);
  const elsewhere = { get: { operationId: 'elsewhere', servers: [{ url: 'http://10.9.8.7/private' }], responses: {} } };
  return {
    openapi: '3.1.0',
    info: { title: 'Visible', version: '1' },
    servers: [{ url: new URL('/private', api.url).href }],
    components: { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'x-private-key' } } },
    paths: { ...(Object.fromEntries(paths) as object), '/elsewhere': elsewhere },
  };
}

/** By name; those of the first list can be made. */
function sourcesOf({ api, mcp }: Servers): { good: object[]; bad: object[] } {
  const openapi = { type: 'openapi', headers: HEADERS, auth: { key: { variable: 'PRIVATE_KEY' } } };
  const stdio = { type: 'mcp', command: process.execPath };
  const env = { PRIVATE_LEVEL: 'private-level', KEY: { variable: 'PRIVATE_SECRET' } };
  const good = [
    { ...openapi, name: 'pets', url: urlAt(api, 'openapi.json') },
    { ...openapi, name: 'inline', document: documentOf(api), base_url: urlAt(api, 'private-base').split('?')[0] },
    { name: 'tools', type: 'mcp', url: mcp.url, headers: HEADERS, auth: AUTH },
    { ...stdio, name: 'local', args: [STDIO_SERVER, 'both', 'private-argument'], env },
  ];
  const bad = [
    { ...openapi, name: 'bad-1', url: urlAt(api, 'failed') },
    { ...openapi, name: 'bad-2', url: 'http://10.9.8.7/private' },
    { ...openapi, name: 'bad-3', url: 'http://private-host.invalid/private' },
    { ...openapi, name: 'bad-4', url: 'http://127.0.0.1:1/private' },
    { ...openapi, name: 'bad-5', url: urlAt(api, 'openapi.json'), auth: { key: { variable: 'PRIVATE_MISSING' } } },
    { ...openapi, name: 'bad-6', document: 'private-answer: [' },
    { name: 'bad-7', type: 'mcp', url: 'http://127.0.0.1:1/private', headers: HEADERS, auth: AUTH },
    { name: 'bad-8', type: 'mcp', url: mcp.url, auth: { type: 'bearer', token_key: 'PRIVATE_MISSING' } },
    { name: 'bad-12', type: 'mcp', url: mcp.url, auth: { type: 'bearer', token_key: 'PRIVATE_BROKEN' } },
    { ...openapi, name: 'bad-13', url: urlAt(api, 'openapi.json'), auth: { key: { variable: 'PRIVATE_BROKEN' } } },
    { ...stdio, name: 'bad-14', args: [STDIO_SERVER], env: { PRIVATE_LEVEL: { variable: 'PRIVATE_MISSING' } } },
    { name: 'bad-9', type: 'mcp', url: urlAt(api, 'failed') },
    { name: 'bad-10', type: 'mcp', command: '/private/private-command', args: ['private-argument'], env },
    { ...stdio, name: 'bad-11', args: ['-e', '/* private-argument */ process.exit(3)'] },
  ];
  return { good, bad };
}

function functionsOf({ api }: Servers): { good: object[]; bad: object[] } {
  const auths = [
    AUTH,
    { type: 'api_key', header: 'x-private-key', value_key: 'PRIVATE_KEY' },
    { type: 'hmac', secret_key: 'PRIVATE_SECRET' },
  ];
  const good = ['ok', 'cut', 'failed'].map((path, n) => ({ url: urlAt(api, path), headers: HEADERS, auth: auths[n] }));
  const bad = [
    { url: 'http://10.9.8.7/private' },
    { url: 'http://private-host.invalid/private' },
    { url: 'private-host' },
    { url: 'http://a:private-answer@private-host/' },
    { url: urlAt(api, 'ok'), headers: { 'x-private-name': 'private-header-value\n' } },
    { url: urlAt(api, 'ok'), auth: { type: 'bearer', token_key: 'PRIVATE_MISSING' } },
    { url: urlAt(api, 'ok'), auth: { type: 'api_key', header: 'x-private-key', value_key: 'PRIVATE_BROKEN' } },
    { url: urlAt(api, 'ok'), method: 'private-header-value' },
  ];
  return { good: [...good, { url: 'http://127.0.0.1:1/private', headers: HEADERS }], bad };
}

interface Scene {
  readonly cli: Cli;
  /** What is answered is kept. */
  readonly send: (method: string, path: string, body?: unknown) => Promise<Answer>;
  readonly said: string[];
  readonly port: number;
}

async function start(t: TestContext, config: object): Promise<Scene> {
  const dir = freshDir(t);
  writeFileSync(join(dir, 'greenroom.json'), JSON.stringify(config));
  writeFileSync(join(dir, 'token'), TOKEN, { mode: 0o600 });
  const flags = ['--config', 'greenroom.json', '--token-file', 'token', '--allow-stdio-sources', '--log-level=debug'];
  const cli = new Cli(t, started(...flags), { dir, environment: ENVIRONMENT });
  const { url } = await cli.ready();
  const { send, port } = clientOf(t, url);
  const said: string[] = [];
  return {
    cli,
    said,
    port,
    send: async (method, path, body) => {
      const headers = { accept: 'application/json, text/event-stream' };
      const answer = await send(method, path, { token: TOKEN, headers, ...(body !== undefined && { body }) });
      said.push(answer.text, JSON.stringify(answer.headers));
      return answer;
    },
  };
}

const idsOf = ({ text }: Answer): string[] =>
  Array.from(text.matchAll(/"function_id":"([^"]+)"/g), ([, id]) => String(id));

/** Everything that reads: each route of the API's own document, and each listing of the gateway. */
async function ask(t: TestContext, { send, said, port }: Scene): Promise<string[]> {
  const ids = idsOf(await send('GET', '/v1/functions?internal=true&limit=1000'));
  const { paths } = JSON.parse((await send('GET', '/v1/openapi.json')).text) as { paths: Record<string, object> };
  const names = ['pets', 'inline', 'tools', 'local', 'bad-4', 'bad-7', 'http'];
  const values: Record<string, string[]> = { function_id: ids, name: names, worker_id: names };
  for (const path of Object.keys(paths).filter((each) => 'get' in paths[each]!)) {
    const [, parameter = ''] = /\{(\w+)\}/.exec(path) ?? [];
    for (const value of values[parameter] ?? ['x'])
      await send('GET', path.replace(`{${parameter}}`, encodeURIComponent(value)).replace(/\{\w+\}/g, 'x'));
  }
  await send('POST', '/v1/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/list' });
  const peer = new RawPeer(port, { headers: { authorization: `Bearer ${TOKEN}` } });
  t.after(() => peer.socket.terminate());
  peer.socket.on('message', (data: Buffer) => said.push(data.toString()));
  await peer.ready;
  for (const id of ids.filter((each) => /^engine::.*::(list|info|get_all)$/.test(each))) {
    await peer.call(id, { include_internal: true });
    for (const name of names) await peer.call(id, { name, function_ids: ids });
  }
  return ids.filter((id) => !id.startsWith('engine::'));
}

/** Over REST and as tools; what a process says of its environment is its own. */
async function call({ send }: Scene, ids: readonly string[]): Promise<void> {
  for (const id of ids.filter((each) => !/::(environment|wait|exit|stubborn|grandchild)$/.test(each))) {
    await send('POST', `/v1/functions/${encodeURIComponent(id)}/invoke`, {});
    const params = { name: id.replace('::', '__'), arguments: {} };
    await send('POST', '/v1/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  }
}

test(
  'nobody is shown what is private of functions and sources, in no answer, frame or line of the log',
  { timeout: 100_000 },
  async (t) => {
    const servers = await startServers(t);
    const [functions, sources] = [functionsOf(servers), sourcesOf(servers)];
    const http = { allowAddresses: ['127.0.0.1'], variables: ['PRIVATE_*'] };
    const ofFile = Object.fromEntries(functions.good.map((document, n) => [`file::${n}`, document]));
    // Those that cannot be reached are tried again and again, and say so in the log.
    const failing = [sources.bad[3], sources.bad[6]];
    const scene = await start(t, { http, functions: ofFile, sources: [...sources.good, ...failing] });
    const { send, said, cli } = scene;
    const refused: string[] = [];
    for (const [n, document] of functions.good.entries())
      assert.equal((await send('PUT', `/v1/functions/rest::${n}`, document)).status, 201);
    for (const [n, document] of functions.bad.entries()) {
      const { status, text } = await send('PUT', `/v1/functions/bad::${n}`, document);
      assert.ok(status >= 400 && status < 500, text);
      refused.push(...said.splice(-2));
    }
    for (const source of sources.good) {
      const again = { ...source, name: `again-${(source as { name: string }).name}` };
      assert.equal((await send('POST', '/v1/sources?dry_run=true', again)).status, 200);
      assert.equal((await send('POST', '/v1/sources', again)).status, 201);
    }
    for (const source of sources.bad) {
      for (const query of ['', '?dry_run=true']) {
        const { status, text } = await send('POST', `/v1/sources${query}`, { ...source, name: 'bad' });
        // A variable that is missing is known when it is needed; then there is a source, of which nothing can be called.
        if (status < 300) await send('DELETE', '/v1/sources/bad');
        else assert.ok(status !== 500, text);
      }
    }
    await call(scene, await ask(t, scene));
    servers.isBroken = true;
    await servers.mcp.stop();
    for (const name of ['pets', 'tools', 'local', 'again-pets', 'bad-4', 'nothing'])
      await send('POST', `/v1/sources/${name}/refresh`);
    await eventually(async () => (await send('GET', '/v1/sources/tools')).text.includes('"failed"'), 20_000);
    await ask(t, scene);
    for (const name of ['again-pets', 'again-local', 'bad-4']) await send('DELETE', `/v1/sources/${name}`);
    await send('DELETE', '/v1/functions/rest::0');
    cli.kill('SIGTERM');
    await cli.exit();
    said.push(...cli.stderr.filter((line) => line.startsWith('{')));
    // What was searched is what there is to see.
    for (const visible of [
      '"fine"',
      'pets::ok',
      'tools::text',
      'local::text',
      'http_request_failed',
      '"failed"',
      '"source":"local"',
    ])
      assert.ok(
        said.some((text) => text.includes(visible)),
        visible,
      );
    const origins = [servers.api, servers.mcp].map(({ url }) => new URL(url).host);
    const secrets = [...PRIVATE, ...origins, '127.0.0.1:1/'];
    assert.deepEqual(found([...secrets, PLACE], said), []);
    assert.deepEqual(found(secrets, refused), []);
  },
);

function found(secrets: readonly string[], texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    const lower = text.toLowerCase();
    return secrets.flatMap((secret) => {
      const at = lower.indexOf(secret.toLowerCase());
      return at === -1 ? [] : [`${secret} in ${text.slice(Math.max(0, at - 150), at + 80)}`];
    });
  });
}

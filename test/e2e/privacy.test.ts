// What is private of functions over HTTP: the hint of their group, where they are, their headers, the variables of their secrets and what is
// in them. Everything that the runtime says to anybody, and to its log, is collected and searched for it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import Fastify from 'fastify';
import type { Runtime } from '../../lib/runtime.ts';
import { greenroomRoutes } from '../../lib/server/index.ts';
import { startGateway } from '../gateway/raw-peer.ts';
import type { GatewayEdge, PeerOptions, RawPeer } from '../gateway/raw-peer.ts';
import { TOKEN } from '../server/support.ts';
import { eventually } from '../support/start-runtime.ts';

/** What must be nowhere, whoever asks. `/private` is the beginning of every path below. */
const PRIVATE = [
  ...[
    'generatedWorker',
    'virtualWorker',
    'hint-detail',
    'untrusted-group',
    'hooked-group',
    'local-group',
    'refused-group',
  ],
  ...['/private', 'private-query', 'private-host', '10.9.8.7', '127.0.0.1:', 'ECONN', 'ENOTFOUND'],
  ...['x-private-name', 'private-header-value', 'x-private-key'],
  ...['PRIVATE_TOKEN', 'PRIVATE_KEY', 'PRIVATE_SECRET', 'PRIVATE_MISSING'],
  ...['token-in-variable', 'key-in-variable', 'secret-in-variable'],
  ...['private-answer', 'invocation"'],
];
/** A key of a bad definition, which its refusal names to the session that wrote it, and to nobody else. */
const PLACE = 'x-private-name';
const ENVIRONMENT = {
  PRIVATE_TOKEN: 'token-in-variable',
  PRIVATE_KEY: 'key-in-variable',
  PRIVATE_SECRET: 'secret-in-variable',
};
const AUTHS = [
  { type: 'bearer', token_key: 'PRIVATE_TOKEN' },
  { type: 'api_key', header: 'x-private-key', value_key: 'PRIVATE_KEY' },
  { type: 'hmac', secret_key: 'PRIVATE_SECRET' },
];
/** What the backend answers, by the last part of the path. */
const ANSWERS: Record<string, [status: number, headers: Record<string, string>, body: string]> = {
  ok: [200, { 'content-type': 'application/json' }, '"fine"'],
  broken: [200, { 'content-type': 'application/json' }, '{"private-answer":'],
  text: [200, { 'content-type': 'text/plain' }, 'private-answer'],
  refused: [403, { 'content-type': 'text/html' }, '<p>private-answer</p>'],
  failed: [500, { 'content-type': 'text/plain' }, 'private-answer'],
  cut: [200, { 'content-type': 'application/json', 'content-length': '99' }, '"private-answer"'],
};

async function startBackend(t: TestContext): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      const [path = ''] = (request.url ?? '').split('?');
      const [status, headers, body] = ANSWERS[path.split('/').at(-1) ?? ''] ?? [404, {}, ''];
      response.writeHead(status, headers);
      if (headers['content-length'] === undefined) response.end(body);
      else response.write(body, () => response.destroy());
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A peer, everything that it is sent, and an answer to whatever it is asked. */
async function listenAs({ connect }: GatewayEdge, said: string[], options?: PeerOptions): Promise<RawPeer> {
  const peer = await connect(options);
  peer.socket.on('message', (data: Buffer) => said.push(data.toString()));
  return peer;
}

/** Registers functions over HTTP, some of them wrongly, from sessions of every kind. Hands back the ids that can be called, and what was refused. */
async function register(
  edge: GatewayEdge,
  said: string[],
  backend: string,
): Promise<{ ids: string[]; refusals: string[] }> {
  const refusals: string[] = [];
  const guard = await listenAs(edge, said);
  // It makes a hint up.
  await guard.serve('hook', () => ({ metadata: { told: 1, iii: { virtualWorker: 'hooked-group' } } }));
  await guard.serve('listener');
  guard.send({
    type: 'registertrigger',
    id: 't',
    trigger_type: 'engine::functions-available',
    function_id: 'listener',
    config: {},
  });
  const bridge = await listenAs(edge, refusals);
  await bridge.call('engine::workers::register', { name: 'bridge', pid: 1 });
  const headers = { 'x-private-name': 'private-header-value' };
  const send = (peer: RawPeer, id: string, invocation: object | undefined, group: unknown): void =>
    peer.send({ type: 'registerfunction', id, invocation, metadata: { iii: { generatedWorker: group }, told: 1 } });
  const hint = { name: 'pets', 'hint-detail': 1 };
  const answers = Object.keys(ANSWERS);
  answers.forEach((answer, n) => {
    const url = `${backend}/private/${answer}?private-query`;
    send(bridge, `pets::${answer}`, { url, headers, auth: AUTHS[n % AUTHS.length] }, hint);
  });
  send(bridge, 'pets::gone', { url: 'http://127.0.0.1:1/private', headers }, hint);
  send(bridge, 'pets::local', undefined, 'local-group');
  const plain = await listenAs(edge, said, { headers: { authorization: 'Bearer plain-token' } });
  send(plain, 'plain::ok', { url: `${backend}/private/ok`, headers, auth: AUTHS[0] }, 'untrusted-group');
  const hooked = await listenAs(edge, said, { path: '/v1/gateway/hooked', headers: { via: 'a proxy' } });
  send(hooked, 'hooked::ok', { url: `${backend}/private/ok`, headers }, 'hooked-group');

  const bad: object[] = [
    { url: 'http://10.9.8.7/private' },
    { url: 'http://private-host.invalid/private' },
    { url: 'private-host' },
    { url: `${backend}/private`, headers: { 'x-private-name': 'private-header-value\n' } },
    { url: `${backend}/private`, headers: { host: 'private-host' } },
    { url: `${backend}/private`, auth: { type: 'bearer', token_key: 'PRIVATE_MISSING' } },
    { url: `${backend}/private`, auth: { type: 'bearer', token_key: 'private-header-value' } },
    { url: `${backend}/private`, method: 'private-header-value' },
  ];
  bad.forEach((invocation, n) => send(bridge, `bad::${n}`, invocation, 'refused-group'));
  await Promise.all([bridge, plain, hooked].map((peer) => peer.fence()));
  assert.equal(refusals.filter((text) => text.includes('registrationrejected')).length, bad.length);
  await eventually(() => said.some((text) => text.includes('functions_changed') && text.includes('pets::ok')));
  const ids = ['pets::gone', 'plain::ok', 'hooked::ok', ...answers.map((answer) => `pets::${answer}`)];
  return { ids, refusals };
}

/** Calls every function, over both ways. Hands back how many calls failed. */
async function call(edge: GatewayEdge, said: string[], ids: string[]): Promise<number> {
  const caller = await listenAs(edge, said);
  let failed = 0;
  for (const id of ids) {
    const { status, text } = await edge.send('POST', `/v1/functions/${id}/invoke`, { body: { a: 1 } });
    said.push(text);
    const { error } = await caller.call(id, { a: 1 });
    if (status !== 200 && error !== undefined) failed++;
  }
  return failed;
}

/** Asks everything that can be asked: each of the runtime's own functions that lists or describes, and each route that only reads. */
async function ask({ runtime, send, connect }: GatewayEdge, said: string[]): Promise<void> {
  const caller = await connect();
  const answer = async (id: string, data: object): Promise<void> => {
    const frame = await caller.call(id, data);
    said.push(JSON.stringify(frame));
  };
  const functionIds = [...runtime.functions.values()].map(({ functionId }) => functionId);
  const workerIds = [...runtime.workers()].map(({ workerId }) => workerId);
  const shown = functionIds.filter((id) => !id.startsWith('engine::'));
  for (const id of functionIds.filter((each) => /^engine::.*::(list|info|get_all)$/.test(each))) {
    await answer(id, { include_internal: true });
    await answer(id, { function_ids: shown });
    for (const name of [...workerIds, 'bridge', 'engine']) await answer(id, { name });
  }
  const values: Record<string, readonly string[]> = { workerId: workerIds, functionId: functionIds };
  for (const route of await readingRoutes(runtime)) {
    const [, name = ''] = /:(\w+)/.exec(route) ?? [];
    for (const value of values[name] ?? ['pets']) {
      const path = route.replace(`:${name}`, encodeURIComponent(value)).replace(/:\w+/g, 'x');
      const { status, text } = await send('GET', path);
      assert.ok(status < 500 || route === '/readyz', `${path}: ${status}`);
      said.push(text);
    }
  }
  for (const query of ['?internal=true&limit=1000', '?worker=pets', '?search=pets'])
    said.push((await send('GET', `/v1/functions${query}`)).text);
}

/** Every route that is read with GET, as the server itself has registered it: one that is added is searched as well. */
async function readingRoutes(runtime: Runtime): Promise<string[]> {
  const routes: string[] = [];
  const app = Fastify();
  app.addHook('onRoute', ({ method, url }) => {
    if ([method].flat().includes('GET') && !url.includes('*')) routes.push(url);
  });
  app.register(greenroomRoutes, { runtime, token: TOKEN });
  await app.ready();
  await app.close();
  return routes;
}

test('nobody is shown what is private of a function over HTTP, in no answer, frame or line of the log', async (t) => {
  const backend = await startBackend(t);
  const edge = await startGateway(t, {
    http: { allowAddresses: ['127.0.0.1'], variables: ['PRIVATE_*'], environment: ENVIRONMENT },
    gateway: {
      credentials: [{ name: 'plain', token: 'plain-token' }],
      listeners: { hooked: { onFunctionRegistrationFunctionId: 'hook', exposeFunctions: ['*'] } },
    },
  });
  const said: string[] = [];
  const { ids, refusals } = await register(edge, said, backend);
  // All but the three that are in order.
  assert.equal(await call(edge, said, ids), ids.length - 3);
  await ask(edge, said);
  for (const peer of [...edge.runtime.workers({ origin: 'group' })]) said.push(JSON.stringify(peer));
  said.push(...edge.log.map((line) => JSON.stringify(line)));
  // What was searched is what there is to see.
  for (const visible of [
    '"pets"',
    'pets::ok',
    '"told":1',
    '"fine"',
    'url_validation_failed',
    'a registration was refused',
  ])
    assert.ok(
      said.some((text) => text.includes(visible)),
      visible,
    );
  assert.deepEqual(found(PRIVATE, said), []);
  assert.deepEqual(
    found(
      PRIVATE.filter((secret) => secret !== PLACE),
      refusals,
    ),
    [],
  );
});

function found(secrets: readonly string[], texts: readonly string[]): string[] {
  return texts.flatMap((text) =>
    secrets
      .filter((secret) => text.toLowerCase().includes(secret.toLowerCase()))
      .map((secret) => `${secret} in ${text.slice(0, 300)}`),
  );
}

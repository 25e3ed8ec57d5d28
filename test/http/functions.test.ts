import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { GreenroomError } from '../../lib/errors.ts';
import { functionView } from '../../lib/functions/registry.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { fakeEgress, sendJson, serveHttp, startFunctions, testOwner } from './setup.ts';

const echo = (seen: { body: string }, response: Parameters<typeof sendJson>[0]) =>
  sendJson(response, JSON.parse(seen.body));

test('a call is a request with the payload as its body and the headers of the runtime', async (t) => {
  const { url, seen } = await serveHttp(t, echo);
  const { register, call } = startFunctions(fakeEgress(t));
  await register('math::add', { url: `${url}/add?a=1` });
  const before = Math.floor(Date.now() / 1_000);
  assert.deepEqual(await call('math::add', { b: 2 }), { b: 2 });
  const [{ method, path, body, headers, raw }] = seen as [(typeof seen)[0]];
  assert.deepEqual([method, path, body], ['POST', '/add?a=1', '{"b":2}']);
  assert.deepEqual(
    raw.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()),
    [
      'host',
      'connection',
      'content-type',
      'x-iii-function-path',
      'x-iii-invocation-id',
      'x-iii-timestamp',
      'content-length',
    ],
  );
  assert.deepEqual([headers['content-type'], headers['x-iii-function-path']], ['application/json', 'math::add']);
  assert.match(String(headers['x-iii-invocation-id']), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const timestamp = Number(headers['x-iii-timestamp']);
  assert.ok(timestamp >= before && timestamp <= Date.now() / 1_000);
});

test('every method has the payload as its body, a GET too', async (t) => {
  const { url, seen } = await serveHttp(t, echo);
  const { register, call } = startFunctions(fakeEgress(t));
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    await register('a::b', { url, method });
    assert.deepEqual(await call('a::b', [method]), [method]);
  }
  assert.deepEqual(
    seen.map(({ method }) => method),
    ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
  );
});

test('headers of a definition take the place of ours, whatever their case, and none is there twice', async (t) => {
  const { url, seen } = await serveHttp(t, echo);
  const { register, call } = startFunctions(fakeEgress(t));
  const headers = {
    'Content-Type': 'application/vnd.own+json',
    'X-III-Timestamp': '7',
    'x-own': 'ü',
    Accept: 'text/*',
  };
  await register('a::b', { url, headers });
  await call('a::b', 1);
  const [{ raw, headers: got }] = seen as [(typeof seen)[0]];
  const names = raw.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(
    [got['content-type'], got['x-iii-timestamp'], got['x-own'], got['accept']],
    ['application/vnd.own+json', '7', 'ü', 'text/*'],
  );
});

test('the id of a function is a header, whatever characters it has', async (t) => {
  const { url, seen } = await serveHttp(t, echo);
  const { register, call } = startFunctions(fakeEgress(t));
  for (const id of ['a b::c', '50%::c', 'größe::ß', 'a::😀']) {
    await register(id, { url });
    await call(id, 1);
  }
  assert.deepEqual(
    seen.map(({ headers }) => headers['x-iii-function-path']),
    ['a b::c', '50%::c', 'gr%C3%B6%C3%9Fe::%C3%9F', 'a::%F0%9F%98%80'],
  );
});

test('the trace goes along, but only one that is valid', async (t) => {
  const { url, seen } = await serveHttp(t, echo);
  const { register, call } = startFunctions(fakeEgress(t));
  await register('a::b', { url });
  const valid = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const given = [
    valid,
    `${valid}\r\nx-evil: 1`,
    'x',
    valid.toUpperCase(),
    valid.replace(/[1-9a-f]/g, '0'),
    `ff${valid.slice(2)}`,
  ];
  for (const traceparent of given) await call('a::b', 1, { traceparent, baggage: 'a=1' });
  assert.deepEqual(
    seen.map(({ headers }) => headers['traceparent']),
    [valid, ...given.slice(1).map(() => undefined)],
  );
  assert.ok(seen.every(({ headers }) => headers['x-evil'] === undefined && headers['baggage'] === undefined));
});

test('who calls is not told, in short payloads and in long ones, however the member is spelt', async (t) => {
  const { url, seen } = await serveHttp(t, (_seen, response) => response.end());
  const { register, functions } = startFunctions(fakeEgress(t));
  await register('a::b', { url });
  const long = 'x'.repeat(100_000);
  const payloads = [
    '{"a":1,"_caller_worker_id":"w-1"}',
    `{"_caller_worker_id":"w-1","a":"${long}"}`,
    `{"a":"${long}" , "_caller\\u005fworker_id" : "w-1" , "b":2}`,
    `{"a":"${long}","_caller_worker_id":{"id":"w-1"}}`,
  ];
  for (const payload of payloads)
    for (const sent of [payload, Buffer.from(payload)])
      await functions.call('a::b', { payload: sent, metadata: null, caller: { workerId: 'w-1' }, timeoutMs: 60_000 });
  for (const { body } of seen) assert.ok(!body.includes('w-1') && !body.includes('caller'), body.slice(-60));
  const keys = seen.map(({ body }) => Object.keys(JSON.parse(body) as object).join());
  assert.deepEqual(keys, ['a', 'a', 'a', 'a', 'a,b', 'a,b', 'a', 'a']);
});

test('bearer, API key and HMAC prove who asks, with what the variables hold at each call', async (t) => {
  const { url, seen } = await serveHttp(t, echo);
  const { register, call, egress } = startFunctions(fakeEgress(t));
  egress.variables.set('TOKEN', 'first').set('KEY', 'k-1').set('SECRET', 's-1');
  await register('a::bearer', { url, auth: { type: 'bearer', token_key: 'TOKEN' }, headers: { Authorization: 'own' } });
  await register('a::key', { url, auth: { type: 'api_key', header: 'X-Api-Key', value_key: 'KEY' } });
  await register('a::hmac', { url, auth: { type: 'hmac', secret_key: 'SECRET' }, headers: { 'x-iii-timestamp': '7' } });
  egress.variables.set('TOKEN', 'second');
  for (const id of ['a::bearer', 'a::key', 'a::hmac']) await call(id, { text: 'ü' });
  const [bearer, key, hmac] = seen.map(({ headers }) => headers);
  assert.equal(bearer?.['authorization'], 'Bearer second');
  assert.equal(key?.['x-api-key'], 'k-1');
  const timestamp = String(hmac?.['x-iii-timestamp']);
  assert.ok(Math.abs(Number(timestamp) - Date.now() / 1_000) < 60);
  const text = `${timestamp}:${Buffer.from('{"text":"ü"}').toString('base64')}`;
  assert.equal(hmac?.['x-iii-signature'], `sha256=${createHmac('sha256', 's-1').update(text).digest('hex')}`);
});

test('a variable that is missing refuses the registration; one that goes missing, or cannot be sent, fails the call', async (t) => {
  const { url, seen } = await serveHttp(t, echo);
  const { register, call, egress, functions } = startFunctions(fakeEgress(t));
  const auths = [
    [{ type: 'bearer', token_key: 'V' }, 'token_not_found'],
    [{ type: 'api_key', header: 'x-key', value_key: 'V' }, 'api_key_not_found'],
    [{ type: 'hmac', secret_key: 'V' }, 'secret_not_found'],
  ] as const;
  for (const [auth, code] of auths) {
    egress.variables.delete('V');
    assert.equal(await codeOf(register('a::b', { url, auth })), code);
    assert.equal(functions.get('a::b'), undefined);
    egress.variables.set('V', 'x');
    await register('a::b', { url, auth });
    egress.variables.delete('V');
    assert.equal(await codeOf(call('a::b', 1)), code);
    if (auth.type !== 'hmac') {
      egress.variables.set('V', 'x\r\nx-evil: 1');
      assert.equal(await codeOf(call('a::b', 1)), code);
    }
    functions.releaseAll(functions.get('a::b')!.owner);
  }
  assert.equal(seen.length, 0);
});

test('headers that frame a message or say whom it is for are refused by name, and so are others that are none', async (t) => {
  const { register, functions } = startFunctions(fakeEgress(t));
  const refused = [
    'Host',
    'Content-Length',
    'connection',
    'Keep-Alive',
    'Proxy-Authorization',
    'proxy-x',
    'TE',
    'Trailer',
  ];
  const others = ['Transfer-Encoding', 'upgrade', 'expect', 'a b', '', 'ü', 'a:b', 'a\r\nb'];
  for (const name of [...refused, ...others]) {
    const headers = { [name]: 'the value' };
    const error = (await register('a::b', { url: 'http://x', headers }).catch(
      (thrown: unknown) => thrown,
    )) as GreenroomError;
    assert.equal(error.code, 'invalid_request', name);
    assert.ok(JSON.stringify(error.toWire()).includes('headers.'), name);
    assert.ok(!JSON.stringify(error.toWire()).includes('the value'));
    const asKey = { type: 'api_key', header: name, value_key: 'V' };
    assert.equal(await codeOf(register('a::b', { url: 'http://x', auth: asKey })), 'invalid_request', name);
  }
  for (const value of ['a\r\nb: c', 'a\0', 'a\nb', '😀', '\x7f'])
    assert.equal(await codeOf(register('a::b', { url: 'http://x', headers: { a: value } })), 'invalid_request', value);
  assert.equal(await codeOf(register('a::b', { url: 'http://x', headers: { A: '1', a: '2' } })), 'invalid_request');
  assert.equal(functions.size, 0);
});

test('headers are bounded in number and bytes', async (t) => {
  const { register } = startFunctions(fakeEgress(t));
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-${n}`, '']));
  const long = (bytes: number) => ({ x: 'v'.repeat(bytes - 1) });
  for (const [headers, outcome] of [
    [many(64), undefined],
    [many(65), 'invalid_request'],
    [long(8_192), undefined],
    [long(8_193), 'invalid_request'],
  ] as const) {
    const registered = codeOf(register('a::b', { url: 'http://x', headers }).then(() => undefined));
    assert.equal(await registered, outcome);
  }
});

test('a definition is refused by key, and never shown', async (t) => {
  const { register } = startFunctions(fakeEgress(t));
  const url = 'http://secret-host/';
  const wrong: [unknown, string][] = [
    [null, ''],
    [[], ''],
    ['x', ''],
    [{}, 'url'],
    [{ url: 1 }, 'url'],
    [{ url: '' }, 'url'],
    [{ url: `http://${'x'.repeat(8_192)}` }, 'url'],
    [{ url, method: 'get' }, 'method'],
    [{ url, method: 'CONNECT' }, 'method'],
    [{ url, timeout_ms: 0 }, 'timeout_ms'],
    [{ url, timeout_ms: 1.5 }, 'timeout_ms'],
    [{ url, headers: { a: 1 } }, 'headers.a'],
    [{ url, auth: { type: 'basic' } }, 'auth.type'],
    [{ url, auth: { type: 'bearer' } }, 'auth.token_key'],
    [{ url, auth: { type: 'bearer', token_key: 'a secret' } }, 'auth.token_key'],
    [{ url, auth: { type: 'bearer', token_key: 'A', token: 'B' } }, 'auth.token'],
    [{ url, trusted_internal: true }, 'trusted_internal'],
  ];
  for (const [invocation, path] of wrong) {
    const error = (await register('a::b', invocation).catch((thrown: unknown) => thrown)) as GreenroomError;
    const issues = error.details?.['issues'] as { path: string }[];
    assert.deepEqual([error.code, issues[0]?.path], ['invalid_request', path]);
    assert.doesNotMatch(JSON.stringify(error.toWire()), /secret/);
  }
});

test('what is left out, or null, has its default', async (t) => {
  const { url, seen } = await serveHttp(t, echo);
  const { register, call } = startFunctions(fakeEgress(t));
  await register('a::b', { url, method: null, timeout_ms: null, headers: null, auth: null });
  await call('a::b', 1);
  assert.equal(seen[0]?.method, 'POST');
});

test("the definition's own time ends a call in its words, its caller's in others", async (t) => {
  const { url } = await serveHttp(t, () => undefined);
  const { register, call } = startFunctions(fakeEgress(t));
  await register('a::b', { url, timeout_ms: 20 });
  assert.equal(await codeOf(call('a::b', 1)), 'http_request_failed');
  await register('a::b', { url });
  assert.equal(await codeOf(call('a::b', 1, { timeoutMs: 20 })), 'timeout');
});

test('nothing of a definition can be seen in the registry', async (t) => {
  const { register, egress, functions } = startFunctions(fakeEgress(t));
  egress.variables.set('VARIABLE_NAME', 'the-token');
  const auth = { type: 'bearer', token_key: 'VARIABLE_NAME' };
  await register('a::b', { url: 'http://private-host/private-path', headers: { 'x-private': 'private-value' }, auth });
  const entry = functions.require('a::b');
  const shown = [
    inspect(entry, { depth: 10, showHidden: true }),
    JSON.stringify(entry),
    JSON.stringify(functionView(entry)),
  ];
  for (const text of shown) assert.doesNotMatch(text, /private|VARIABLE_NAME|the-token/);
});

// --- one step, or none ---

/** How a registration fails, each at another point of it. */
const FAILURES = {
  'a definition that is none': { invocation: () => ({ method: 'POST' }), code: 'invalid_request' },
  'a URL that is refused': { invocation: (url: string) => ({ url: `${url}/refused` }), code: 'url_validation_failed' },
  'a variable that is missing': {
    invocation: (url: string) => ({ url, auth: { type: 'bearer', token_key: 'MISSING' } }),
    code: 'token_not_found',
  },
  'a group that is not to be had': { invocation: (url: string) => ({ url }), group: 'taken', code: 'worker_exists' },
} as const;

for (const [what, failure] of Object.entries(FAILURES)) {
  const { invocation, code } = failure;
  const group = 'group' in failure ? failure.group : undefined;

  test(`${what} leaves nothing of a new function, and its id is free`, async (t) => {
    const { url } = await serveHttp(t, echo);
    const { register, functions, egress } = startFunctions(fakeEgress(t));
    egress.onCheck = refuseMarked;
    assert.equal(await codeOf(register('a::b', invocation(url), group)), code);
    assert.deepEqual([functions.size, functions.list().functions], [0, []]);
    assert.ok(functions.register(testOwner('other'), { functionId: 'a::b', description: null }));
  });

  test(`${what} leaves the function that was there, in its group, and its calls`, async (t) => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const { url, seen } = await serveHttp(t, (one, response) => void gate.then(() => echo(one, response)));
    const { register, functions, call, egress, owner } = startFunctions(fakeEgress(t));
    const entry = await register('a::b', { url }, 'grouped');
    const flying = call('a::b', 'in flight');
    await eventually(() => seen.length === 1);
    egress.onCheck = refuseMarked;
    assert.equal(await codeOf(register('a::b', invocation(url), group)), code);
    assert.equal(functions.get('a::b'), entry);
    assert.equal(functions.list({ worker: 'grouped' }).functions.length, 1);
    release();
    assert.equal(await flying, 'in flight');
    assert.equal(await call('a::b', 'afterwards'), 'afterwards');
    assert.ok(functions.release(owner, 'a::b'));
  });
}

async function refuseMarked(url: string): Promise<void> {
  if (url.endsWith('/refused')) throw GreenroomError.of('url_validation_failed', { details: { rule: 'test' } });
}

test("an id that is another owner's is refused before anything is looked at", async (t) => {
  const { register, functions, egress } = startFunctions(fakeEgress(t));
  let checks = 0;
  egress.onCheck = async () => void checks++;
  functions.register(testOwner('other'), { functionId: 'a::b', description: null });
  assert.equal(await codeOf(register('a::b', { url: 'http://x' })), 'function_exists');
  assert.equal(checks, 0);
  assert.equal(functions.require('a::b').owner.ownerId, 'other');
});

test('nobody else can take an id that is being registered, and its owner can give it up meanwhile', async (t) => {
  const { register, functions, egress, owner } = startFunctions(fakeEgress(t));
  let proceed = (): void => undefined;
  egress.onCheck = () => new Promise((resolve) => (proceed = resolve));
  const registering = register('a::b', { url: 'http://x' });
  assert.throws(() => functions.claim(testOwner('other'), 'a::b'), { code: 'function_exists' });
  assert.equal(functions.get('a::b'), undefined);
  functions.releaseAll(owner);
  proceed();
  assert.equal(await registering, null);
  assert.equal(functions.size, 0);
});

test('a registration that is aborted leaves nothing', async (t) => {
  const { http, owner, functions, egress } = startFunctions(fakeEgress(t));
  egress.onCheck = (_url, signal) =>
    new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(GreenroomError.of('cancelled'))));
  const aborting = new AbortController();
  const spec = { functionId: 'a::b', description: null };
  const registering = http.register({ owner, spec, invocation: { url: 'http://x' }, reach: 'public' }, aborting.signal);
  aborting.abort();
  assert.equal(await codeOf(registering), 'cancelled');
  assert.ok(functions.register(testOwner('other'), spec));
});

test('calls that are under way end on the definition they began with, and the next ones go to the new one', async (t) => {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const old = await serveHttp(t, (_seen, response) => void gate.then(() => sendJson(response, 'old')));
  const next = await serveHttp(t, (_seen, response) => sendJson(response, 'new'));
  const { register, call } = startFunctions(fakeEgress(t));
  await register('a::b', { url: old.url });
  const flying = call('a::b', 1);
  await eventually(() => old.seen.length === 1);
  await register('a::b', { url: next.url });
  assert.equal(await call('a::b', 1), 'new');
  release();
  assert.equal(await flying, 'old');
});

test('a function without a group is its owner’s; moving it moves it at once', async (t) => {
  const { register, functions } = startFunctions(fakeEgress(t));
  const workerOf = () => functions.list().functions.map(({ workerId, origin }) => `${origin} ${workerId}`);
  await register('a::b', { url: 'http://x' });
  assert.deepEqual(workerOf(), ['remote owner']);
  await register('a::b', { url: 'http://x' }, 'one');
  assert.deepEqual(workerOf(), ['group one']);
  await register('a::b', { url: 'http://x' }, 'two');
  assert.deepEqual(workerOf(), ['group two']);
});

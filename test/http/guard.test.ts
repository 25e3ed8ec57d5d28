// Functions over HTTP behind the real guard: what may be reached is judged when they are registered, and again at each call.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { EgressOptions } from '../../lib/egress/egress.ts';
import type { Guard } from '../../lib/egress/guard.ts';
import type { Lookup } from '../../lib/egress/lookups.ts';
import type { HttpAnswer } from '../../lib/http/exchange.ts';
import { UndiciClient } from '../../lib/http/client.ts';
import { resolveLimits } from '../../lib/limits.ts';
import { guardOf } from '../egress/setup.ts';
import { temporaryFolder } from '../support/start-runtime.ts';
import { get, LONG_MS, rejection, sendJson, serveHttp, startFunctions } from './setup.ts';

const limits = resolveLimits();
const WAIT = { timeoutMs: LONG_MS };
const LOOPBACK: EgressOptions = { allowAddresses: ['127.0.0.0/8'] };

const start = (t: TestContext, options: EgressOptions, tools?: Parameters<typeof guardOf>[2]) =>
  startFunctions(guardOf(t, options, tools));

test('a name that leads elsewhere when it is called is refused then, without another attempt', async (t) => {
  const { url, seen } = await serveHttp(t, (_seen, response) => sendJson(response, 1));
  let address = '93.184.216.34';
  let lookups = 0;
  const lookup: Lookup = (_host, _options, callback) => {
    lookups++;
    process.nextTick(callback, null, [{ address, family: 4 }]);
  };
  const { register, call } = start(t, {}, { lookup });
  const { port } = new URL(url);
  await register('a::b', { url: `http://rebound.test:${port}/`, method: 'GET' });
  address = '127.0.0.1';
  lookups = 0;
  const error = await rejection(call('a::b', 1));
  assert.equal(error.code, 'url_validation_failed');
  assert.ok(!JSON.stringify(error.toWire()).includes('127.0.0.1'));
  assert.deepEqual([seen.length, lookups], [0, 1]);
});

test('a redirect to the address of the metadata of a cloud is the end of the call, not another request', async (t) => {
  const { url, seen } = await serveHttp(t, (_seen, response) =>
    response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end('elsewhere'),
  );
  const { register, call } = start(t, LOOPBACK);
  await register('a::b', { url });
  assert.equal(await call('a::b', 1), null);
  assert.equal(seen.length, 1);
});

test('a document is only got from where requests may go', async (t) => {
  const { url } = await serveHttp(t, (_seen, response) => sendJson(response, { openapi: '3.1.0' }));
  const document = ({ egress }: { egress: Guard }): Promise<HttpAnswer> =>
    new UndiciClient({ egress, limits }).fetchDocument(url, 1_000, WAIT);
  assert.equal((await document(start(t, LOOPBACK))).body.toString(), '{"openapi":"3.1.0"}');
  assert.equal((await rejection(document(start(t, {})))).code, 'url_validation_failed');
});

test('a server whose certificate nobody vouches for is not spoken to', async (t) => {
  const folder = temporaryFolder(t);
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...key, ...names, '-days', '1'], { stdio: 'pipe' });
  const cert = readFileSync(join(folder, 'cert'), 'utf8');
  let requests = 0;
  const server = createServer({ key: readFileSync(join(folder, 'key')), cert }, (_request, response) => {
    requests++;
    response.end('"secured"');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const refused = await rejection(start(t, LOOPBACK).client.exchange({ inFlight: 0 }, get(url), WAIT));
  assert.deepEqual([refused.code, refused.details, requests], ['http_request_failed', { reason: 'tls' }, 0]);
  const { client } = start(t, { ...LOOPBACK, ca: cert });
  assert.equal((await client.exchange({ inFlight: 0 }, get(url), WAIT)).body.toString(), '"secured"');
});

test('a function may be called on this machine where its registration may reach it, and only there', async (t) => {
  const { url } = await serveHttp(t, (_seen, response) => sendJson(response, 'here'));
  const { http, owner, call } = start(t, {});
  const spec = { functionId: 'a::b', description: null };
  const invocation = { url };
  const far = http.register({ owner, spec, invocation, reach: 'public' });
  assert.equal((await rejection(far)).code, 'url_validation_failed');
  await http.register({ owner, spec, invocation, reach: 'loopback' });
  assert.equal(await call('a::b', 1), 'here');
});

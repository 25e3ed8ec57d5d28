// Which connections are made, on real sockets: by the address that is connected to, whatever was checked before, and whoever asks.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { fetch, request } from 'undici';
import type { Lookup } from '../../lib/egress/lookups.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { get, guardOf, resolverOf, serve, verdictOf } from './setup.ts';

/** Answers in turn; the last answer stays. */
function changing(...answers: string[][]): Lookup {
  return (_host, _options, callback) => {
    const addresses = (answers.length > 1 ? answers.shift() : answers[0]) ?? [];
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    process.nextTick(callback, null, found);
  };
}

describe('a name that leads elsewhere once it has been checked', () => {
  test('gets no connection', async (t) => {
    const [good, bad] = [await serve(t, {}), await serve(t, { host: '127.0.0.2' })];
    const guard = guardOf(t, { allowAddresses: ['127.0.0.1'] }, { lookup: changing(['127.0.0.1'], ['127.0.0.2']) });
    const url = `http://rebind.example:${bad.port}/`;
    assert.equal(await verdictOf(guard.check(url, 'public')), 'rebind.example');
    assert.equal(await get(guard, url), 'address_not_allowed');
    assert.deepEqual([good.connections, bad.connections], [0, 0]);
  });

  test('gets none for its second address either', async (t) => {
    const bad = await serve(t, { host: '127.0.0.2' });
    const guard = guardOf(
      t,
      { allowAddresses: ['127.0.0.1'] },
      { lookup: changing(['127.0.0.1', '127.0.0.2'], ['127.0.0.2', '127.0.0.1']) },
    );
    // At 127.0.0.1 nobody listens on this port: the second address would be next.
    for (let round = 0; round < 2; round++)
      assert.equal(await get(guard, `http://two.example:${bad.port}/`), 'address_not_allowed');
    assert.equal(bad.connections, 0);
  });

  test('is asked again for the next connection, and for none on one that is open', async (t) => {
    const good = await serve(t, {});
    const guard = guardOf(t, { allowAddresses: ['127.0.0.1'] }, { lookup: changing(['127.0.0.1'], ['127.0.0.2']) });
    const url = `http://rebind.example:${good.port}/`;
    assert.equal(await get(guard, url), 'hello');
    assert.equal(await get(guard, url), 'hello');
    assert.equal(good.connections, 1);
    const dispatcher = await guard.dispatcher(new URL(url), 'public');
    const disconnected = once(dispatcher, 'disconnect');
    good.server.closeAllConnections();
    await disconnected;
    assert.equal(await get(guard, url), 'address_not_allowed');
    assert.equal(good.connections, 1);
  });

  test('`localhost` gets none that leaves this machine', async (t) => {
    const server = await serve(t, { host: '127.0.0.1' });
    const lookup = changing(['127.0.0.1'], ['192.0.2.1']);
    const guard = guardOf(t, { allowAddresses: ['192.0.2.0/24'] }, { lookup });
    const url = `http://localhost:${server.port}/`;
    assert.equal(await verdictOf(guard.check(url, 'loopback')), 'localhost');
    assert.equal(await get(guard, url, 'loopback'), 'loopback_only');
    assert.equal(server.connections, 0);
  });
});

test('the next address of a name is tried when nobody answers at the first', async (t) => {
  const server = await serve(t, { host: '127.0.0.2' });
  const lookup = resolverOf({ 'two.example': ['::1', '127.0.0.1', '127.0.0.2'] });
  const guard = guardOf(t, { allowAddresses: ['127.0.0.0/8', '::1'] }, { lookup });
  assert.equal(await get(guard, `http://two.example:${server.port}/`), 'hello');
});

test('a connection that fails says how, and not which addresses were tried', async (t) => {
  const { port, server } = await serve(t, {});
  server.close();
  await once(server, 'close');
  for (const addresses of [['127.0.0.1'], ['127.0.0.1', '127.0.0.2'], ['127.0.0.1', '::1']]) {
    const guard = guardOf(
      t,
      { allowAddresses: ['127.0.0.0/8', '::1'] },
      { lookup: resolverOf({ 'a.example': addresses }) },
    );
    const url = new URL(`http://a.example:${port}/`);
    const dispatcher = await guard.dispatcher(url, 'public');
    const thrown = await request(url, { dispatcher }).catch((error: unknown) => error);
    assert.equal((thrown as { code?: string }).code, 'ECONNREFUSED');
    assert.doesNotMatch(inspect(thrown, { depth: null, showHidden: true }), /127\.0\.0|::1/);
  }
});

test('a name that cannot be looked up is a failed connection, not a refusal', async (t) => {
  const guard = guardOf(t, {}, { lookup: resolverOf({}) });
  assert.equal(await get(guard, 'http://gone.example/'), 'ENOTFOUND');
});

describe('a trusted registration reaches this machine', () => {
  const forms = ['localhost', 'LOCALHOST', '127.0.0.1', '127.1', '2130706433', '0x7f.1', '0177.1', '１２７.0.0.1'];
  for (const host of forms) {
    test(`as ${host}, and no other registration does`, async (t) => {
      const server = await serve(t, {});
      const guard = guardOf(t, {}, { lookup: resolverOf({ localhost: ['127.0.0.1'] }) });
      const url = `http://${host}:${server.port}/`;
      assert.equal(await get(guard, url, 'public'), 'address_not_allowed');
      assert.equal(server.connections, 0);
      assert.equal(await get(guard, url, 'loopback'), 'hello');
    });
  }

  test('as [::1], and with the resolver of the system', async (t) => {
    const server = await serve(t, { host: '::1' });
    const guard = guardOf(t);
    assert.equal(await get(guard, `http://[::1]:${server.port}/`, 'public'), 'address_not_allowed');
    assert.equal(await get(guard, `http://[::1]:${server.port}/`, 'loopback'), 'hello');
    const ipv4 = await serve(t, {});
    assert.equal(await get(guard, `http://localhost:${ipv4.port}/`, 'public'), 'address_not_allowed');
    assert.equal(await get(guard, `http://localhost:${ipv4.port}/`, 'loopback'), 'hello');
  });

  test('but not by https, nor by another name or form', async (t) => {
    const server = await serve(t, {});
    const guard = guardOf(t, {}, { lookup: resolverOf({ 'localhost.': ['127.0.0.1'], 'a.localhost': ['127.0.0.1'] }) });
    for (const origin of ['https://127.0.0.1', 'http://[::ffff:127.0.0.1]', 'http://localhost.', 'http://a.localhost'])
      assert.equal(await get(guard, `${origin}:${server.port}/`, 'loopback'), 'address_not_allowed', origin);
    assert.equal(server.connections, 0);
  });
});

describe('an agent that is used for another URL than it was taken for', () => {
  test('goes by the rules of its own reach', async (t) => {
    const here = await serve(t, {});
    const there = await serve(t, { host: '127.0.0.2' });
    const names = { localhost: ['127.0.0.1'], 'a.example': ['127.0.0.2'], 'b.example': ['127.0.0.1'] };
    const guard = guardOf(
      t,
      { allowAddresses: ['127.0.0.2'], allowHosts: ['*.example', '127.0.0.*'] },
      { lookup: resolverOf(names) },
    );
    const open = `http://a.example:${there.port}/`;
    const local = `http://localhost:${here.port}/`;
    assert.equal(await get(guard, open), 'hello');
    assert.equal(await get(guard, local, 'loopback'), 'hello');
    const before = [here.connections, there.connections];

    assert.equal(await get(guard, open, 'public', local), 'host_not_allowed');
    assert.equal(await get(guard, open, 'public', `http://127.0.0.1:${here.port}/`), 'address_not_allowed');
    assert.equal(await get(guard, open, 'public', `http://b.example:${here.port}/`), 'address_not_allowed');
    assert.equal(await get(guard, local, 'loopback', open), 'loopback_only');
    assert.equal(await get(guard, local, 'loopback', `http://127.0.0.2.:${there.port}/x`), 'hello');
    assert.deepEqual([here.connections, there.connections], [before[0], Number(before[1]) + 1]);
  });

  test('follows no redirect; where somebody else follows one, the rules hold', async (t) => {
    const inside = await serve(t, { host: '127.0.0.2' });
    const targets = [
      `http://127.0.0.2:${inside.port}/`,
      'http://169.254.169.254/latest',
      `http://in.example:${inside.port}/`,
    ];
    const server = await serve(t, {
      onRequest: (incoming, response) =>
        void response.writeHead(302, { location: targets[Number(incoming.url?.slice(1))] }).end(),
    });
    const lookup = resolverOf({ 'in.example': ['127.0.0.2'] });
    const guard = guardOf(t, { allowAddresses: ['127.0.0.1'] }, { lookup });
    for (const index of targets.keys()) {
      const url = new URL(`http://127.0.0.1:${server.port}/${index}`);
      const dispatcher = await guard.dispatcher(url, 'public');
      const { statusCode, body } = await request(url, { dispatcher });
      await body.dump();
      assert.equal(statusCode, 302);
      const thrown = await fetch(url, { dispatcher }).catch((error: unknown) => error);
      const { cause } = thrown as { cause?: { details?: unknown } };
      assert.deepEqual(cause?.details, { rule: 'address_not_allowed' });
    }
    assert.equal(inside.connections, 0);
  });

  test('opens no socket of the file system', async (t) => {
    const guard = guardOf(t, { allowAddresses: ['127.0.0.1'] });
    const dispatcher = await guard.dispatcher(new URL('http://127.0.0.1/'), 'public');
    const given = { dispatcher, socketPath: '/var/run/docker.sock' };
    const server = await serve(t, {});
    const { body } = await request(`http://127.0.0.1:${server.port}/`, given);
    assert.equal(await body.text(), 'hello');
  });
});

describe('the connections to one origin', () => {
  test('are kept and used again, and end with the guard', async (t) => {
    const server = await serve(t, {});
    const guard = guardOf(t, { allowAddresses: ['127.0.0.1'] });
    const url = `http://127.0.0.1:${server.port}/`;
    for (let round = 0; round < 3; round++) assert.equal(await get(guard, url), 'hello');
    assert.equal(server.connections, 1);
    const connections = () =>
      new Promise((resolve, reject) =>
        server.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
      );
    assert.equal(await connections(), 1);
    server.server.close();
    const closed = once(server.server, 'close');
    await guard.close();
    await closed;
    assert.equal(await get(guard, url), 'runtime_unavailable');
    await guard.close();
  });

  test('in use when the guard is closed are settled', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const connected = once(server, 'connection');
    const guard = guardOf(t, { allowAddresses: ['127.0.0.1'] });
    const pending = get(guard, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await connected;
    await guard.close();
    assert.equal(await pending, 'UND_ERR_DESTROYED');
  });

  test('are none for a guard that is closed while its agent is loaded', async (t) => {
    const server = await serve(t, {});
    const guard = guardOf(t, { allowAddresses: ['127.0.0.1'] });
    const url = new URL(`http://127.0.0.1:${server.port}/`);
    const loading = Promise.resolve(guard.dispatcher(url, 'public'));
    await guard.close();
    assert.equal(await codeOf(loading.then((dispatcher) => request(url, { dispatcher }))), 'UND_ERR_DESTROYED');
    assert.equal(server.connections, 0);
  });

  test('are to as many origins at a time as the bound says', async (t) => {
    const paused: ServerResponse[] = [];
    const server = await serve(t, { host: '0.0.0.0', onRequest: (_request, response) => void paused.push(response) });
    const guard = guardOf(t, { allowAddresses: ['127.0.0.0/8'] });
    const urlOf = (index: number) => `http://127.1.${index >> 8}.${index & 255}:${server.port}/`;
    const answers = Array.from({ length: 1_024 }, (_, index) => get(guard, urlOf(index)));
    await eventually(() => paused.length === answers.length);
    assert.equal(await get(guard, urlOf(1_024)), 'UND_ERR_MAX_ORIGINS_REACHED');
    for (const response of paused) response.setHeader('connection', 'close').end('done');
    assert.deepEqual(new Set(await Promise.all(answers)), new Set(['done']));
    server.server.on('request', (_request, response: ServerResponse) => response.end());
    await eventually(async () => (await get(guard, urlOf(1_024))) === '');
  });
});

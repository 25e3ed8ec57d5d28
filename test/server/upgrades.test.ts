// Upgrades on the same listener as REST: what is not for the gateway is answered as if it had not asked, and no request, however it is
// made, gets a connection out of reach of the server's clocks and of its close.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Fastify from 'fastify';
import { HANDSHAKE_TIMEOUT_MS } from '../../lib/gateway/bounds.ts';
import { HEADERS_TIMEOUT_MS, TIMEOUT_CHECK_MS } from '../../lib/server/bounds.ts';
import { answerMalformed } from '../../lib/server/errors.ts';
import { greenroomRoutes } from '../../lib/server/index.ts';
import { eventually } from '../support/start-runtime.ts';
import { RawPeer, startGateway } from '../gateway/raw-peer.ts';
import { head, startRuntime, TOKEN } from './support.ts';

const KEY = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==';
const WEBSOCKET = ['connection: keep-alive, Upgrade', 'upgrade: websocket', 'sec-websocket-version: 13', KEY];
/** What Java's HttpClient and `curl --http2` send with every request. */
const H2C = ['connection: Upgrade, HTTP2-Settings', 'upgrade: h2c', 'http2-settings: AAMAAABkAAQAAP__'];
const JSON_TYPE = 'content-type: application/json';
const CREATE = '{"kind":"echo","worker_id":"e1"}';
const LENGTH = `content-length: ${CREATE.length}`;
const withoutToken = (request: string): string => request.replace(/authorization.*\r\n/, '');

/** A connection that says what it is told and keeps what comes back. */
class RawConnection {
  readonly socket: Socket;
  received = '';

  constructor(t: TestContext, port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
    this.socket.on('error', () => undefined);
    t.after(() => this.socket.destroy());
  }

  /** The status lines of the answers, once there are as many. */
  statuses(count: number): Promise<number[]> {
    return eventually(() => {
      const found = [...this.received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      return found.length >= count && found;
    });
  }
}

describe('an upgrade that is not for the gateway', () => {
  const cases: [string, string, number][] = [
    ['a WebSocket on a REST route', head('GET', '/v1/runtime', ...WEBSOCKET), 200],
    ['without a credential', withoutToken(head('GET', '/v1/runtime', ...WEBSOCKET)), 401],
    ['on an unknown path', head('GET', '/v1/nothing', ...WEBSOCKET), 404],
    ['on a path that only begins like ours', head('GET', '/v1/gateways', ...WEBSOCKET), 404],
    ['on a path that cannot be decoded', head('GET', '/%zz', ...WEBSOCKET), 400],
    ['a POST with a body', head('POST', '/v1/workers', ...WEBSOCKET, JSON_TYPE, LENGTH) + CREATE, 201],
    ['HTTP/2 on a REST route', head('GET', '/v1/runtime', ...H2C), 200],
    ['HTTP/2 with a body', head('POST', '/v1/workers', ...H2C, JSON_TYPE, LENGTH) + CREATE, 201],
    ['HTTP/2 on the path of the gateway', head('GET', '/v1/gateway', ...H2C), 426],
    ['a POST on the path of the gateway', head('POST', '/v1/gateway', ...WEBSOCKET), 405],
    ['a HEAD on the path of the gateway', head('HEAD', '/v1/gateway', ...WEBSOCKET), 426],
    ['a WebSocket with a body', `${head('GET', '/v1/gateway', ...WEBSOCKET, 'content-length: 5')}hello`, 426],
  ];

  for (const [what, request, status] of cases) {
    test(`${what}: is answered with ${status} as if it had not asked, and its connection serves on`, async (t) => {
      const { port } = await startGateway(t);
      const connection = new RawConnection(t, port);
      connection.socket.write(request);
      assert.deepEqual(await connection.statuses(1), [status]);
      connection.socket.write(head('GET', '/livez'));
      assert.deepEqual(await connection.statuses(2), [status, 200]);
    });
  }

  test('a WebSocket of HTTP/1.0, or with a body in chunks, is refused', async (t) => {
    const { port } = await startGateway(t);
    const old = head('GET', '/v1/gateway', ...WEBSOCKET).replace('HTTP/1.1', 'HTTP/1.0');
    const chunked = `${head('GET', '/v1/gateway', ...WEBSOCKET, 'transfer-encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`;
    for (const request of [old, chunked]) {
      const connection = new RawConnection(t, port);
      connection.socket.write(request);
      assert.deepEqual(await connection.statuses(1), [426]);
    }
  });

  test('a body that comes piece by piece after it is read to its end', async (t) => {
    const { port } = await startGateway(t);
    const connection = new RawConnection(t, port);
    connection.socket.write(head('POST', '/v1/workers', ...H2C, JSON_TYPE, LENGTH));
    for (const piece of CREATE) {
      await new Promise((resolve) => connection.socket.write(piece, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await connection.statuses(1), [201]);
  });

  test('header values are put back as they came: repeated, empty, and with bytes that are no ASCII', async (t) => {
    const { port } = await startGateway(t);
    const connection = new RawConnection(t, port);
    const odd = ['x-empty:', 'x-twice: a', 'x-twice: b', 'x-latin: caf\u00e9'];
    connection.socket.write(Buffer.from(head('GET', '/v1/runtime', ...odd, ...H2C), 'latin1'));
    assert.deepEqual(await connection.statuses(1), [200]);
  });

  test('may come again and again on one connection, and leaves nothing behind on it', async (t) => {
    const { port } = await startGateway(t);
    const warnings: Error[] = [];
    const keep = (warning: Error): void => void warnings.push(warning);
    process.on('warning', keep);
    t.after(() => process.off('warning', keep));
    const connection = new RawConnection(t, port);
    for (let sent = 1; sent <= 30; sent++) {
      connection.socket.write(head('GET', '/livez', ...H2C));
      await connection.statuses(sent);
    }
    // All at once: the answers keep the order of the requests.
    const paths = Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? '/v1/x' : '/livez'));
    connection.socket.write(paths.map((path) => head('GET', path, ...H2C)).join(''));
    const statuses = await connection.statuses(60);
    assert.deepEqual(
      statuses.slice(30),
      paths.map((path) => (path === '/livez' ? 200 : 404)),
    );
    assert.deepEqual(warnings, []);
  });

  test('is left to somebody else in the same app who waits for upgrades', async (t) => {
    const runtime = await startRuntime(t);
    const app = Fastify();
    await app.register(greenroomRoutes, { runtime, token: TOKEN, gateway: {} });
    app.server.on('upgrade', (request, socket) => {
      if (request.url === '/theirs') socket.end('HTTP/1.1 418 Mine\r\n\r\n');
    });
    const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port);
    t.after(() => app.close());
    const connection = new RawConnection(t, port);
    connection.socket.write(head('GET', '/theirs', ...WEBSOCKET));
    assert.deepEqual(await connection.statuses(1), [418]);
    await new RawPeer(port).ready.then(() => app.close());
  });
});

describe('an upgrade for the gateway', () => {
  const refusals: [string, string, number][] = [
    ['without a credential', withoutToken(head('GET', '/v1/gateway', ...WEBSOCKET)), 401],
    ['on an unknown path below ours', head('GET', '/v1/gateway/nothing/here', ...WEBSOCKET), 404],
    ['without a key', head('GET', '/v1/gateway', 'connection: Upgrade', 'upgrade: websocket'), 400],
    ['on a path that cannot be decoded', head('GET', '/v1/gateway/%zz', ...WEBSOCKET), 400],
  ];

  for (const [what, request, status] of refusals) {
    test(`${what}: is refused with ${status}, and its connection ends`, async (t) => {
      const { port } = await startGateway(t);
      const connection = new RawConnection(t, port);
      connection.socket.write(request);
      await once(connection.socket, 'close');
      assert.deepEqual(await connection.statuses(1), [status]);
    });
  }

  test('may follow other requests on its connection, answered or not', async (t) => {
    const { port } = await startGateway(t);
    for (const chunks of [
      [head('GET', '/livez'), head('GET', '/v1/gateway', ...WEBSOCKET)],
      [head('GET', '/livez') + head('GET', '/v1/nothing') + head('GET', '/v1/gateway', ...WEBSOCKET)],
    ]) {
      const connection = new RawConnection(t, port);
      for (const chunk of chunks) connection.socket.write(chunk);
      await eventually(() => connection.received.includes('"workerregistered"'));
      assert.match(connection.received, /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 101 /);
    }
  });

  test('may bring frames with it, which are handled in their order once the session is there', async (t) => {
    const { port } = await startGateway(t);
    const connection = new RawConnection(t, port);
    const ping = '{"type":"ping"}';
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | ping.length, 0, 0, 0, 0]), Buffer.from(ping)]);
    connection.socket.write(Buffer.concat([Buffer.from(head('GET', '/v1/gateway', ...WEBSOCKET)), frame, frame]));
    await eventually(() => connection.received.split('"pong"').length === 3);
    assert.ok(connection.received.indexOf('"workerregistered"') < connection.received.indexOf('"pong"'));
  });

  test('that never ends is cut: the clock of the headers runs for it as for every request', async (t) => {
    const runtime = await startRuntime(t);
    const app = Fastify({
      http: { headersTimeout: 100, connectionsCheckingInterval: 20 },
      clientErrorHandler: answerMalformed,
    });
    await app.register(greenroomRoutes, { runtime, token: TOKEN, gateway: {} });
    const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port);
    t.after(() => app.close());
    const unfinished = head('GET', '/v1/gateway', ...WEBSOCKET).slice(0, -2);
    // Nothing at all, a request without its end, and one whose wish has been put back before.
    for (const text of ['', unfinished, head('GET', '/livez', ...H2C) + unfinished]) {
      const connection = new RawConnection(t, port);
      connection.socket.write(text);
      await once(connection.socket, 'close');
      assert.match(connection.received, /HTTP\/1\.1 408 /);
    }
    assert.equal(runtime.peers.size, 0);
    assert.ok(HEADERS_TIMEOUT_MS + TIMEOUT_CHECK_MS <= HANDSHAKE_TIMEOUT_MS);
  });
});

test('the close of the server ends what was ever upgraded, put back or refused, and waits for none of it', async (t) => {
  const { port, server } = await startGateway(t);
  const requests = [
    head('GET', '/v1/runtime', ...WEBSOCKET),
    head('GET', '/livez', ...H2C),
    head('GET', '/v1/gateway', ...WEBSOCKET),
    withoutToken(head('GET', '/v1/gateway', ...WEBSOCKET)),
  ];
  const connections = requests.map((request) => {
    const connection = new RawConnection(t, port);
    connection.socket.write(request);
    return connection;
  });
  for (const connection of connections) await connection.statuses(1);
  await server.close();
  await eventually(() => connections.every(({ socket }) => socket.destroyed));
});

test('the request of an upgraded connection is let go while the connection lives on', async (t) => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const app = Fastify();
  t.after(() => app.close());
  let request: WeakRef<object> | undefined;
  app.server.on('upgrade', (incoming: object) => (request = new WeakRef(incoming)));
  await app.register(greenroomRoutes, { runtime: await startRuntime(t), token: TOKEN, gateway: {} });
  await app.listen({ host: '127.0.0.1', port: 0 });

  const connection = new RawConnection(t, (app.server.address() as AddressInfo).port);
  connection.socket.write(head('GET', '/v1/gateway', ...WEBSOCKET));
  assert.deepEqual(await connection.statuses(1), [101]);
  assert.ok(request !== undefined);
  await eventually(() => {
    collectGarbage();
    return request?.deref() === undefined;
  });
  assert.equal(connection.socket.destroyed, false);
});

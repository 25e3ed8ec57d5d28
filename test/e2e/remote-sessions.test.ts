// Conformance: how a worker with the published SDK is let in and listed, how it comes back, and how it goes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { EngineFunctions } from 'iii-sdk/engine';
import { WebSocket } from 'ws';
import { connectRemote } from '../../lib/remote/index.ts';
import { startServer } from '../../lib/server/index.ts';
import { Cli, started } from '../cli/harness.ts';
import { TOKEN } from '../server/support.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { addressOf, gated, startCable, startScene } from './sdk.ts';
import type { Scene } from './sdk.ts';

interface Row {
  worker_id: string;
  origin: string;
  display_name: string | null;
  status: string;
  functions: number;
  in_flight: number;
  disconnect_reason: string | null;
  runtime: string | null;
  version: string | null;
}

/** The remotes in the REST listing, by name. */
async function remotesOf({ send }: Scene): Promise<Map<string | null, Row>> {
  const { json } = await send('GET', '/v1/workers');
  const rows = json.workers as unknown as Row[];
  return new Map(rows.filter(({ origin }) => origin === 'remote').map((row) => [row.display_name, row]));
}

describe('a worker that connects', () => {
  test('is listed with what it says of itself, over the protocol and over REST', async (t) => {
    const scene = await startScene(t);
    const { sdk, call } = await scene.worker('shop', { workerDescription: 'Sells.\u202e\u0007' });
    const schema = { type: 'object', properties: { n: { type: 'number' } } } as const;
    sdk.registerFunction('shop::buy', async () => 1, {
      description: 'Buys.',
      request_format: schema,
      response_format: { type: 'number' },
      metadata: { public: true },
    });
    const info = await call<{ worker: Record<string, unknown>; functions: unknown[] }>(EngineFunctions.INFO_WORKERS, {
      name: 'shop',
    });
    const { worker } = info;
    assert.deepEqual(
      [worker['name'], worker['description'], worker['runtime'], worker['version'], worker['status'], worker['pid']],
      ['shop', 'Sells.', 'node', '0.22.1', 'connected', process.pid],
    );
    assert.deepEqual([worker['function_count'], worker['internal'], worker['active_invocations']], [1, false, 1]);
    const row = { function_id: 'shop::buy', worker_name: 'shop', description: 'Buys.', metadata: { public: true } };
    assert.deepEqual(info.functions, [row]);
    assert.deepEqual(await call(EngineFunctions.LIST_FUNCTIONS), { functions: [row] });
    assert.deepEqual(await call(EngineFunctions.INFO_FUNCTIONS, { function_id: 'shop::buy' }), {
      ...row,
      request_schema: schema,
      response_schema: { type: 'number' },
      registered_triggers: [],
    });
    const listed = (await remotesOf(scene)).get('shop');
    assert.deepEqual(
      [
        listed?.worker_id,
        listed?.status,
        listed?.functions,
        listed?.runtime,
        listed?.version,
        listed?.disconnect_reason,
      ],
      [worker['id'], 'connected', 1, 'node', '0.22.1', null],
    );
    const { json } = await scene.send('GET', '/v1/functions');
    const { functions } = json as unknown as {
      functions: { function_id: string; worker_id: string; origin: string }[];
    };
    assert.deepEqual(
      functions
        .filter(({ origin }) => origin === 'remote')
        .map(({ function_id, worker_id }) => [function_id, worker_id]),
      [['shop::buy', worker['id']]],
    );
  });

  test('is called over REST, and by the runtime that is embedded', async (t) => {
    const { worker, send, runtime } = await startScene(t);
    const { sdk, settled } = await worker('shop');
    sdk.registerFunction('shop::double', async ({ n }: { n: number }) => ({ n: 2 * n }));
    await settled();
    const { status, text } = await send('POST', '/v1/functions/shop::double/invoke', { body: { n: 21 } });
    assert.equal(status, 200);
    assert.match(text, /\{"n":42\}/);
    assert.deepEqual(await runtime.invoke('shop::double', { n: 4 }), { n: 8 });
  });

  test('is refused with 401 before the upgrade without the token, and goes on trying', async (t) => {
    const { address, runtime } = await startScene(t);
    for (const authorization of [undefined, 'Bearer wrong', 'Basic x']) {
      const socket = new WebSocket(address, { headers: authorization === undefined ? {} : { authorization } });
      const status = await new Promise((resolve) => {
        socket.on('unexpected-response', (request, response) => {
          resolve(response.statusCode);
          request.destroy();
        });
        socket.on('error', () => undefined);
      });
      assert.equal(status, 401, String(authorization));
    }
    const remote = connectRemote(address, { token: 'wrong' });
    t.after(() => remote.shutdown());
    assert.equal(await codeOf(remote.ready()), 'unauthorized');
    assert.equal(runtime.peers.size, 0);
  });

  test('finds no gateway where it is turned off', async (t) => {
    const cli = new Cli(t, started('--gateway=off'));
    const { url, token_file: tokenFile } = await cli.ready();
    const token = readFileSync(tokenFile, 'utf8').trim();
    const remote = connectRemote(addressOf(Number(new URL(url).port)), { token });
    t.after(() => remote.shutdown());
    assert.equal(await codeOf(remote.ready()), 'route_not_found');
  });
});

describe('a worker whose connection is cut', () => {
  test('comes back under the same name with its functions, its calls in flight are told, and the next ones succeed', async (t) => {
    const scene = await startScene(t);
    const cable = await startCable(t, scene.port);
    const [callee, caller] = await Promise.all([
      scene.worker('callee', { address: cable.address }),
      scene.worker('caller'),
    ]);
    const { handler, called, open } = gated<string>();
    callee.sdk.registerFunction('callee::slow', handler);
    callee.sdk.registerFunction('callee::echo', async (data: unknown) => data);
    await callee.settled();
    const before = (await remotesOf(scene)).get('callee')?.worker_id;
    const inFlight = codeOf(caller.call('callee::slow'));
    await called;
    assert.ok(cable.cut() > 0);
    assert.equal(await inFlight, 'invocation_stopped');
    await eventually(async () => (await codeOf(caller.call('callee::echo', 1))) !== 'function_not_found');
    assert.equal(await caller.call('callee::echo', 'again'), 'again');
    open('nobody waits for this');
    await callee.settled();
    const rows = (await scene.send('GET', '/v1/workers')).json.workers as unknown as Row[];
    const ofCallee = rows.filter(({ display_name: name }) => name === 'callee');
    assert.deepEqual(ofCallee.map(({ worker_id: id, status }) => [id === before, status]).sort(), [
      [false, 'connected'],
      [true, 'disconnected'],
    ]);
    assert.equal(ofCallee.find(({ status }) => status === 'disconnected')?.disconnect_reason, 'lost');
  });

  test('has its own calls told at once by greenroom/remote, and by the server when it has only the SDK', async (t) => {
    const scene = await startScene(t);
    const cables = await Promise.all([startCable(t, scene.port), startCable(t, scene.port)]);
    const [remote, plain, callee] = await Promise.all([
      scene.remote('remote', { address: cables[0].address }),
      scene.worker('plain', { address: cables[1].address }),
      scene.worker('callee'),
    ]);
    const gates = [gated<string>(), gated<string>()];
    callee.sdk.registerFunction('callee::one', gates[0]!.handler);
    callee.sdk.registerFunction('callee::two', gates[1]!.handler);
    await callee.settled();
    const byRemote = codeOf(remote.trigger({ function_id: 'callee::one', payload: {} }));
    const byPlain = codeOf(plain.call('callee::two'));
    await Promise.all(gates.map(({ called }) => called));
    for (const cable of cables) cable.cut();
    assert.deepEqual(await Promise.all([byRemote, byPlain]), ['invocation_stopped', 'invocation_stopped']);
    for (const { open } of gates) open('late');
    await remote.ready();
  });

  test('takes its place back while the server still believes in the old connection', async (t) => {
    const { connect } = await startScene(t);
    const old = await connect();
    await old.serve('w::f', () => 'old');
    const next = await connect();
    next.send({ type: 'reattach', previous_worker_id: old.workerId, reattach_token: old.token });
    await next.serve('w::f', () => 'new');
    await old.closed;
    assert.equal((await next.call('w::f')).result, 'new');
  });

  for (const token of ['wrong', undefined, null, 7])
    test(`does not lose its place to somebody with another token: ${String(token)}`, async (t) => {
      const { connect } = await startScene(t);
      const owner = await connect();
      await owner.serve('w::f', () => 'owner');
      const thief = await connect();
      thief.send({ type: 'reattach', previous_worker_id: owner.workerId, reattach_token: token });
      await thief.serve('w::f', () => 'thief');
      assert.equal((await thief.call('w::f')).result, 'owner');
    });
});

describe('a second worker', () => {
  test('does not get a function that a live one serves; the owner goes on, and the refusal can be seen', async (t) => {
    const scene = await startScene(t);
    const [owner, other] = await Promise.all([scene.worker('owner'), scene.worker('other')]);
    owner.sdk.registerFunction('shop::buy', async () => 'owner');
    await owner.settled();
    other.sdk.registerFunction('shop::buy', async () => 'other');
    await other.settled();
    assert.equal(await other.call('shop::buy'), 'owner');
    const { worker_id: id } = (await remotesOf(scene)).get('other')!;
    const { text } = await scene.send('GET', `/v1/workers/${id}`);
    assert.match(text, /function_exists/);
    await owner.sdk.shutdown();
    await eventually(async () => (await codeOf(other.call('shop::buy'))) === 'function_not_found');
  });
});

describe('the end of a worker', () => {
  test('is orderly at its shutdown: its functions are gone, who waited is told, and it is listed as closed', async (t) => {
    const scene = await startScene(t);
    const [callee, caller] = await Promise.all([scene.worker('callee'), scene.worker('caller')]);
    const { handler, called } = gated<never>();
    callee.sdk.registerFunction('callee::slow', handler);
    await callee.settled();
    const waiting = codeOf(caller.call('callee::slow'));
    await called;
    await callee.sdk.shutdown();
    assert.equal(await waiting, 'invocation_stopped');
    assert.equal(await codeOf(caller.call('callee::slow')), 'function_not_found');
    const { status, disconnect_reason: reason } = (await remotesOf(scene)).get('callee')!;
    assert.deepEqual([status, reason], ['disconnected', 'closed']);
  });

  test('comes with that of the server, which closes with 1001; the worker is back when another one listens', async (t) => {
    const scene = await startScene(t);
    const [peer, worker] = [await scene.connect(), await scene.worker('back')];
    worker.sdk.registerFunction('back::echo', async (data: unknown) => data);
    await worker.settled();
    await scene.server.close();
    assert.deepEqual(await peer.closed, { code: 1001, reason: 'shutdown' });
    const { runtime, port } = scene;
    const again = await startServer({ runtime, token: TOKEN, port, gateway: {} });
    t.after(() => again.close());
    assert.equal(await eventually(async () => (await codeOf(runtime.invoke('back::echo', 7))) === 7), true);
  });
});

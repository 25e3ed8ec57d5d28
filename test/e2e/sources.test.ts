// Sources as an operator has them: in the file of the real command line, with the real guard, and used from every side.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Client as McpClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { connectRemote } from '../../lib/remote/index.ts';
import { listen, SESSIONS, toolHandler } from '../mcp/http-server.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { documentOf, isAlive, LOCAL, petsAt, standalone, startApi } from './sources-scene.ts';
import type { Standalone } from './sources-scene.ts';

const options = { timeout: 60_000 };

async function pidOf({ client }: Standalone): Promise<number> {
  return Number(await client.invoke('local::pid'));
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function startTools(t: TestContext): Promise<object> {
  const { url } = await listen(t, toolHandler(SESSIONS, { say: () => undefined }));
  return { name: 'tools', type: 'mcp', url };
}

describe('sources of the file', options, () => {
  test('are listed, and called over REST, from an actor, a remote and an MCP client', async (t) => {
    const api = await startApi(t, { list: '/pets', slow: '/held' });
    const inline = { name: 'inline', type: 'openapi', document: documentOf(api.url, { cats: '/cats' }) };
    const { client, ready, token } = await standalone(t, [petsAt(api), inline, await startTools(t), LOCAL]);
    const sources = await collect(client.sources());
    assert.deepEqual(
      sources.map(({ name, type, status }) => [name, type, status]),
      ['inline openapi', 'local mcp', 'pets openapi', 'tools mcp'].map((line) => [...line.split(' '), 'available']),
    );
    const functions = await collect(client.functions({ worker: 'pets' }));
    assert.deepEqual(
      functions.map(({ functionId, origin }) => [functionId, origin]),
      [
        ['pets::list', 'group'],
        ['pets::slow', 'group'],
      ],
    );
    const calls: [id: string, output: unknown][] = [
      ['pets::list', '/pets'],
      ['inline::cats', '/cats'],
      ['tools::text', 'hello'],
      ['local::text', 'hello'],
    ];
    const worker = await client.create({ kind: 'context' });
    const remote = connectRemote(`${ready.url.replace('http', 'ws')}/v1/gateway`, { workerName: 'remote', token });
    t.after(() => remote.shutdown());
    await remote.ready();
    const mcp = new McpClient({ name: 'test', version: '1' });
    const requestInit = { headers: { authorization: `Bearer ${token}` } };
    await mcp.connect(new StreamableHTTPClientTransport(new URL(`${ready.url}/v1/mcp`), { requestInit }));
    t.after(() => mcp.close());
    const { tools } = await mcp.listTools();
    for (const [id, output] of calls) {
      assert.deepEqual(await client.invoke(id, {}), output, id);
      assert.deepEqual(await worker.ask({ do: 'invoke', name: id }), output, id);
      assert.deepEqual(await remote.trigger({ function_id: id, payload: {} }), output, id);
      const name = id.replace('::', '__');
      assert.ok(
        tools.some((tool) => tool.name === name),
        name,
      );
      const { content } = await mcp.callTool({ name, arguments: {} });
      assert.deepEqual(content, [{ type: 'text', text: output }], id);
    }
  });

  test('a refresh is one step, and what is under way ends on what it began with', async (t) => {
    const api = await startApi(t, { list: '/pets', slow: '/held/old', gone: '/held/gone' });
    const { client } = await standalone(t, [petsAt(api)]);
    const underway = ['pets::slow', 'pets::gone'].map((id) => client.invoke(id, {}));
    await eventually(() => api.held.length === 2);
    api.operations = { list: '/pets', slow: '/held/new', more: '/more' };
    const { lastChange } = await client.refreshSource('pets');
    assert.deepEqual(lastChange, { added: 1, changed: 1, removed: 1, unchanged: 1 });
    assert.equal(await codeOf(client.invoke('pets::gone', {})), 'function_not_found');
    const next = client.invoke('pets::slow', {});
    await eventually(() => api.held.length === 3);
    for (const answer of api.held) answer();
    assert.deepEqual(await Promise.all([...underway, next]), ['/held/old', '/held/gone', '/held/new']);
    assert.equal(await client.invoke('pets::more', {}), '/more');
  });

  test('one that is not there does not hold the start up, and is served once it is', async (t) => {
    const before = await startApi(t, { list: '/pets' });
    const { port } = new URL(before.url);
    await before.stop();
    const { client } = await standalone(t, [petsAt(before), { ...(await startTools(t)), name: 'other' }]);
    assert.equal(await client.invoke('other::text', {}), 'hello');
    const { status, error } = await client.source('pets');
    assert.deepEqual([status, error], ['failed', 'http_request_failed']);
    assert.deepEqual((await client.describe()).sources, { total: 2, failed: 1 });
    await startApi(t, { list: '/pets' }, Number(port));
    await eventually(async () => (await client.source('pets')).status === 'available', 20_000);
    assert.equal(await client.invoke('pets::list', {}), '/pets');
  });
});

describe('the process of an MCP server', options, () => {
  test('that is killed ends its calls with invocation_stopped, and another takes its place', async (t) => {
    const runtime = await standalone(t, [LOCAL]);
    const { client, cli } = runtime;
    const pid = await pidOf(runtime);
    const calls = Array.from({ length: 8 }, () => codeOf(client.invoke('local::wait', {})));
    await eventually(() => cli.stderr.filter((line) => line.includes('"line":"started"')).length === calls.length);
    process.kill(pid, 'SIGKILL');
    assert.deepEqual(
      await Promise.all(calls),
      calls.map(() => 'invocation_stopped'),
    );
    const next = await eventually(() => pidOf(runtime).catch(() => null), 20_000);
    assert.notEqual(next, pid);
  });

  test('is gone after SIGTERM, with what it started and although it does not listen', async (t) => {
    const runtime = await standalone(t, [LOCAL]);
    const { client, cli } = runtime;
    const pids = [await pidOf(runtime), Number(await client.invoke('local::grandchild'))];
    await client.invoke('local::stubborn');
    const waiting = codeOf(client.invoke('local::wait', {}));
    await cli.line('stderr', /"line":"started"/);
    assert.deepEqual(pids.map(isAlive), [true, true]);
    cli.kill('SIGTERM');
    assert.equal(await cli.exit(), 0);
    assert.equal(typeof (await waiting), 'string');
    await eventually(() => !pids.some(isAlive));
  });

  test('is not started by a request, unless the operator says so', async (t) => {
    const { client } = await standalone(t, []);
    assert.equal(await codeOf(client.createSource(LOCAL)), 'forbidden');
    assert.equal(await codeOf(client.createSource(LOCAL, { dryRun: true })), 'forbidden');
    const { client: open } = await standalone(t, [], '--allow-stdio-sources');
    const { functions } = await open.createSource(LOCAL);
    assert.ok(functions > 0);
    assert.equal(await open.invoke('local::text', {}), 'hello');
    const pid = Number(await open.invoke('local::pid'));
    await open.deleteSource('local');
    await eventually(() => !isAlive(pid));
  });
});

test(
  'the command line inspects, adds, lists, refreshes and removes a source of a real document',
  options,
  async (t) => {
    const api = await startApi(t, { list: '/pets', add: '/pets/add' });
    const { source, cli, client } = await standalone(t, []);
    writeFileSync(join(cli.dir, 'pets.json'), JSON.stringify(documentOf('https://pets.example', api.operations)));
    const file = ['--name', 'pets', '--file', 'pets.json', '--base-url', api.url, '--include', 'list'];
    assert.deepEqual(await source('add', ...file, '--dry-run'), [0, 'pets::list\t']);
    assert.deepEqual(await source('list'), [0]);
    const line = 'pets\topenapi\tavailable\t1 functions\t';
    assert.deepEqual(await source('add', ...file), [0, `${line}1 added, 0 changed, 0 removed`]);
    assert.equal(await client.invoke('pets::list', {}), '/pets');
    assert.deepEqual(await source('refresh', 'pets'), [0, `${line}0 added, 0 changed, 0 removed`]);
    assert.deepEqual(await source('remove', 'pets'), [0, 'pets\tremoved']);
    assert.equal(await codeOf(client.invoke('pets::list', {})), 'function_not_found');
  },
);

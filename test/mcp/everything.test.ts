// The reference server from npm, written with the older library: over stdio, and over streamable HTTP.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { codeOf } from '../support/start-runtime.ts';
import { keepProgress, openSource } from './open-source.ts';
import type { TestSource } from './open-source.ts';

const PATH = new URL('../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url);
const EVERYTHING = fileURLToPath(PATH);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listenEverything(t: TestContext): Promise<string> {
  const port = await freePort();
  const env = { PATH: process.env['PATH'], PORT: String(port) };
  const child = spawn(process.execPath, [EVERYTHING, 'streamableHttp'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => void child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stderr })) if (line.includes('listening')) break;
  child.stderr.resume();
  return `http://127.0.0.1:${port}/mcp`;
}

async function exercise(source: TestSource): Promise<void> {
  const { functions, unmapped } = await source.read();
  assert.deepEqual(unmapped, []);
  const names = functions.map(({ name }) => name);
  // It offers these only to clients that have a user, files or a model to offer.
  for (const absent of ['get-roots-list', 'trigger-sampling-request', 'trigger-elicitation-request'])
    assert.equal(names.includes(absent), false, absent);
  assert.equal(await source.call('echo', { message: 'hello' }), 'Echo: hello');
  assert.match(String(await source.call('get-sum', { a: 2, b: 3 })), /\b5\b/);
  const weather = await source.call('get-structured-content', { location: 'New York' });
  assert.deepEqual(Object.keys(weather as object).sort(), ['conditions', 'humidity', 'temperature']);
  const { content } = (await source.call('get-tiny-image')) as { content: Record<string, unknown>[] };
  const image = content.find(({ type }) => type === 'image');
  assert.deepEqual(Object.keys(image ?? {}), ['type', 'mime_type', 'base64']);
  const links = (await source.call('get-resource-links', { count: 2 })) as { content: Record<string, unknown>[] };
  assert.equal(links.content.filter(({ type }) => type === 'resource_link').length, 2);
  assert.match(String(await codeOf(source.call('get-sum', { a: 'two' }))), /^(?:tool_failed|deserialization_error)$/);
  const { all, onProgress } = keepProgress();
  await source.call('trigger-long-running-operation', { duration: 0.2, steps: 2 }, { onProgress });
  assert.deepEqual(
    all.map(({ progress, total }) => [progress, total]),
    [
      [1, 2],
      [2, 2],
    ],
  );
  const controller = new AbortController();
  const long = source.call(
    'trigger-long-running-operation',
    { duration: 100, steps: 1_000 },
    { signal: controller.signal, onProgress: () => controller.abort() },
  );
  assert.equal(await codeOf(long), 'cancelled');
}

test('the reference server over stdio', async (t) => {
  const source = openSource(t, { command: process.execPath, args: [EVERYTHING, 'stdio'] });
  await exercise(source);
});

test('the reference server over streamable HTTP', async (t) => {
  const source = openSource(t, { url: await listenEverything(t) });
  await exercise(source);
});

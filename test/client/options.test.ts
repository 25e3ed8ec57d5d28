import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { createClient } from '../../lib/client/index.ts';
import type { ClientOptions, GreenroomError } from '../../lib/client/index.ts';
import { clientOf, reply, startFake, TOKEN } from './fake.ts';

const run = promisify(execFile);
const url = 'http://127.0.0.1:1';
const runtime = { runtime: { runtime_id: 'r1' } };

const REFUSED: [why: string, options: object, names: RegExp][] = [
  ['without a token', { url }, /^token /],
  ['with a token and a file', { url, token: 'a', tokenFile: 'b' }, /^token /],
  ['with an empty token', { url, token: '' }, /^token /],
  ['with a token that would end its header', { url, token: 'a\r\nx: y' }, /^token /],
  ['with another protocol', { url: 'ftp://127.0.0.1', token: 'a' }, /^url /],
  ['with no URL', { url: 'localhost', token: 'a' }, /^url /],
  [
    'with a credential in its URL',
    { url: 'http://me:secret@127.0.0.1', token: 'a' },
    /^url must not hold a credential/,
  ],
  ['with a query', { url: `${url}?a=1`, token: 'a' }, /^url /],
  ['with a timeout of nothing', { url, token: 'a', timeoutMs: 0 }, /^timeoutMs /],
  ['with an endless timeout', { url, token: 'a', timeoutMs: Infinity }, /^timeoutMs /],
  ['with half a byte', { url, token: 'a', maxMessageBytes: 0.5 }, /^maxMessageBytes /],
  ['without connections', { url, token: 'a', connections: 0 }, /^connections /],
  ['with a misspelt option', { url, token: 'a', timeout: 5 }, /^timeout is not an option/],
];
for (const [why, options, message] of REFUSED) {
  test(`a client ${why} is refused, and the message names the option`, () => {
    assert.throws(
      () => createClient(options as ClientOptions),
      (error: GreenroomError) => {
        assert.equal(error.code, 'invalid_option');
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
    );
  });
}

test('ids and options of single calls are checked before anything is sent', async (t) => {
  const fake = await startFake(t, (_, response) => reply(response, 200, runtime));
  const client = clientOf(t, fake.url);
  for (const id of ['', 'a/b', '../etc', 'a b', 'x'.repeat(129), 'ä']) {
    assert.throws(
      () => client.worker(id),
      (error: GreenroomError) => error.code === 'invalid_worker_id',
    );
  }
  const worker = client.worker('x'.repeat(128));
  const isRefused = (error: GreenroomError) => error.code === 'invalid_request';
  await assert.rejects(worker.ask(1, { timeoutMs: 0 }), isRefused);
  await assert.rejects(worker.ask(1, { timeoutMs: NaN }), isRefused);
  await assert.rejects(worker.ask(1, { idempotencyKey: '' }), isRefused);
  await assert.rejects(worker.tell(1, { idempotencyKey: 'x'.repeat(256) }), isRefused);
  await assert.rejects(worker.tell(1, { idempotencyKey: 'a\nb' }), isRefused);
  await assert.rejects(worker.tell(1, { deadlineMs: -1 }), isRefused);
  assert.equal(fake.seen.length, 0);
});

test('a path in the URL is put in front of every route', async (t) => {
  const fake = await startFake(t, (_, response) => reply(response, 200, runtime));
  await clientOf(t, `${fake.url}/greenroom/`).describe();
  assert.equal(fake.seen[0]?.path, '/greenroom/v1/runtime');
});

test('an input id cannot leave its place in the path', async (t) => {
  const fake = await startFake(t, (_, response) => reply(response, 200, { input: {} }));
  await clientOf(t, fake.url).worker('w1').input('../../x?y#z');
  assert.equal(fake.seen[0]?.path, '/v1/workers/w1/inputs/..%2F..%2Fx%3Fy%23z');
});

test('a token file is read at the first call, and again after the runtime refused what it held', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'greenroom-client-'));
  t.after(() => rm(dir, { recursive: true }));
  const tokenFile = join(dir, 'token');
  const fake = await startFake(t, ({ headers }, response) => {
    if (headers.authorization === 'Bearer new') reply(response, 200, runtime);
    else reply(response, 401, { error: { code: 'unauthorized', message: 'No.', retryable: false } });
  });
  const client = createClient({ url: fake.url, tokenFile });
  t.after(() => client.close());
  await assert.rejects(
    client.describe(),
    (error: GreenroomError) => error.code === 'invalid_option' && !error.message.includes(dir),
  );
  await writeFile(tokenFile, 'old\n');
  await assert.rejects(
    client.describe(),
    (error: GreenroomError) => error.code === 'unauthorized' && error.status === 401,
  );
  await writeFile(tokenFile, 'new\n');
  assert.equal((await client.describe()).runtimeId, 'r1');
});

test('calls of a closed client reject, and closing twice is closing once', async (t) => {
  const fake = await startFake(t, (_, response) => reply(response, 200, runtime));
  const client = clientOf(t, fake.url);
  await Promise.all([client.close(), client.close()]);
  await assert.rejects(client.describe(), (error: GreenroomError) => error.code === 'runtime_unavailable');
  await assert.rejects(client.worker('w1').ask(1), (error: GreenroomError) => error.code === 'runtime_unavailable');
  assert.equal(fake.seen.length, 0);
});

test('`await using` closes a client', async (t) => {
  const fake = await startFake(t, (_, response) => reply(response, 200, runtime));
  let kept;
  {
    await using client = createClient({ url: fake.url, token: TOKEN });
    await client.describe();
    kept = client;
  }
  await assert.rejects(kept.describe(), (error: GreenroomError) => error.code === 'runtime_unavailable');
});

test('a process with pending calls ends by itself once the client is closed', async (t) => {
  const fake = await startFake(
    t,
    ({ path }, response) => void (path === '/v1/runtime' && reply(response, 200, runtime)),
  );
  const script = `
    import { createClient } from ${JSON.stringify(new URL('../../lib/client/index.js', import.meta.url).href)};
    const client = createClient({ url: ${JSON.stringify(fake.url)}, token: 'a' });
    await client.describe();
    const settled = Promise.allSettled([client.worker('w').ask(1), client.worker('w').ask(1, { signal: new AbortController().signal }), client.worker('w').stop()]);
    await new Promise((resolve) => setImmediate(resolve));
    await client.close();
    console.log((await settled).map((result) => result.reason.code).join());`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 });
  assert.equal(stdout.trim(), 'runtime_unavailable,runtime_unavailable,runtime_unavailable');
});

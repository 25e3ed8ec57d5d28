import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { keepProgress, openSource, stdio, STDIO_SERVER } from './open-source.ts';
import { openEgress } from './open-egress.ts';

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

for (const mode of ['both', 'older'] as const) {
  test(`tools of a process that speaks ${mode} are functions, with their schemas and annotations`, async (t) => {
    const source = openSource(t, stdio(mode));
    const { functions, unmapped, title } = await source.read();
    assert.equal(title, 'Tools for tests');
    assert.deepEqual(unmapped, []);
    const { name, description, requestFormat, responseFormat, metadata } = source.function('echo');
    assert.deepEqual(JSON.parse(JSON.stringify({ name, description, requestFormat, responseFormat, metadata })), {
      name: 'echo',
      description: 'What it is given',
      requestFormat: { type: 'object', properties: { a: { type: 'number' } } },
      responseFormat: { type: 'object' },
      metadata: { mcp: { tool: 'echo', annotations: { readOnlyHint: true } } },
    });
    const again = await source.read();
    assert.deepEqual(
      again.functions.map((fn) => fn.fingerprint),
      functions.map((fn) => fn.fingerprint),
    );
  });

  test(`every kind of result of a process that speaks ${mode} becomes a value`, async (t) => {
    const source = openSource(t, stdio(mode));
    await source.read();
    assert.deepEqual(await source.call('echo', { a: 1, _caller_worker_id: 'w1' }), { a: 1 });
    assert.deepEqual(await source.call('echo', null), {});
    assert.equal(await source.call('text'), 'hello');
    assert.equal(await source.call('json_text'), '{"a":1}');
    assert.equal(await source.call('nothing'), null);
    assert.deepEqual(await source.call('parts'), {
      content: [
        { type: 'text', text: 'one' },
        { type: 'image', mime_type: 'image/png', base64: 'aGVsbG8=' },
        { type: 'audio', mime_type: 'audio/wav', base64: 'aGVsbG8=' },
        { type: 'resource', uri: 'file:a', mime_type: 'text/plain', text: 'inside' },
        { type: 'resource', uri: 'file:b', base64: 'aGVsbG8=' },
        { type: 'resource_link', uri: 'file:c', name: 'c' },
      ],
    });
    assert.equal(await codeOf(source.call('echo', [1])), 'invalid_input');
  });

  test(`a call that is cancelled, and one that takes too long, are cancelled at a process that speaks ${mode}`, async (t) => {
    const source = openSource(t, stdio(mode));
    await source.read();
    const controller = new AbortController();
    const cancelled = codeOf(source.call('wait', {}, { signal: controller.signal }));
    await source.hasSaid('started');
    controller.abort();
    assert.equal(await cancelled, 'cancelled');
    await source.hasSaid('cancelled', 1);
    assert.equal(await codeOf(source.call('wait', {}, { timeoutMs: 50 })), 'timeout');
    await source.hasSaid('cancelled', 2);
    assert.equal(await source.call('text'), 'hello');
  });

  test(`a tool that comes while a process that speaks ${mode} runs is told, and read the next time`, async (t) => {
    const source = openSource(t, stdio(mode));
    await source.read();
    await source.call('add_tool', { name: 'later' });
    await eventually(() => source.changes > 0);
    await source.read();
    assert.equal(await source.call('later'), 'new');
  });
}

test('a tool that fails is tool_failed, with its text as the message and its other parts as details', async (t) => {
  const source = openSource(t, stdio());
  await source.read();
  await assert.rejects(source.call('fail'), { code: 'tool_failed', message: 'no such thing', details: undefined });
  await assert.rejects(source.call('fail_with_image'), {
    code: 'tool_failed',
    details: { content: [{ type: 'image', mime_type: 'image/png', base64: 'aGVsbG8=' }] },
  });
});

test('progress is passed on to a caller who asks for it, and not asked for otherwise', async (t) => {
  const source = openSource(t, stdio());
  await source.read();
  const { all, onProgress } = keepProgress();
  assert.equal(await source.call('progress', {}, { onProgress }), 'done');
  assert.deepEqual(all, [{ progress: 1, total: 2, message: 'half' }]);
  assert.equal(await source.call('progress'), 'nobody asks');
});

test('a process gets PATH, HOME and LANG, and of the rest only what it was declared', async (t) => {
  const egress = openEgress(t, { KEY: 'secret' });
  const source = openSource(t, stdio('both', { env: { LEVEL: 'debug', API_KEY: { variable: 'KEY' } } }), { egress });
  await source.read();
  const environment = (await source.call('environment')) as Record<string, string>;
  const inherited = ['PATH', 'HOME', 'LANG'].filter((name) => process.env[name] !== undefined);
  assert.deepEqual(Object.keys(environment).sort(), [...inherited, 'API_KEY', 'LEVEL'].sort());
  assert.equal(environment['API_KEY'], 'secret');
});

test('a variable that may not be used keeps the process from being started', async (t) => {
  const source = openSource(t, stdio('both', { env: { API_KEY: { variable: 'NOT_THERE' } } }));
  assert.equal(await codeOf(source.read()), 'secret_not_found');
  assert.equal(source.said('born'), 0);
});

test('a process that cannot be started is given up after as many tries as the limits allow', async (t) => {
  const source = openSource(t, { command: '/nowhere/at/all' }, { limits: { maxRestarts: 2 } });
  await assert.rejects(source.read(), { code: 'http_request_failed', message: /ENOENT/ });
  await source.has('failed');
  assert.deepEqual(source.health, { status: 'failed', error: 'worker_failed' });
});

test('a process that crashes takes its calls with it, is started again, and its tools are read again', async (t) => {
  const source = openSource(t, stdio());
  await source.read();
  const waiting = codeOf(source.call('wait'));
  await source.hasSaid('started');
  const crash = codeOf(source.call('exit'));
  assert.deepEqual([await waiting, await crash], ['invocation_stopped', 'invocation_stopped']);
  await eventually(() => source.changes === 1);
  await source.read();
  assert.equal(await source.call('text'), 'hello');
  assert.equal(source.said('born') >= 2, true);
});

test('calls are refused while a process is not there, and it is given up when it ends too often', async (t) => {
  const source = openSource(t, stdio(), { limits: { maxRestarts: 1 } });
  await source.read();
  process.kill(Number(await source.call('pid')), 'SIGKILL');
  await eventually(() => source.health.status === 'connecting');
  await assert.rejects(source.call('text'), { code: 'worker_busy', retryable: true });
  await source.has('available');
  process.kill(Number(await source.call('pid')), 'SIGKILL');
  await source.has('failed');
  assert.equal(await codeOf(source.call('text')), 'worker_failed');
  await source.read();
  assert.equal(await source.call('text'), 'hello');
});

test('what a process has started ends with it, killed or closed, however stubborn', async (t) => {
  const source = openSource(t, stdio());
  await source.read();
  const first = Number(await source.call('grandchild'));
  process.kill(Number(await source.call('pid')), 'SIGKILL');
  await eventually(() => isGone(first));
  await eventually(() => source.changes === 1);
  await source.read();
  const [second, pid] = [Number(await source.call('grandchild')), Number(await source.call('pid'))];
  await source.call('stubborn');
  await source.close();
  assert.equal(isGone(pid), true);
  await eventually(() => isGone(second));
});

test('a flood on stderr is cut in lines and in number, and disturbs no call', async (t) => {
  const source = openSource(t, stdio());
  await source.read();
  await source.call('flood', { lines: 2_000 });
  assert.equal(await source.call('text'), 'hello');
  await source.close();
  const written = source.lines.filter(({ message }) => message.includes('stderr'));
  const dropped = written.reduce((sum, { fields }) => sum + Number(fields['dropped'] ?? 0), 0);
  assert.ok(written.length < 1_000, `${written.length} lines`);
  assert.ok(dropped > 0);
  for (const { fields } of written) assert.ok(((fields['line'] ?? '') as string).length <= 1_024);
});

test('lines on stdout that are no messages are passed over, until there are too many', async (t) => {
  const source = openSource(t, stdio());
  await source.read();
  await source.call('garbage', { lines: 10 });
  assert.equal(await source.call('text'), 'hello');
  await codeOf(source.call('garbage', { lines: 5_000 }));
  await source.hasSaid('born', 2);
});

test('an answer above the limit is refused as such, and the next one arrives', async (t) => {
  const limits = { maxMessageBytes: 100_000 };
  for (const mode of ['both', 'older'] as const) {
    const source = openSource(t, stdio(mode), { limits });
    await source.read();
    assert.equal(((await source.call('big', { bytes: 99_000 })) as string).length, 99_000);
    // Just above, and far above: the second is never held as a whole.
    for (const bytes of [100_000, 3_000_000]) {
      assert.equal(await codeOf(source.call('big', { bytes })), 'invocation_failed_payload_too_large', mode);
    }
    assert.equal(await codeOf(source.call('echo', { a: 'x'.repeat(100_000) })), 'invocation_failed_payload_too_large');
    assert.equal(await source.call('text'), 'hello');
  }
});

test('a source has as many calls under way as the limit says', async (t) => {
  const source = openSource(t, stdio(), { limits: { maxCallsInFlight: 1 } });
  await source.read();
  const controller = new AbortController();
  const waiting = codeOf(source.call('wait', {}, { signal: controller.signal }));
  await source.hasSaid('started');
  assert.equal(await codeOf(source.call('text')), 'worker_busy');
  controller.abort();
  assert.equal(await waiting, 'cancelled');
  assert.equal(await source.call('text'), 'hello');
});

test('closing tells the calls under way', async (t) => {
  const source = openSource(t, stdio());
  await source.read();
  const waiting = codeOf(source.call('wait'));
  await source.hasSaid('started');
  await source.close();
  assert.equal(await waiting, 'invocation_stopped');
});

test('a request cannot start a process, unless the operator lets it', (t) => {
  const open = (allowStdioSources: boolean) => openSource(t, stdio(), { isFromOperator: false, allowStdioSources });
  assert.throws(() => open(false), { code: 'forbidden' });
  assert.equal(open(true).health.status, 'connecting');
});

test('nothing that was started outlives a runtime that exits', async () => {
  const program = fileURLToPath(new URL('exiting.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, STDIO_SERVER], { timeout: 30_000 });
  const [grandchild, , pid] = (JSON.parse(stdout.replace('"stays"', '0')) as string[]).map(Number);
  await eventually(() => isGone(Number(grandchild)) && isGone(Number(pid)));
});

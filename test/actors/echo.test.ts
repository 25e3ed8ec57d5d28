import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode, startRuntime } from './runtime.ts';

test('echo answers with any JSON as it was sent', async (t) => {
  const echo = await (await startRuntime(t)).create({ kind: 'echo' });
  const values = [
    null,
    true,
    0,
    -1.5e-7,
    '',
    'é\u2028🎭',
    [],
    [[1], {}],
    { a: { b: [null] } },
    { snake_case: 1, camelCase: 2 },
  ];
  assert.deepEqual(await Promise.all(values.map((value) => echo.ask(value))), values);
});

test('echo refuses what JSON cannot hold', async (t) => {
  const echo = await (await startRuntime(t)).create({ kind: 'echo' });
  await assert.rejects(echo.ask(undefined), hasCode('invalid_input'));
  await assert.rejects(echo.ask(1n), hasCode('invalid_input'));
});

test('echo takes no config', async (t) => {
  const runtime = await startRuntime(t);
  await assert.rejects(runtime.create({ kind: 'echo', config: { loud: true } }), hasCode('invalid_request'));
});

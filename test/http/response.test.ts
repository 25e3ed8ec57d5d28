import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import { payloadText } from '../../lib/protocol/payload.ts';
import { codeOf } from '../support/start-runtime.ts';
import { fakeEgress, LONG_MS, serveHttp, startFunctions } from './setup.ts';
import type { TestContext } from 'node:test';

/** A function whose server answers as the payload of the call says: status, status text, body. */
async function startAnswering(t: TestContext) {
  const { url } = await serveHttp(t, ({ body }, response) => {
    const [status, text, content] = JSON.parse(body) as [number, string, string | null];
    response.writeHead(status, text, { 'content-type': 'text/html' });
    response.end(content ?? undefined);
  });
  const { register, functions } = startFunctions(fakeEgress(t));
  await register('a::b', { url });
  const answered = async (status: number, content: string | null, text = 'Text'): Promise<unknown> => {
    const payload = JSON.stringify([status, text, content]);
    return payloadText(
      await functions.call('a::b', { payload, metadata: null, caller: { workerId: null }, timeoutMs: LONG_MS }),
    );
  };
  const refused = (...args: Parameters<typeof answered>): Promise<GreenroomError> =>
    answered(...args).then(
      () => assert.fail('it resolved'),
      (error: unknown) => error as GreenroomError,
    );
  return { answered, refused };
}

test('2xx: an empty body is null, JSON travels as it came, whatever its type is said to be', async (t) => {
  const { answered } = await startAnswering(t);
  for (const status of [200, 201, 202, 203, 206, 299]) assert.equal(await answered(status, ''), 'null');
  for (const status of [204, 205]) assert.equal(await answered(status, null), 'null');
  for (const json of ['{ "a" : 1.0e2,\n"b":"\\u00fc" }', '0', '"x"', 'null', ' [1] ', 'false'])
    assert.equal(await answered(200, json), json);
  assert.equal(await answered(200, '\uFEFF{"a":1}'), '{"a":1}');
  const large = `["${'ü'.repeat(100_000)}"]`;
  assert.equal(await answered(200, large), large);
});

test('2xx with anything but JSON is an invalid response, large or small', async (t) => {
  const { answered, refused } = await startAnswering(t);
  const deep = '['.repeat(200) + ']'.repeat(200);
  for (const body of ['<html>', '{"a":', ' ', '{"__proto__":1}', deep, 'x'.repeat(100_000)])
    assert.equal(await codeOf(answered(200, body)), 'invalid_response', body.slice(0, 20));
  const { status, details, message } = await refused(202, 'a secret page');
  assert.deepEqual([status, details], [502, { status: 202 }]);
  assert.ok(!message.includes('secret'));
});

test('3xx is a success, with its JSON if it has any', async (t) => {
  const { answered } = await startAnswering(t);
  for (const status of [300, 301, 302, 303, 307, 308]) {
    assert.equal(await answered(status, '{"a":1}'), '{"a":1}');
    assert.equal(await answered(status, '<a href="elsewhere">'), 'null');
    assert.equal(await answered(status, ''), 'null');
  }
  assert.equal(await answered(304, null), 'null');
});

test('4xx and 5xx have the code and the message that the server gives under `error`', async (t) => {
  const { refused } = await startAnswering(t);
  for (const status of [400, 404, 429, 500, 503, 599]) {
    const body = JSON.stringify({
      error: { code: 'no_such_thing', message: 'There is none.', stack: 'at /x' },
      more: 1,
    });
    const error = await refused(status, body);
    assert.deepEqual(error.toWire(), {
      code: 'no_such_thing',
      message: 'There is none.',
      retryable: false,
      details: { status },
    });
    assert.equal(error.status, 422);
  }
});

test('an error without a code, or with one that is no code, is http_error with its message', async (t) => {
  const { refused } = await startAnswering(t);
  for (const code of [undefined, 7, '', 'two words', 'x'.repeat(65), 'internal', null]) {
    const error = await refused(500, JSON.stringify({ error: { code, message: 'Out of order.' } }));
    assert.deepEqual([error.code, error.message, error.status], ['http_error', 'Out of order.', 502], String(code));
  }
  const named = await refused(500, JSON.stringify({ error: { code: 'named' } }), 'Broken');
  assert.deepEqual([named.code, named.message], ['named', 'HTTP 500 Broken']);
  const long = await refused(500, JSON.stringify({ error: { message: 'x'.repeat(10_000) } }));
  assert.equal(long.message.length, 8_192);
});

test('4xx and 5xx with anything else are http_error with the status line', async (t) => {
  const { refused } = await startAnswering(t);
  const huge = JSON.stringify({ error: { code: 'huge', message: 'x'.repeat(100_000) } });
  for (const body of ['', '<html>', '{"message":"x"}', '{"error":"text"}', '[1]', '{"error":', huge]) {
    const error = await refused(404, body, 'Not Here');
    assert.deepEqual(error.toWire(), {
      code: 'http_error',
      message: 'HTTP 404 Not Here',
      retryable: false,
      details: { status: 404 },
    });
    assert.equal(error.status, 502);
  }
});

test('a status line is shown without what could be taken for anything else', async (t) => {
  const { refused } = await startAnswering(t);
  assert.equal((await refused(500, '', '')).message, 'HTTP 500');
  assert.equal((await refused(500, '', 'ä\tb')).message, 'HTTP 500 b');
  assert.equal((await refused(500, '', 'x'.repeat(1_000))).message, `HTTP 500 ${'x'.repeat(128)}`);
});

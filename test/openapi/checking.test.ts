// Bodies that are too large for the main loop, through the real thread to a real server: refused by their path, written by their kind,
// and ended in the middle.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createChannel } from '../../lib/channels/open.ts';
import { INLINE_PARSE_BYTES } from '../../lib/limits.ts';
import {
  MAX_CHECKING_STEPS,
  MAX_CHECKS,
  MAX_CHECKS_BYTES,
  MAX_READY_SCHEMAS,
  MAX_STEPS,
} from '../../lib/openapi/bounds.ts';
import type { OperationBody } from '../../lib/openapi/operation.ts';
import { codeOf, startRuntime } from '../support/start-runtime.ts';
import { bodyOf, fieldsOf, issuesOf, operationOf, receive, serve, startCalls } from './calls.ts';
import type { CallSettings, Got } from './calls.ts';

const MIB = 1_024 * 1_024;
const JSON_BODY = bodyOf({ kind: 'json', contentType: 'application/json', required: true });

async function start(t: TestContext, settings: CallSettings = {}) {
  const { url, got } = await receive(t);
  const calls = startCalls(t, settings);
  const post = (body: OperationBody | null) => operationOf({ baseUrl: url, method: 'POST', body });
  return { got, last: () => got.at(-1) as Got, ...calls, post };
}

/** `{"body":[PIECE,PIECE,…]}` of about so many bytes, and the list alone. */
function listOf(piece: string, bytes: number, last = piece) {
  const list = `[${`${piece}, `.repeat(Math.floor(bytes / (piece.length + 2)))}${last}]`;
  return { list, payload: Buffer.from(`{"body":${list}}`) };
}

const RECORDS = {
  properties: {
    query: { properties: { limit: { type: 'integer' } } },
    body: { items: { $ref: '#/$defs/Record' } },
  },
  $defs: {
    Record: { required: ['id'], properties: { id: { type: 'number' }, tags: { items: { type: 'string' } } } },
  },
};
const RECORD = '{"id": 12345678901234567890, "tags": ["a", "\\u00e9", "é"]}';

/** Each text costs about as much as a pattern may, ten times: 16 MiB of them fit, after several minutes. */
const ENDLESS = {
  properties: { body: { items: { allOf: Array.from({ length: 10 }, () => ({ not: { pattern: 'a*a*b' } })) } } },
};
const endless = () => listOf(`"${'a'.repeat(120)}"`, 16 * MIB - 200).payload;

test('a body of 1 MiB that breaks its schema deep inside is refused by the path, and never sent', async (t) => {
  const { got, call, post } = await start(t, { schema: RECORDS });
  const last = '{"tags":["a",{"b":"nobody-may-see-this"}]}';
  const { payload } = listOf(RECORD, MIB, last);
  const index = Math.floor(MIB / (RECORD.length + 2));
  assert.deepEqual(await issuesOf(call(post(JSON_BODY), payload)), [
    `body.${index}.id: required`,
    `body.${index}.tags.1: expected string`,
  ]);
  const withQuery = Buffer.from(payload.toString().replace(/}$/, ',"query":{"limit":"x"}}'));
  assert.equal(((await issuesOf(call(post(JSON_BODY), withQuery))) as string[])[0], 'query.limit: expected integer');
  assert.deepEqual(await issuesOf(call(post(null), listOf('1', MIB).payload)), ['body: unknown key']);
  assert.equal(got.length, 0);
});

test('a valid one arrives byte for byte, and what is wrong everywhere is told in a bounded number of issues', async (t) => {
  const { last, call, post } = await start(t, { schema: RECORDS });
  const { list, payload } = listOf(RECORD, MIB);
  assert.equal(await call(post(JSON_BODY), payload), null);
  assert.ok(last().body.equals(Buffer.from(list)));
  // The caller's own bytes are not taken away.
  assert.equal(payload.toString('utf8', 8, payload.length - 1), list);
  const everywhere = (await issuesOf(call(post(JSON_BODY), listOf('{}', MIB).payload))) as string[];
  assert.equal(everywhere[0], 'body.0.id: required');
  assert.ok(everywhere.length <= 20);
});

test('the size from which on the thread checks is the one of everything else', async (t) => {
  // Four steps for each item are too many for the main loop, and few for the thread.
  const schema = { properties: { body: { items: { allOf: [{}, {}, {}] } } } };
  const { last, call, post } = await start(t, { schema });
  const inline = `[${'1,'.repeat(INLINE_PARSE_BYTES / 2 - 2)}11]`;
  assert.equal(inline.length, INLINE_PARSE_BYTES);
  await assert.rejects(call(post(JSON_BODY), `{"body":${inline}}`), { message: /too many steps/ });
  const large = inline.replace('[', '[ ');
  assert.equal(await call(post(JSON_BODY), `{"body":${large}}`), null);
  assert.equal(last().body.toString(), large);
});

test('a payload that takes all the steps of the thread is refused, and the thread stays of use', async (t) => {
  const schema = { properties: { body: { items: { allOf: Array.from({ length: 1_000 }, () => ({})) } } } };
  const { got, call, post } = await start(t, { schema });
  await assert.rejects(call(post(JSON_BODY), listOf('1', MIB).payload), {
    code: 'invalid_input',
    message: 'The payload takes too many steps to check.',
  });
  assert.equal(got.length, 0);
  assert.equal(await call(post(JSON_BODY), listOf(`"${'x'.repeat(1_000)}"`, MIB).payload), null);
});

test('a call that is cancelled, or whose time is over, while its body is checked frees the thread', async (t) => {
  const { got, call, post } = await start(t, { schema: ENDLESS });
  const short = listOf(`"${'c'.repeat(100)}"`, MIB).payload;
  assert.equal(await call(post(JSON_BODY), short), null);
  const payload = endless();
  assert.equal(await codeOf(call(post(JSON_BODY), payload, { timeoutMs: 300 })), 'timeout');
  const ending = new AbortController();
  const cancelled = codeOf(call(post(JSON_BODY), payload, { signal: ending.signal }));
  const behind = call(post(JSON_BODY), short);
  const waiting = codeOf(call(post(JSON_BODY), short, { timeoutMs: 1 }));
  assert.equal(await waiting, 'timeout');
  ending.abort();
  assert.equal(await cancelled, 'cancelled');
  assert.equal(await behind, null);
  assert.equal(got.length, 2);
  assert.equal(await codeOf(call(post(JSON_BODY), payload, { signal: AbortSignal.abort() })), 'cancelled');
});

test('a runtime that closes ends the calls whose bodies are checked', async (t) => {
  const runtime = await startRuntime(t, { actors: [], http: { allowAddresses: ['127.0.0.1'] } });
  const requestBody = { content: { 'application/json': { schema: ENDLESS.properties.body } } };
  const paths = { '/': { post: { operationId: 'post', requestBody } } };
  const servers = [{ url: 'http://127.0.0.1:9' }];
  const document = { openapi: '3.1.0', info: { title: 'a', version: '1' }, servers, paths };
  await runtime.createSource({ name: 'a', type: 'openapi', document });
  const body = Array.from({ length: 100_000 }, () => 'a'.repeat(120));
  const called = codeOf(runtime.invoke('a::post', { body }));
  const behind = codeOf(runtime.invoke('a::post', { body }));
  await runtime.close({ deadlineMs: 1 });
  assert.deepEqual(await Promise.all([called, behind]), ['invocation_stopped', 'invocation_stopped']);
});

test('what waits for the thread is bounded in bytes, and the rest is worker_busy', async (t) => {
  const { call, post } = await start(t, { schema: ENDLESS });
  const payload = endless();
  const all = new AbortController();
  const held = Math.floor(MAX_CHECKS_BYTES / (payload.length - 9));
  const calls = Array.from({ length: held + 3 }, () => codeOf(call(post(JSON_BODY), payload, { signal: all.signal })));
  const busy = calls.slice(held);
  assert.deepEqual(
    await Promise.all(busy),
    busy.map(() => 'worker_busy'),
  );
  all.abort();
  assert.deepEqual(new Set(await Promise.all(calls.slice(0, held))), new Set(['cancelled']));
  assert.equal(await call(post(JSON_BODY), listOf(`"${'c'.repeat(100)}"`, MIB).payload), null);
});

test('large forms are written in the thread as small ones are', async (t) => {
  const { got, last, call, post } = await start(t, { schema: { properties: { body: { maxProperties: 3 } } } });
  const form = post(bodyOf({ kind: 'form', contentType: 'application/x-www-form-urlencoded' }));
  const text = 'é &'.repeat(MIB);
  await call(form, { body: { a: text, list: [1, 'x'] } });
  const expected = new URLSearchParams([
    ['a', text],
    ['list', '1'],
    ['list', 'x'],
  ]).toString();
  assert.equal(last().body.toString(), expected);
  assert.deepEqual(await issuesOf(call(form, { body: { a: text, list: [[1]] } })), [
    'body.list: a list or an object cannot be sent at this depth',
  ]);
  assert.deepEqual(await issuesOf(call(form, { body: { a: text, b: 1, c: 2, d: 3 } })), [
    'body: does not fit maxProperties',
  ]);
  assert.equal(got.length, 1);
});

test('a body that would be many times its payload is refused', async (t) => {
  const { got, call, post } = await start(t, { limits: { maxMessageBytes: MIB } });
  const repeated = { body: { ['n'.repeat(100_000)]: Array.from({ length: 1_000 }, () => 1) } };
  const message = `body: takes more than ${4 * MIB} bytes as it is sent`;
  const form = bodyOf({ kind: 'form', contentType: 'application/x-www-form-urlencoded' });
  const multipart = bodyOf({ kind: 'multipart', contentType: 'multipart/form-data' });
  for (const body of [form, multipart]) assert.deepEqual(await issuesOf(call(post(body), repeated)), [message]);
  assert.equal(got.length, 0);
});

test('large files in base64 and large texts arrive decoded', async (t) => {
  const { got, last, call, post } = await start(t);
  const bytes = Buffer.alloc(11 * MIB, 'greenroom');
  const base64 = bytes.toString('base64');
  const binary = post(bodyOf({ kind: 'binary', contentType: 'application/zip' }));
  await call(binary, { body: { base64 } });
  assert.ok(last().body.equals(bytes));
  for (const broken of [
    `${base64.slice(0, -4)}!AAA`,
    `=${base64.slice(1)}`,
    base64.slice(1),
    `${base64.slice(0, -2)}=A`,
  ]) {
    assert.match(String(await issuesOf(call(binary, { body: { base64: broken } }))), /^body: expected the reading end/);
  }
  const text = 'é\n'.repeat(MIB);
  await call(post(bodyOf({ kind: 'text', contentType: 'text/csv' })), { body: text });
  assert.equal(last().body.toString(), text);
  assert.equal(got.length, 2);
});

test('a large multipart body has its files from base64 and from channels, in the order of the payload', async (t) => {
  const { last, call, channels, post } = await start(t);
  const channel = createChannel(channels);
  const files = ['first', 'second'];
  const multipart = post(bodyOf({ kind: 'multipart', contentType: 'multipart/form-data', files }));
  const [before, after] = ['é'.repeat(MIB), 'z'.repeat(MIB)];
  const first = { base64: Buffer.alloc(MIB, 'x').toString('base64'), filename: 'x.bin' };
  const whole = { before, first, after };
  await call(multipart, { body: whole });
  const x = 'x'.repeat(MIB);
  assert.deepEqual(await fieldsOf(last()), [
    ['before', before],
    ['first', ['x.bin', 'application/octet-stream', x]],
    ['after', after],
  ]);

  const answered = call(multipart, { body: { before, first, second: channel.reader, after } });
  channel.writable().end('from the channel');
  await answered;
  assert.equal(last().headers['transfer-encoding'], 'chunked');
  const named = (await fieldsOf(last())).map(([name, value]) => [
    name,
    Array.isArray(value) ? (value[2] as unknown) : value,
  ]);
  assert.deepEqual(named, Object.entries({ before, first: x, second: 'from the channel', after }));
});

test('each call is checked by its own schema, however many there are', async (t) => {
  const { post, serverOf } = await start(t);
  const { payload } = listOf('1', INLINE_PARSE_BYTES + 8);
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < MAX_READY_SCHEMAS + 2; n++) {
      const server = serverOf(post(JSON_BODY), { properties: { body: { maxItems: n } } });
      assert.deepEqual(await issuesOf(serve(server, payload)), [`body: expected at most ${n} items`]);
    }
  }
});

test("a schema that cannot be used is the source's fault, in the thread too", async (t) => {
  const { call, post } = await start(t, { schema: { properties: { body: { $ref: '#/$defs/Gone' } } } });
  assert.equal(await codeOf(call(post(JSON_BODY), listOf('1', MIB).payload)), 'invalid_source');
});

test('the page tells the bounds as they are', () => {
  const page = readFileSync(new URL('../../../docs/openapi.md', import.meta.url), 'utf8');
  const numbers = [INLINE_PARSE_BYTES, MAX_STEPS, MAX_CHECKING_STEPS].map((each) => each.toLocaleString('en'));
  for (const told of [...numbers, `${MAX_CHECKS} bodies or ${MAX_CHECKS_BYTES / MIB} MiB`]) {
    assert.ok(page.includes(told), told);
  }
});

test('the loop has its turns while 16 MiB are checked', async (t) => {
  const { call, post } = await start(t, { schema: RECORDS });
  const { payload } = listOf(RECORD, 16 * MIB - 200, '{}');
  await call(post(JSON_BODY), listOf(RECORD, MIB).payload);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  const issues = (await issuesOf(call(post(JSON_BODY), payload))) as string[];
  clearInterval(counting);
  delays.disable();
  const [longest, most] = [delays.max, delays.percentile(99)].map((ns) => Math.round(ns / 1e6));
  t.diagnostic(`${turns} turns, the longest wait ${longest} ms, 99 of 100 up to ${most} ms`);
  assert.ok(turns > 0);
  assert.match(issues.join(), /^body\.\d+\.id: required$/);
});

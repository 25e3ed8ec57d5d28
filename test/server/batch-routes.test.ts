// Batches over a real server, line by line: what is taken, what each line is answered with, and what is refused as a whole.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { ND, repliesOf, TO_E1, verdicts } from './batch-support.ts';
import { exchange, head, startEdge } from './support.ts';
import type { Reply } from './support.ts';

for (const type of ['application/x-ndjson', 'application/ndjson', 'Application/JSONL; charset=UTF-8']) {
  test(`a batch of the type ${type} is taken`, async (t) => {
    const { send, worker } = await startEdge(t);
    await worker('echo', 'e1');
    const { status, headers, text } = await send('POST', TO_E1, { body: '1\n2', headers: { 'content-type': type } });
    assert.deepEqual([status, headers['content-type']], [200, 'application/x-ndjson; charset=utf-8']);
    assert.deepEqual(
      repliesOf(text).map(({ ack }) => Object.keys(ack)),
      [
        ['worker_id', 'input_id', 'status', 'position', 'durability'],
        ['worker_id', 'input_id', 'status', 'position', 'durability'],
      ],
    );
  });
}

test('each line is accepted or refused on its own, in the order of the lines', async (t) => {
  const { runtime, send, worker } = await startEdge(t, { maxMessageBytes: 1_000 });
  await worker('counter', 'c1');
  const deep = `${'['.repeat(200)}${']'.repeat(200)}`;
  const body = Buffer.concat([
    Buffer.from('\uFEFF{"add":1}\r\n\n  \r\n{"add":"x"}\n{"add":\n'),
    Buffer.from([0x22, 0xff, 0x22, 0x0a]),
    Buffer.from(`"${'x'.repeat(1_000)}"\n{"__proto__":{}}\n${deep}\n{"add":2}`),
  ]);
  const answer = await send('POST', '/v1/workers/c1/inputs', { body, headers: ND });
  assert.deepEqual(verdicts(answer), [
    'ok',
    'invalid_input',
    'invalid_json',
    'invalid_json',
    'payload_too_large',
    'invalid_json',
    'invalid_json',
    'ok',
  ]);
  const replies = repliesOf(answer.text);
  assert.deepEqual(replies[4]?.error, {
    code: 'payload_too_large',
    message: 'The message is larger than the limit.',
    retryable: false,
    details: { payload_bytes: 1_002, limit_bytes: 1_000, hop: 'http' },
  });
  assert.deepEqual(replies[1]?.error.details.issues, [{ path: 'add', message: 'expected number' }]);
  assert.equal(await runtime.worker('c1').ask({ add: 0 }), 3);
});

test('a receipt is the text of the acknowledgement of a single input', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const single = await send('POST', '/v1/workers/e1/input', { body: '1' });
  const batch = await send('POST', TO_E1, { body: '1', headers: ND });
  const shape = (text: string): string =>
    text
      .trim()
      .replace(/-\d+"/, '"')
      .replace(/"status":"\w+"/, '');
  assert.equal(shape(batch.text), shape(single.text));
  const { input_id: inputId } = (repliesOf(batch.text)[0] as Reply).ack;
  const look = await send('GET', `/v1/workers/e1/inputs/${inputId}`);
  assert.equal(look.status, 200);
});

test('a batch is answered the same wherever it is cut', async (t) => {
  const { port, worker } = await startEdge(t, { maxMessageBytes: 1_000 });
  await worker('echo', 'e1');
  const body = Buffer.from(
    `{"worker_id":"e1","input":"ä😀"}\r\n\n{"worker_id":"none","input":1}\n{"worker_id":"e1","input":"${'x'.repeat(1_010)}"}\n{"worker_id":"e1","input":[2]}`,
  );
  const framing = [`content-length: ${body.length}`, 'content-type: application/x-ndjson', 'connection: close'];
  const cuts = Array.from({ length: body.length + 1 }, (_, at) => at).filter((at) => at < 80 || at > body.length - 40);
  for (const at of cuts) {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write(Buffer.concat([Buffer.from(head('POST', '/v1/inputs', ...framing)), body.subarray(0, at)]));
    // Two writes in two turns; whether the server sees two pieces is up to the kernel, and mostly it does.
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(body.subarray(at));
    await once(socket, 'close');
    const codes = [...text.matchAll(/\{"(ack)"|"code":"(\w+)"/g)].map(([, ack, code]) => ack ?? code);
    assert.deepEqual(codes, ['ack', 'worker_not_found', 'payload_too_large', 'ack'], `cut at ${at}`);
  }
});

test('what concerns the request as a whole is refused before a line is read', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const refusal = async (method: string, path: string, headers: Record<string, string>, token?: null) => {
    const { status, json } = await send(method, path, { body: '1\n', headers, ...(token === null && { token }) });
    return [status, json.error.code];
  };
  assert.deepEqual(await refusal('POST', TO_E1, ND, null), [401, 'unauthorized']);
  assert.deepEqual(await refusal('POST', TO_E1, {}), [415, 'unsupported_media_type']);
  assert.deepEqual(await refusal('POST', TO_E1, { ...ND, 'content-encoding': 'gzip' }), [
    415,
    'unsupported_media_type',
  ]);
  assert.deepEqual(await refusal('POST', '/v1/workers/e1/input', ND), [415, 'unsupported_media_type']);
  assert.deepEqual(await refusal('POST', '/v1/workers/none/inputs', ND), [404, 'worker_not_found']);
  assert.deepEqual(await refusal('POST', '/v1/workers/a%20b/inputs', ND), [400, 'invalid_worker_id']);
  assert.deepEqual(await refusal('POST', `${TO_E1}?a=1`, ND), [400, 'invalid_query']);
  assert.deepEqual(await refusal('POST', '/v1/inputs', { ...ND, 'idempotency-key': 'k' }), [400, 'invalid_request']);
  assert.deepEqual(await refusal('PUT', '/v1/inputs', ND), [405, 'method_not_allowed']);
  assert.deepEqual(await refusal('DELETE', TO_E1, ND), [405, 'method_not_allowed']);
});

test('an empty batch has no receipts', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  for (const body of ['', '\n \r\n']) {
    const { status, text } = await send('POST', TO_E1, { body, headers: ND });
    assert.deepEqual([status, text], [200, '']);
  }
});

test('lines for many workers have keys and deadlines of their own', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('counter', 'c1');
  await worker('counter', 'c2');
  const body = [
    '{"worker_id":"c1","input":{"add":1},"idempotency_key":"k"}',
    '{"worker_id":"c2","input":{"add":1},"idempotency_key":"k","deadline_ms":1000}',
    '{"worker_id":"c1","input":{"add":1},"idempotency_key":"k"}',
    '{"worker_id":"c1","input":{"add":2},"idempotency_key":"k"}',
    '{"worker_id":"gone","input":{"add":2}}',
    '{"worker_id":"c1","input":{"add":2},"colour":"red"}',
  ].join('\n');
  const answer = await send('POST', '/v1/inputs', { body, headers: ND });
  assert.deepEqual(verdicts(answer), ['ok', 'ok', 'ok', 'idempotency_conflict', 'worker_not_found', 'invalid_request']);
  const ids = repliesOf(answer.text).map((reply) => (reply.ack as Reply['ack'] | undefined)?.input_id);
  assert.equal(ids[0], ids[2]);
  assert.notEqual(ids[0], ids[1]);
  const single = await send('POST', '/v1/workers/c1/input', { body: '{"add":1}', headers: { 'idempotency-key': 'k' } });
  assert.equal(single.json.ack.input_id, ids[0], 'the same input over the other route');
});

test('large lines keep their place, and reach the actor whole', async (t) => {
  const { runtime, send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const large = 'ä'.repeat(200_000);
  const body = `1\n"${large}"\n{"bad":\n"${large}\n3\n`;
  const answer = await send('POST', TO_E1, { body, headers: ND });
  assert.deepEqual(verdicts(answer), ['ok', 'ok', 'invalid_json', 'invalid_json', 'ok']);
  const across = `{"input":"${large}","worker_id":"e1"}\n{"worker_id":"e1","input":4}\n`;
  assert.deepEqual(verdicts(await send('POST', '/v1/inputs', { body: across, headers: ND })), ['ok', 'ok']);
  const inputs: unknown[] = [];
  for await (const entry of runtime.worker('e1').transcript()) if (entry.type === 'input') inputs.push(entry.data);
  assert.deepEqual(inputs.slice(-2), [large, 4]);
});

test('the rest of a body that is no batch is not taken for one', async (t) => {
  const { port, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const { status, json } = await exchange(
    port,
    head('POST', TO_E1, 'content-length: 2', 'content-type: text/plain', 'connection: close'),
    '1\n',
  );
  assert.deepEqual([status, json.error.code], [415, 'unsupported_media_type']);
});

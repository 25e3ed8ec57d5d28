// Lines of a batch that find no room: how long they wait, for what, and what ends the wait.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitted, openGate } from '../support/start-runtime.ts';
import { ND, OpenBatch, repliesOf, startGated, TO_E1, verdicts } from './batch-support.ts';
import type { Reply } from './support.ts';

test('a full worker holds its lines back until there is room, and every one runs once', async (t) => {
  const { runtime, send, worker } = await startGated(t);
  await worker('echo', 'e1');
  const total = 100_000;
  const body = Array.from({ length: total }, (_, index) => `${index}\n`).join('');
  const answer = await send('POST', TO_E1, { body, headers: ND });
  const replies = repliesOf(answer.text);
  assert.equal(replies.length, total);
  assert.equal(new Set(replies.map(({ ack }) => ack.input_id)).size, total);
  await runtime.worker('e1').ask('last');
  // An input and an output each, the one that created it, and the two of the last.
  assert.equal(runtime.worker('e1').view().lastSequence, 1 + 2 * total + 2);
});

test('a worker that never has room is waited for once; then its lines are refused, and those of others accepted', async (t) => {
  const { runtime, send, worker } = await startGated(t);
  await worker('narrow', 'n1');
  await worker('echo', 'e1');
  await runtime.worker('n1').tell({ wait: 'never' });
  await emitted(runtime.worker('n1'), 'waiting');
  const line = '{"worker_id":"n1","input":{}}\n';
  const body = `${line.repeat(5)}{"worker_id":"e1","input":1}\n${line.repeat(1_000)}`;
  const startedAt = performance.now();
  const answer = await send('POST', '/v1/inputs', { body, headers: { ...ND, prefer: 'wait=0.2' } });
  assert.ok(performance.now() - startedAt >= 200);
  assert.equal(answer.headers['preference-applied'], 'wait=0.2');
  const codes = verdicts(answer);
  assert.deepEqual(codes.slice(0, 6), ['ok', 'ok', 'ok', 'worker_busy', 'worker_busy', 'ok']);
  assert.ok(codes.slice(6).every((code) => code === 'worker_busy'));
  const [first] = repliesOf(answer.text).filter(({ error }) => (error as unknown) !== undefined);
  assert.equal(typeof (first?.error.details as unknown as { retry_after_ms: number }).retry_after_ms, 'number');
});

test('with wait=0 a full worker refuses at once', async (t) => {
  const { runtime, send, worker } = await startGated(t);
  await worker('narrow', 'n1');
  await runtime.worker('n1').tell({ wait: 'never' });
  await emitted(runtime.worker('n1'), 'waiting');
  const answer = await send('POST', '/v1/workers/n1/inputs', {
    body: '{}\n'.repeat(5),
    headers: { ...ND, prefer: 'wait=0' },
  });
  assert.deepEqual(verdicts(answer), ['ok', 'ok', 'ok', 'worker_busy', 'worker_busy']);
});

test('a line that waits goes on when its worker does, and does not hold up other requests', async (t) => {
  const { runtime, port, send, worker } = await startGated(t);
  await worker('narrow', 'n1');
  await runtime.worker('n1').tell({ wait: 'batch-gate' });
  await emitted(runtime.worker('n1'), 'waiting');
  const batch = new OpenBatch(port, '/v1/workers/n1/inputs', 'connection: close');
  t.after(() => batch.socket.destroy());
  batch.write('{}\n'.repeat(10));
  batch.end();
  await batch.receipts(3);
  assert.equal((await send('GET', '/v1/runtime')).json.runtime.status, 'running');
  openGate('batch-gate');
  assert.equal((await batch.receipts(10)).filter((line) => line.startsWith('{"ack"')).length, 10);
});

test('lines wait for bytes of the runtime as they do for their worker', async (t) => {
  const { runtime, send, worker } = await startGated(t, { maxMessageBytes: 10_000, maxTotalBytes: 60_000 });
  await worker('gate', 'g1');
  await worker('echo', 'e1');
  await runtime.worker('g1').tell({ wait: 'bytes-gate', say: 'x'.repeat(9_000) });
  await emitted(runtime.worker('g1'), 'waiting');
  await runtime.worker('g1').tell({ say: 'x'.repeat(9_000) });
  await runtime.worker('g1').tell({ say: 'x'.repeat(9_000) });
  const body = `"${'y'.repeat(5_000)}"\n`;
  const refused = await send('POST', TO_E1, { body, headers: { ...ND, prefer: 'wait=0' } });
  assert.deepEqual(verdicts(refused), ['runtime_overloaded']);
  const accepted = send('POST', TO_E1, { body: body.repeat(20), headers: ND });
  openGate('bytes-gate');
  assert.deepEqual(new Set(verdicts(await accepted)), new Set(['ok']));
});

test('a worker that is stopped or deleted while a line waits refuses that line and the rest', async (t) => {
  const { runtime, port, worker } = await startGated(t);
  await worker('narrow', 'n1');
  await runtime.worker('n1').tell({ wait: 'never' });
  await emitted(runtime.worker('n1'), 'waiting');
  const batch = new OpenBatch(port, '/v1/workers/n1/inputs', 'connection: close');
  t.after(() => batch.socket.destroy());
  batch.write('{}\n'.repeat(6));
  await batch.receipts(3);
  await runtime.worker('n1').delete({ force: true });
  const codes = (await batch.receipts(6)).slice(3).map((line) => (JSON.parse(line) as Reply).error.code);
  assert.ok(
    codes.every((code) => ['worker_stopping', 'worker_stopped', 'worker_not_found'].includes(code)),
    String(codes),
  );
  batch.write('{}\n');
  assert.match((await batch.receipts(7))[6] ?? '', /worker_not_found/);
  batch.end();
});

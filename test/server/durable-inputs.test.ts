// Inputs over HTTP when the store takes its time: nothing is acknowledged before it is kept.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { MAX_UNKEPT_LINES } from '../../lib/server/bounds.ts';
import { HeldStore } from '../support/held-store.ts';
import { eventually, temporaryFolder } from '../support/start-runtime.ts';
import { ND, OpenBatch, repliesOf, TO_E1, verdicts } from './batch-support.ts';
import { startServer } from '../../lib/server/index.ts';
import { clientOf, startEdge, startRuntime, TOKEN } from './support.ts';
import type { Answer, Edge } from './support.ts';

const INPUT = '/v1/workers/e1/input';

async function start(t: TestContext): Promise<{ edge: Edge; store: HeldStore }> {
  const store = new HeldStore(t);
  const edge = await startEdge(t, {}, undefined, { store: 'memory' });
  await edge.worker('echo', 'e1');
  store.hold();
  return { edge, store };
}

const durabilities = ({ text }: Answer) => repliesOf(text).map(({ ack }) => ack.durability);

/** The answer once it is there, for looking whether it is. */
function watch(answer: Promise<Answer>): { answer: Promise<Answer>; isThere: () => boolean } {
  let isThere = false;
  void answer.then(() => (isThere = true));
  return { answer, isThere: () => isThere };
}

/** Enough turns of the loop for an answer to get through, if there were one. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('an input is acknowledged when it is kept, and the acknowledgement says that it is durable', async (t) => {
  const { edge, store } = await start(t);
  const { answer, isThere } = watch(edge.send('POST', INPUT, { body: '1' }));
  await eventually(() => store.pending > 0);
  await turns();
  assert.equal(isThere(), false);
  store.release();
  const { status, json } = await answer;
  assert.deepEqual([status, json.ack.durability], [202, 'durable']);
});

test('an input says whether it is to be kept, alone, in a batch or for a whole batch; a volatile one is not waited for', async (t) => {
  const { edge, store } = await start(t);
  const headers = { 'greenroom-durability': 'volatile' };
  const ended = await edge.send('POST', INPUT, { body: '1', headers: { ...headers, prefer: 'wait=20' } });
  assert.deepEqual([ended.status, ended.json.result.output], [200, 1]);
  const { json } = await edge.send('POST', INPUT, { body: '1', headers });
  assert.equal(json.ack.durability, 'volatile');
  const batch = await edge.send('POST', TO_E1, { body: '1\n2\n', headers: { ...ND, ...headers } });
  assert.deepEqual(durabilities(batch), ['volatile', 'volatile']);
  const line = (durability?: string) => `${JSON.stringify({ worker_id: 'e1', input: 1, durability })}\n`;
  const mixed = edge.send('POST', '/v1/inputs', { body: line() + line('volatile') + line('durable'), headers: ND });
  await eventually(() => store.pending > 0);
  store.release();
  assert.deepEqual(durabilities(await mixed), ['durable', 'volatile', 'durable']);
});

test('a durability that is none is refused, and says where it stands', async (t) => {
  const { edge } = await start(t);
  const { json } = await edge.send('POST', INPUT, { body: '1', headers: { 'greenroom-durability': 'sometimes' } });
  const expected = 'expected durable or volatile';
  assert.deepEqual(json.error.details.issues, [{ path: 'greenroom-durability', message: expected }]);
  const line = '{"worker_id":"e1","input":1,"durability":"sometimes"}\n{"worker_id":"e1","input":1,"durability":1}\n';
  const batch = await edge.send('POST', '/v1/inputs', { body: line, headers: ND });
  assert.deepEqual(
    repliesOf(batch.text).map(({ error }) => error.details.issues),
    [[{ path: 'durability', message: expected }], [{ path: 'durability', message: 'expected string' }]],
  );
});

test('an input that cannot be kept is refused, also to whoever waits for its outcome', async (t) => {
  const { edge, store } = await start(t);
  for (const headers of [{}, { prefer: 'wait=20' }]) {
    store.hold();
    const sent = edge.send('POST', INPUT, { body: '1', headers });
    await eventually(() => store.pending > 0);
    store.refuse();
    const { status, json } = await sent;
    assert.deepEqual([status, json.error.code], [503, 'runtime_unavailable']);
    assert.deepEqual(json.error.details, { reason: 'store_failed' });
  }
  assert.equal((await edge.send('POST', INPUT, { body: '1', headers: { prefer: 'wait=20' } })).status, 200);
});

test('a wait that is over before the input is kept goes on until it is', async (t) => {
  const { edge, store } = await start(t);
  const { answer, isThere } = watch(edge.send('POST', INPUT, { body: '1', headers: { prefer: 'wait=0.001' } }));
  await eventually(() => store.pending > 0);
  await turns();
  assert.equal(isThere(), false);
  store.commit(); // the acceptance; its run is held again
  const { status, json, headers } = await answer;
  assert.deepEqual([status, json.ack.worker_id, headers['preference-applied']], [202, 'e1', 'wait=0.001']);
});

test('a batch goes on while its first lines are being kept, and its receipts come in order', async (t) => {
  const { edge, store } = await start(t);
  const batch = new OpenBatch(edge.port, TO_E1, 'connection: close');
  batch.write('1\n2\nnope\n3\n');
  await eventually(() => edge.runtime.supervisor.view('e1').mailbox.messages >= 2);
  batch.write('4\n');
  batch.end();
  await eventually(() => edge.runtime.supervisor.view('e1').lastSequence >= 5);
  await turns();
  assert.equal(batch.received.includes('ack'), false);
  store.release();
  await once(batch.socket, 'close');
  const codes = batch.received.split('\n').filter((line) => line.startsWith('{'));
  assert.deepEqual(
    codes.map((line) =>
      line.startsWith('{"ack"') ? 'ok' : (JSON.parse(line) as { error: { code: string } }).error.code,
    ),
    ['ok', 'ok', 'invalid_json', 'ok', 'ok'],
  );
});

test('lines of a batch that cannot be kept are refused, each in its place', async (t) => {
  const { edge, store } = await start(t);
  const sent = edge.send('POST', TO_E1, { body: '1\nnope\n2\n', headers: ND });
  await eventually(() => edge.runtime.supervisor.view('e1').lastSequence >= 3);
  store.refuse();
  assert.deepEqual(verdicts(await sent), ['runtime_unavailable', 'invalid_json', 'runtime_unavailable']);
});

test('two lines with one key are one input, and each gets its receipt', async (t) => {
  const { edge, store } = await start(t);
  const line = '{"worker_id":"e1","input":1,"idempotency_key":"k"}\n';
  const sent = edge.send('POST', '/v1/inputs', { body: line + line, headers: ND });
  await eventually(() => store.pending > 0);
  await turns();
  store.release();
  const [first, second] = repliesOf((await sent).text);
  assert.equal(first?.ack.input_id, second?.ack.input_id);
});

test('a batch reads no further than so many lines that are not kept', async (t) => {
  const { edge, store } = await start(t);
  store.release();
  const workers = Array.from({ length: 20 }, (_, index) => `w${index}`);
  for (const workerId of workers) await edge.worker('echo', workerId);
  store.hold();
  const lines = Array.from({ length: 20_000 }, (_, n) => `{"worker_id":"w${n % 20}","input":1}\n`);
  const sent = edge.send('POST', '/v1/inputs', { body: lines.join(''), headers: ND });
  const { supervisor } = edge.runtime;
  const taken = async () => (await supervisor.describe()).mailbox.messages;
  await eventually(async () => (await taken()) >= MAX_UNKEPT_LINES);
  await turns();
  assert.equal(await taken(), MAX_UNKEPT_LINES);
  store.release();
  assert.ok(verdicts(await sent).every((verdict) => verdict === 'ok'));
});

test('many lines of a batch share one commit of a store on disk', async (t) => {
  const runtime = await startRuntime(t, {}, { store: 'lmdb', dataDir: temporaryFolder(t) });
  const server = await startServer({ runtime, token: TOKEN });
  t.after(() => server.close());
  const { send, worker } = clientOf(t, server.url);
  await worker('echo', 'e1');
  const commits = async () => (await runtime.describe()).storage?.commits ?? 0;
  const before = await commits();
  const answer = await send('POST', TO_E1, { body: '1\n'.repeat(10_000), headers: ND });
  assert.equal(durabilities(answer).filter((durability) => durability === 'durable').length, 10_000);
  const used = (await commits()) - before;
  assert.ok(used > 0 && used < 1_000, `${used} commits`);
});

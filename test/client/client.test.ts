// The client against a real runtime behind its real server: what the embedded API promises holds from afar.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type counter from '../../actors/counter.ts';
import type digest from '../../actors/digest.ts';
import type ledger from '../../actors/ledger.ts';
import { createClient, GreenroomError } from '../../lib/client/index.ts';
import type { Client, ClientOptions, PeerSummary, TranscriptEntry, WorkerSummary } from '../../lib/client/index.ts';
import { createRuntime } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';

const TOKEN = 'client-test-token';
const ENDLESS = { text: 'a', rounds: 1_000_000_000 };
const hasCode = (code: string) => (error: unknown) => error instanceof GreenroomError && error.code === code;

async function startAll(t: TestContext, options: Partial<ClientOptions> = {}): Promise<Client> {
  const runtime = await createRuntime({
    actors: [new URL('../../actors/', import.meta.url)],
    hosts: 0,
    limits: { maxTranscriptEntries: 1_024 },
  });
  const server = await startServer({ runtime, token: TOKEN, host: '127.0.0.1', port: 0 });
  const client = createClient({ url: server.url, token: TOKEN, ...options });
  t.after(async () => {
    await client.close();
    await server.close();
    await runtime.close({ deadlineMs: 1_000 });
  });
  return client;
}

test('a worker is created, asked, told, looked at, stopped, restored and deleted', async (t) => {
  const client = await startAll(t);
  const worker = await client.create<typeof counter>({
    kind: 'counter',
    workerId: 'c1',
    config: { start: 1 },
    displayName: 'One',
  });
  assert.equal(worker.workerId, 'c1');
  assert.equal(await worker.ask({ add: 2 }, { timeoutMs: 5_000 }), 3);
  const receipt = await worker.tell({ add: 4 });
  assert.equal(receipt.workerId, 'c1');
  assert.equal(await worker.ask({ add: 0 }), 7);
  const input = await worker.input(receipt.inputId);
  assert.deepEqual([input.status, input.outcome, input.output, input.attempt], ['ended', 'completed', 7, 1]);
  const view = await worker.view();
  assert.deepEqual(
    [view.workerId, view.kind, view.displayName, view.status, view.config],
    ['c1', 'counter', 'One', 'idle', { start: 1 }],
  );
  const ack = await worker.stop({ drain: true, reason: 'done' });
  assert.deepEqual([ack.status, ack.reason], ['stopped', 'done']);
  await assert.rejects(worker.ask({ add: 1 }), hasCode('worker_stopped'));
  assert.equal((await worker.restore()).workerId, 'c1');
  assert.equal(await worker.ask({ add: 0 }), 7);
  await assert.rejects(worker.delete(), hasCode('worker_active'));
  assert.equal((await worker.delete({ force: true })).workerId, 'c1');
  await assert.rejects(worker.view(), hasCode('worker_not_found'));
});

test('an ask rejects with the code, status and details that the actor gave', async (t) => {
  const bank = await (await startAll(t)).create<typeof ledger>({ kind: 'ledger', config: { accounts: { alice: 5 } } });
  await assert.rejects(bank.ask({ type: 'withdraw', account: 'alice', cents: 6 }), (error: GreenroomError) => {
    assert.deepEqual([error.code, error.status, error.retryable], ['insufficient_funds', 422, false]);
    assert.deepEqual(error.details, { account: 'alice', balance_cents: 5, requested_cents: 6 });
    return true;
  });
});

test('refusals of the runtime arrive with their code, status and details', async (t) => {
  const client = await startAll(t);
  const worker = await client.create({ kind: 'counter', workerId: 'c1' });
  await assert.rejects(worker.tell({ add: 'one' }), (error: GreenroomError) => {
    assert.deepEqual([error.code, error.status, error.retryable], ['invalid_input', 422, false]);
    assert.equal((error.details as { issues: { path: string }[] }).issues[0]?.path, 'add');
    return true;
  });
  await assert.rejects(
    client.create({ kind: 'counter', workerId: 'c1', config: { start: 1 } }),
    hasCode('worker_exists'),
  );
  await assert.rejects(client.create({ kind: 'nobody' }), hasCode('actor_not_found'));
  await assert.rejects(client.worker('nobody').ask(1), hasCode('worker_not_found'));
  await assert.rejects(worker.input('nobody'), hasCode('input_not_found'));
});

test('the same create again gives the same worker', async (t) => {
  const client = await startAll(t);
  const request = { kind: 'counter', workerId: 'c1', config: { start: 3 } };
  await (await client.create<typeof counter>(request)).ask({ add: 1 });
  assert.equal(await (await client.create<typeof counter>(request)).ask({ add: 1 }), 5);
});

test('an idempotency key makes one input of two sends', async (t) => {
  const worker = await (await startAll(t)).create<typeof counter>({ kind: 'counter' });
  const first = await worker.tell({ add: 1 }, { idempotencyKey: 'k1' });
  assert.equal((await worker.tell({ add: 1 }, { idempotencyKey: 'k1' })).inputId, first.inputId);
  assert.equal(await worker.ask({ add: 1 }, { idempotencyKey: 'k1' }), 1);
  await assert.rejects(worker.ask({ add: 2 }, { idempotencyKey: 'k1' }), hasCode('idempotency_conflict'));
  assert.equal(await worker.ask({ add: 0 }), 1);
});

test('an ask whose time is up names its input, which runs on and can be cancelled', async (t) => {
  const worker = await (await startAll(t)).create<typeof digest>({ kind: 'digest' });
  // Long enough for the receipt to come back on a busy machine: without it there is no id to name.
  const error: unknown = await worker.ask(ENDLESS, { timeoutMs: 2_000 }).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof GreenroomError && error.code === 'timeout');
  const inputId = String(error.details?.['input_id']);
  assert.equal((await worker.input(inputId)).status, 'running');
  assert.equal((await worker.cancel({ inputId, reason: 'late' })).effect, 'aborting');
});

test('aborting an ask cancels its input at the runtime', async (t) => {
  const worker = await (await startAll(t)).create<typeof digest>({ kind: 'digest' });
  const controller = new AbortController();
  const aborted = worker.ask(ENDLESS, { signal: controller.signal });
  const next = worker.ask({ text: 'a' }); // it can only run once the first has ended
  controller.abort('enough');
  await assert.rejects(aborted, (error: GreenroomError) => error.code === 'cancelled' && error.cause === 'enough');
  assert.equal((await next).rounds, 1);
});

test('an ask that outlives the time for which the runtime holds an answer back still gets it', async (t) => {
  const worker = await (await startAll(t)).create<typeof digest>({ kind: 'digest' });
  const { signal } = new AbortController(); // makes the runtime hold the answer back for a quarter of a second only
  const { rounds } = await worker.ask({ text: 'a', rounds: 200, algorithm: 'scrypt' }, { signal });
  assert.equal(rounds, 200);
});

test('a transcript is read page by page and ends at the newest entry', async (t) => {
  const worker = await (await startAll(t)).create({ kind: 'echo', workerId: 'e1' });
  // More than a page of the server, and within what is kept.
  for (let n = 0; n < 300; n++) await worker.tell({ some_key: n });
  await worker.ask('last');
  const entries: TranscriptEntry[] = [];
  for await (const entry of worker.transcript()) entries.push(entry);
  assert.equal(entries.length, (await worker.view()).lastSequence);
  assert.deepEqual(
    entries.map(({ sequence }) => sequence),
    entries.map((_, index) => index + 1),
  );
  assert.equal(entries[0]?.type, 'created');
  assert.deepEqual([entries.at(-1)?.type, entries.at(-1)?.data], ['output', 'last']);
  const rest: TranscriptEntry[] = [];
  for await (const entry of worker.transcript({ after: entries.length - 2 })) rest.push(entry);
  assert.deepEqual(rest, entries.slice(-2));
});

test('workers are listed over several pages, filtered by kind and status', async (t) => {
  const client = await startAll(t);
  const ids = Array.from({ length: 1_001 }, (_, n) => `e${String(n).padStart(4, '0')}`);
  await Promise.all(ids.map((workerId) => client.create({ kind: 'echo', workerId })));
  await client.create({ kind: 'counter', workerId: 'c1' });
  const listed: (PeerSummary | WorkerSummary)[] = [];
  for await (const worker of client.workers({ kind: 'echo' })) listed.push(worker);
  assert.deepEqual(
    listed.map(({ workerId }) => workerId),
    ids,
  );
  await client.worker('c1').stop();
  const stopped: (PeerSummary | WorkerSummary)[] = [];
  for await (const worker of client.workers({ status: 'stopped' })) stopped.push(worker);
  assert.deepEqual(
    stopped.map(({ workerId }) => workerId),
    ['c1'],
  );
});

test('the runtime describes itself and its actors in camelCase, schemas untouched', async (t) => {
  const client = await startAll(t);
  const runtime = await client.describe();
  assert.equal(runtime.status, 'running');
  assert.equal(runtime.limits.maxMessageBytes, 16_777_216);
  const actors = await client.actors();
  assert.deepEqual(actors.map(({ kind }) => kind).toSorted(), ['agent', 'counter', 'digest', 'echo', 'ledger']);
  const { inputSchema } = actors.find(({ kind }) => kind === 'counter') ?? assert.fail();
  assert.deepEqual((inputSchema as { required: string[] }).required, ['add']);
});

test('a client that may end the runtime gets the report', async (t) => {
  const client = await startAll(t);
  const worker = await client.create({ kind: 'counter' });
  await worker.ask({ add: 1 });
  const report = await client.drain({ deadlineMs: 1_000 });
  assert.deepEqual([report.killed, report.unclean, report.uncleanTotal], [0, [], 0]);
  await assert.rejects(worker.tell({ add: 1 }), { code: 'runtime_unavailable' });
});

test('a wrong token is refused', async (t) => {
  const client = await startAll(t, { token: 'wrong' });
  await assert.rejects(
    client.describe(),
    (error: GreenroomError) => error.code === 'unauthorized' && error.status === 401,
  );
});

test('a message at the runtime’s own limit goes there and back', async (t) => {
  const worker = await (await startAll(t)).create({ kind: 'echo' });
  const largest = 'x'.repeat(16_777_216 - 2);
  assert.equal(await worker.ask(largest), largest);
  await assert.rejects(worker.ask(`${largest}x`), (error: GreenroomError) => error.details?.['hop'] === 'client');
});

test('a runtime with a higher limit than the client’s is not asked for it, one with a lower limit says so', async (t) => {
  const worker = await (await startAll(t, { maxMessageBytes: 17_000_000 })).create({ kind: 'echo' });
  await assert.rejects(worker.tell('x'.repeat(16_777_216)), (error: GreenroomError) => {
    assert.equal(error.code, 'payload_too_large');
    assert.deepEqual(error.details, { payload_bytes: 16_777_218, limit_bytes: 16_777_216, hop: 'http' });
    return true;
  });
});

test('a thousand asks at once all get their own answer', async (t) => {
  const worker = await (await startAll(t)).create({ kind: 'echo' });
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, n) => worker.ask(n)));
  assert.deepEqual(
    answers,
    Array.from({ length: 1_000 }, (_, n) => n),
  );
});

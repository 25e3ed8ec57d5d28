import assert from 'node:assert/strict';
import { createHash, scryptSync } from 'node:crypto';
import { test } from 'node:test';
import type { Runtime } from '../../lib/runtime.ts';
import { hasCode, startRuntime } from './runtime.ts';

/** Would take half an hour and more: whoever waits for it waits in vain. */
const ENDLESS = { text: 'a', rounds: 1_000_000_000 };

/** The one host serves inputs of one loop turn in their order: once a neighbour has answered, what was sent before it runs. */
async function untilRunning(runtime: Runtime): Promise<void> {
  await (await runtime.create({ kind: 'echo' })).ask(null);
}

test('digest hashes a text once unless told otherwise', async (t) => {
  const digest = await (await startRuntime(t)).create({ kind: 'digest' });
  assert.deepEqual(await digest.ask({ text: 'é' }), {
    digest: createHash('sha256').update('é').digest('hex'),
    rounds: 1,
  });
});

test('digest hashes the hash in every further round, whatever its slices are', async (t) => {
  const digest = await (await startRuntime(t)).create({ kind: 'digest' });
  let sha256 = Buffer.from('abc');
  for (let round = 0; round < 20_000; round++) sha256 = createHash('sha256').update(sha256).digest();
  assert.deepEqual(await digest.ask({ text: 'abc', rounds: 20_000 }), {
    digest: sha256.toString('hex'),
    rounds: 20_000,
  });
  let scrypt = Buffer.from('abc');
  for (let round = 0; round < 3; round++) scrypt = scryptSync(scrypt, 'greenroom', 32, { N: 1_024, r: 8, p: 1 });
  assert.deepEqual(await digest.ask({ text: 'abc', rounds: 3, algorithm: 'scrypt' }), {
    digest: scrypt.toString('hex'),
    rounds: 3,
  });
});

test('a long digest reports its progress in a bounded number of rising steps', async (t) => {
  const digest = await (await startRuntime(t)).create({ kind: 'digest' });
  await digest.ask({ text: 'abc', rounds: 50, algorithm: 'scrypt' });
  const steps: number[] = [];
  for await (const { type, data } of digest.transcript({ after: 0 })) {
    if (type === 'emitted') steps.push((data as { rounds: number }).rounds);
  }
  assert.ok(steps.length >= 5 && steps.length < 10, `${steps.length} steps`);
  assert.deepEqual(
    steps,
    steps.toSorted((a, b) => a - b),
  );
});

test('a cancel ends a long digest at its next checkpoint, and the host lives on', async (t) => {
  const runtime = await startRuntime(t);
  const digest = await runtime.create({ kind: 'digest' });
  const { inputId } = await digest.tell(ENDLESS);
  await untilRunning(runtime);
  const next = digest.ask({ text: 'a' });
  const startedAt = performance.now();
  await digest.cancel({ inputId, reason: 'enough' });
  assert.deepEqual(await next, { digest: createHash('sha256').update('a').digest('hex'), rounds: 1 });
  assert.ok(performance.now() - startedAt < 1_000);
  assert.equal(digest.view().restarts, 0);
  assert.equal(digest.input(inputId).outcome, 'cancelled');
});

test('aborting the signal of an ask cancels the digest', async (t) => {
  const runtime = await startRuntime(t);
  const digest = await runtime.create({ kind: 'digest' });
  const controller = new AbortController();
  const endless = assert.rejects(digest.ask(ENDLESS, { signal: controller.signal }), hasCode('cancelled'));
  await untilRunning(runtime);
  const next = digest.ask({ text: 'a' });
  controller.abort(new Error('enough'));
  await endless;
  await next;
  assert.equal(digest.view().restarts, 0);
});

test('a neighbour on the same host is served while a digest runs', async (t) => {
  const runtime = await startRuntime(t);
  const digest = await runtime.create({ kind: 'digest' });
  const { inputId } = await digest.tell(ENDLESS);
  const echo = await runtime.create({ kind: 'echo' });
  const startedAt = performance.now();
  for (let n = 0; n < 10; n++) assert.equal(await echo.ask(n), n);
  assert.ok(performance.now() - startedAt < 1_000);
  assert.equal(digest.input(inputId).status, 'running');
  await digest.cancel({ inputId });
});

test('digest refuses rounds and algorithms that it does not know', async (t) => {
  const digest = await (await startRuntime(t)).create({ kind: 'digest' });
  const inputs = [
    { text: 'a', rounds: 0 },
    { text: 'a', rounds: 1.5 },
    { text: 'a', algorithm: 'md5' },
    { text: 'a'.repeat(65_537) },
    {},
  ];
  for (const input of inputs) await assert.rejects(digest.ask(input), hasCode('invalid_input'));
});

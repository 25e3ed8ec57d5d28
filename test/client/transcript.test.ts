// A reader of a transcript from afar that falls behind what is kept of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GreenroomError, WorkerHandle } from '../../lib/client/index.ts';
import type { TranscriptOptions } from '../../lib/client/index.ts';
import { startServer } from '../../lib/server/index.ts';
import { codeOf, startRuntime } from '../support/start-runtime.ts';
import { clientOf, reply, startFake, TOKEN } from './fake.ts';

async function seqsOf(worker: WorkerHandle, options?: TranscriptOptions): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { sequence } of worker.transcript(options)) seqs.push(sequence);
  return seqs;
}

test('a reader behind what was trimmed is told so, or goes on with what is kept if it says so', async (t) => {
  const runtime = await startRuntime(t, { hosts: 0, limits: { maxTranscriptEntries: 4 } });
  const server = await startServer({ runtime, token: TOKEN, host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  const worker = await clientOf(t, server.url).create({ kind: 'echo', workerId: 'e1' });
  for (const n of [1, 2, 3]) await worker.ask(n);
  assert.deepEqual(
    [await seqsOf(worker), await seqsOf(worker, { after: 3 })],
    [
      [4, 5, 6, 7],
      [4, 5, 6, 7],
    ],
  );
  await assert.rejects(seqsOf(worker, { after: 2 }), (error: GreenroomError) => {
    assert.deepEqual([error.code, error.status, error.retryable], ['transcript_trimmed', 410, false]);
    assert.deepEqual(error.details, { first_sequence: 4, resume_after: 3 });
    return true;
  });
  assert.deepEqual(await seqsOf(worker, { after: 2, skipTrimmed: true }), [4, 5, 6, 7]);
  const { firstSequence, lastSequence } = await worker.view();
  assert.deepEqual([firstSequence, lastSequence], [4, 7]);
});

/** A server whose first page ends at 2, and that keeps nothing before 6 by the time of the second. */
const trimming = (resumeAfter: number) => (path: string) => {
  const after = Number(new URL(path, 'http://fake').searchParams.get('after'));
  const item = (sequence: number) => ({ sequence, at: '2026-01-01T00:00:00.000Z', type: 'output', data: null });
  const page = (seqs: number[], hasMore: boolean) => ({
    status: 200,
    body: { transcript: { worker_id: 'w1', items: seqs.map(item), next_after: seqs.at(-1), has_more: hasMore } },
  });
  if (after === 0) return page([1, 2], true);
  if (after >= 5) return page([6, 7], false);
  const details = { first_sequence: resumeAfter + 1, resume_after: resumeAfter };
  return { status: 410, body: { error: { code: 'transcript_trimmed', message: 'm', retryable: false, details } } };
};

test('a reader that is overtaken between two pages loses what was trimmed only if it says so', async (t) => {
  const answer = trimming(5);
  const fake = await startFake(t, ({ path }, response) => {
    const { status, body } = answer(path);
    reply(response, status, body);
  });
  const worker = clientOf(t, fake.url).worker('w1');
  const seen: number[] = [];
  const reading = (async () => {
    for await (const { sequence } of worker.transcript()) seen.push(sequence);
  })();
  assert.equal(await codeOf(reading), 'transcript_trimmed');
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(await seqsOf(worker, { skipTrimmed: true }), [1, 2, 6, 7]);
});

test('a server that sends a reader back does not send it round in circles', async (t) => {
  const answer = trimming(2);
  const fake = await startFake(t, ({ path }, response) => {
    const { status, body } = answer(path);
    reply(response, status, body);
  });
  const worker = clientOf(t, fake.url).worker('w1');
  assert.equal(await codeOf(seqsOf(worker, { skipTrimmed: true })), 'transcript_trimmed');
  assert.equal(fake.seen.length, 2);
});

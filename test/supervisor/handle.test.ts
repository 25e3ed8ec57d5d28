// The transcript of a worker, as the embedding Backend reads it while the oldest entries are trimmed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import type { TranscriptOptions, WorkerHandle } from '../../lib/supervisor/handle.ts';
import { codeOf, startRuntime } from '../support/start-runtime.ts';

/** More than a page. */
const KEPT = 300;

async function startEcho(t: TestContext, maxTranscriptEntries: number, inputs: number): Promise<WorkerHandle> {
  const runtime = await startRuntime(t, { limits: { maxTranscriptEntries } });
  const worker = await runtime.create({ kind: 'echo' });
  await askTimes(worker, inputs);
  return worker;
}

async function askTimes(worker: WorkerHandle, times: number): Promise<void> {
  await Promise.all(Array.from({ length: times }, (_, n) => worker.ask(n)));
}

async function seqsOf(worker: WorkerHandle, options?: TranscriptOptions): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { sequence } of worker.transcript(options)) seqs.push(sequence);
  return seqs;
}

describe('a transcript whose oldest entries were trimmed', () => {
  test('begins with the oldest that is kept for who starts at 0, or is just up to it', async (t) => {
    const worker = await startEcho(t, 4, 3);
    assert.deepEqual(
      [await seqsOf(worker), await seqsOf(worker, { after: 3 })],
      [
        [4, 5, 6, 7],
        [4, 5, 6, 7],
      ],
    );
    const { firstSequence, lastSequence } = worker.view();
    assert.deepEqual([firstSequence, lastSequence], [4, 7]);
  });

  test('tells a reader who is behind it where to go on, or goes on for one who wants that', async (t) => {
    const worker = await startEcho(t, 4, 3);
    for (const after of [1, 2]) {
      await assert.rejects(seqsOf(worker, { after }), (error: GreenroomError) => {
        assert.deepEqual([error.code, error.status], ['transcript_trimmed', 410]);
        assert.deepEqual(error.details, { first_sequence: 4, resume_after: 3 });
        return true;
      });
      assert.deepEqual(await seqsOf(worker, { after, skipTrimmed: true }), [4, 5, 6, 7]);
    }
  });

  test('tells a reader who is overtaken between two pages', async (t) => {
    for (const skipTrimmed of [false, true]) {
      const worker = await startEcho(t, KEPT, KEPT / 2);
      const entries = worker.transcript({ skipTrimmed });
      const first = await entries.next();
      assert.equal(first.done === true ? null : first.value.sequence, 2);
      await askTimes(worker, KEPT);
      const rest: number[] = [];
      const reading = (async () => {
        for await (const { sequence } of entries) rest.push(sequence);
      })();
      const { firstSequence, lastSequence } = worker.view();
      assert.equal(await codeOf(reading), skipTrimmed ? undefined : 'transcript_trimmed');
      // What was in the page that it had read, and then what is kept.
      const ofPage = rest.slice(0, 255);
      assert.deepEqual([ofPage[0], ofPage.at(-1)], [3, 257]);
      assert.deepEqual([rest[255], rest.at(-1)], skipTrimmed ? [firstSequence, lastSequence] : [undefined, 257]);
    }
  });

  test('begins with its newest entry once all others are too old', async (t) => {
    const runtime = await startRuntime(t, { hosts: 0, limits: { maxTranscriptAgeMs: 1_000 } });
    const worker = await runtime.create({ kind: 'echo' });
    await worker.ask(1);
    const { lastSequence } = worker.view();
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 1_001 });
    assert.deepEqual([await seqsOf(worker), worker.view().firstSequence], [[lastSequence], lastSequence]);
    assert.equal(await codeOf(seqsOf(worker, { after: 1 })), 'transcript_trimmed');
  });
});

// Whether batches come as they were sent.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BatchCount, LinkFault } from '../../lib/protocol/batches.ts';
import { Outbox } from '../../lib/protocol/frames.ts';
import { BATCH_FRAMES } from '../../lib/limits.ts';

function batches(count: number, frames = 1) {
  const outbox = new Outbox();
  return Array.from({ length: count }, () => {
    for (let n = 0; n < frames; n++) outbox.add(0, 0, n, 1, '1');
    return outbox.take();
  });
}

describe('a lane', () => {
  for (const frames of [0, 1, BATCH_FRAMES, 2 * BATCH_FRAMES])
    test(`takes batches of ${frames} frames in the order in which they were sent`, () => {
      const count = new BatchCount();
      assert.deepEqual(
        batches(3, frames).map((batch) => count.isNext(batch)),
        [true, true, true],
      );
      assert.equal(count.received, 3);
    });

  test('ignores a batch that comes again', () => {
    const count = new BatchCount();
    const [first, second] = batches(2);
    assert.ok(first && second);
    assert.deepEqual(
      [first, first, second, first, second].map((batch) => count.isNext(batch)),
      [true, false, true, false, false],
    );
  });

  test('is broken when a batch comes before those that were sent earlier', () => {
    const count = new BatchCount();
    const [first, second, third] = batches(3);
    assert.ok(first && second && third);
    count.isNext(first);
    assert.throws(() => count.isNext(third), LinkFault);
    assert.equal(count.received, 1);
  });
});

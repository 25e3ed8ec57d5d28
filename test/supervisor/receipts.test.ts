import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ORIGIN_MS } from '../../lib/protocol/clock.ts';
import type { Payload } from '../../lib/protocol/payload.ts';
import { InputRecord } from '../../lib/supervisor/input.ts';
import { Receipts } from '../../lib/supervisor/receipts.ts';
import type { ReceiptBounds } from '../../lib/supervisor/receipts.ts';
import { seeded } from '../support/seeded.ts';

const WIDE: ReceiptBounds = { maxCount: 1_000, maxBytes: 1_000_000, ttlMs: 1_000_000 };
const owner = { workerId: 'w1', inputId: String, startedAt: () => 0, hasStarted: () => false };

/** Decides on the outcome, which is kept at once. */
function endOf(record: InputRecord, ...decision: Parameters<InputRecord['decide']>): void {
  record.decide(...decision);
  record.conclude();
}

function recordOf(seq: number, key: string | null = null): InputRecord {
  return new InputRecord(owner, seq, 'null', 4, key === null ? null : { key, digest: '' }, 1, 0, true);
}

/** Receipts with the numbers of those that left and had a key. */
function setUp(plain: Partial<ReceiptBounds> = {}, keyed: Partial<ReceiptBounds> = {}) {
  const forgotten: number[] = [];
  const receipts = new Receipts({ ...WIDE, ...plain }, { ...WIDE, ...keyed }, ({ seq }) => forgotten.push(seq));
  /** Accepts and ends an input. */
  const add = (
    seq: number,
    { key = null, output = 'null', endedAtMs = 1 }: { key?: string | null; output?: Payload; endedAtMs?: number } = {},
  ) => {
    const record = recordOf(seq, key);
    receipts.add(record);
    end(record, output, endedAtMs);
    return record;
  };
  const end = (record: InputRecord, output: Payload = 'null', endedAtMs = 1): void => {
    endOf(record, 'completed', output, null, 1, endedAtMs - ORIGIN_MS);
    receipts.ended(record);
  };
  const kept = (seqs: readonly number[], nowMs = 2): number[] =>
    seqs.filter((seq) => receipts.get(seq, nowMs) !== undefined);
  return { receipts, forgotten, add, end, kept };
}

describe('receipts', () => {
  test('of inputs that have not ended are found whatever their number and age', () => {
    const { receipts } = setUp({ maxCount: 1, maxBytes: 1, ttlMs: 1 });
    const records = Array.from({ length: 1_000 }, (_, n) => recordOf(n + 1));
    for (const record of records) receipts.add(record);
    receipts.expire(Number.MAX_SAFE_INTEGER);
    for (const record of records) assert.equal(receipts.get(record.seq, Number.MAX_SAFE_INTEGER), record);
    assert.equal(receipts.count, 0);
  });

  test('of numbers that were never given are not found', () => {
    const { add, kept } = setUp();
    add(5);
    assert.deepEqual(kept([0, 1, 4, 5, 6, 261, -251, 5.5, Number.NaN, Number.POSITIVE_INFINITY]), [5]);
  });

  test('are kept up to their count; one more and the one that ended first is gone', () => {
    const { receipts, add, end, kept } = setUp({ maxCount: 3 });
    const first = recordOf(1);
    receipts.add(first);
    for (const seq of [2, 3]) add(seq);
    end(first); // accepted first, ended last
    assert.deepEqual([kept([1, 2, 3]), receipts.count], [[1, 2, 3], 3]);
    add(4);
    assert.deepEqual([kept([1, 2, 3, 4]), receipts.count], [[1, 3, 4], 3]);
  });

  test('are kept up to the bytes of their outputs; one byte more and the oldest is gone', () => {
    const { receipts, add, kept } = setUp({ maxBytes: 10 });
    add(1, { output: '12345' });
    add(2, { output: new Uint8Array(5) });
    assert.deepEqual(kept([1, 2]), [1, 2]);
    add(3, { output: '1' });
    assert.deepEqual([kept([1, 2, 3]), receipts.count], [[2, 3], 2]);
  });

  test('are not kept of an input whose asker was answered, unless it has a key', () => {
    const { receipts, kept } = setUp();
    for (const [seq, key] of [
      [1, null],
      [2, 'k2'],
    ] as const) {
      const record = recordOf(seq, key);
      receipts.add(record);
      assert.deepEqual(kept([seq]), [seq]);
      record.isAnswered = true;
      endOf(record, 'completed', 'null', null, 1, 1 - ORIGIN_MS);
      receipts.ended(record);
    }
    assert.deepEqual([kept([1, 2]), receipts.count], [[2], 1]);
  });

  test('of outcomes without an output take no bytes', () => {
    const { receipts, add, kept } = setUp({ maxBytes: 10 });
    add(1, { output: '1234567890' });
    const failed = recordOf(2);
    receipts.add(failed);
    endOf(failed, 'failed', null, { code: 'actor_error', message: 'It failed.', retryable: false }, 1, 1);
    receipts.ended(failed);
    assert.deepEqual(kept([1, 2]), [1, 2]);
  });

  test('do not outgrow their bytes for one large output: it is forgotten at once', () => {
    const { receipts, add, kept } = setUp({ maxBytes: 10 });
    add(1);
    add(2, { output: 'x'.repeat(11) });
    assert.deepEqual([kept([1, 2]), receipts.count], [[], 0]);
    add(3);
    assert.deepEqual(kept([3]), [3]);
  });

  test('are found until they reach their age, and not from then on, looked for or not', () => {
    const { receipts, add, kept } = setUp({ ttlMs: 100 });
    add(1, { endedAtMs: 1_000 });
    add(2, { endedAtMs: 1_001 });
    assert.deepEqual([kept([1, 2], 1_099), kept([1, 2], 1_100), kept([1, 2], 1_101)], [[1, 2], [2], []]);
    assert.equal(receipts.count, 2);
    receipts.expire(1_100);
    assert.equal(receipts.count, 1);
    receipts.expire(1_101);
    assert.equal(receipts.count, 0);
  });

  test('with a key have bounds of their own, and only they are reported when they leave', () => {
    const { receipts, forgotten, add, kept } = setUp({ maxCount: 1 }, { maxCount: 2, ttlMs: 100 });
    for (const seq of [1, 2, 3]) add(seq);
    for (const seq of [4, 5, 6]) add(seq, { key: `k${seq}`, endedAtMs: 1_000 });
    for (const seq of [7, 8]) add(seq);
    assert.deepEqual([kept([1, 2, 3, 4, 5, 6, 7, 8]), forgotten], [[5, 6, 8], [4]]);
    receipts.expire(1_100);
    assert.deepEqual([kept([5, 6, 8]), forgotten], [[8], [4, 5, 6]]);
  });

  test('are kept and forgotten as in a list of those that ended', (t) => {
    const bounds = fc.record({
      maxCount: fc.integer({ min: 1, max: 40 }),
      maxBytes: fc.integer({ min: 1, max: 60 }),
      ttlMs: fc.integer({ min: 1, max: 400 }),
    });
    const steps = fc.array(
      fc.record({
        isKeyed: fc.boolean(),
        outputBytes: fc.nat({ max: 6 }),
        endsOther: fc.nat(), // which of the open inputs ends next
        isLeftOpen: fc.boolean(),
        pauseMs: fc.nat({ max: 20 }),
      }),
      { minLength: 1, maxLength: 700 }, // several pages of numbers
    );
    const property = fc.property(bounds, bounds, steps, (plain, keyed, plan) => {
      const { receipts, forgotten, end } = setUp(plain, keyed);
      const open: InputRecord[] = [];
      let lines: Record<'plain' | 'keyed', InputRecord[]> = { plain: [], keyed: [] };
      let nowMs = 1;
      plan.forEach(({ isKeyed, outputBytes, endsOther, isLeftOpen, pauseMs }, n) => {
        const record = recordOf(n + 1, isKeyed ? `k${n}` : null);
        receipts.add(record);
        open.push(record);
        nowMs += pauseMs;
        if (isLeftOpen) return;
        const [ending] = open.splice(endsOther % open.length, 1) as [InputRecord];
        end(ending, 'x'.repeat(outputBytes), nowMs);
        lines[ending.key === null ? 'plain' : 'keyed'].push(ending);
        lines = { plain: withinBounds(lines.plain, plain), keyed: withinBounds(lines.keyed, keyed) };
      });
      receipts.expire(nowMs);
      const fresh = [...young(lines.plain, plain, nowMs), ...young(lines.keyed, keyed, nowMs)];
      assert.equal(receipts.count, fresh.length);
      const expected = new Set([...open, ...fresh].map(({ seq }) => seq));
      const all = plan.map((_, n) => n + 1);
      assert.deepEqual(
        all.filter((seq) => receipts.get(seq, nowMs)?.seq === seq),
        all.filter((seq) => expected.has(seq)),
      );
      const reported = all.filter((seq) => plan[seq - 1]?.isKeyed === true && !expected.has(seq));
      assert.deepEqual(
        forgotten.toSorted((a, b) => a - b),
        reported,
      );
    });
    fc.assert(property, seeded(t, 60));
  });
});

function withinBounds(line: readonly InputRecord[], { maxCount, maxBytes }: ReceiptBounds): InputRecord[] {
  let kept = line.slice(-maxCount);
  const bytes = () => kept.reduce((sum, { output }) => sum + (output?.length ?? 0), 0);
  while (bytes() > maxBytes) kept = kept.slice(1);
  return kept;
}

const young = (line: readonly InputRecord[], { ttlMs }: ReceiptBounds, nowMs: number): InputRecord[] =>
  line.filter(({ endedAtMs }) => endedAtMs + ttlMs > nowMs);

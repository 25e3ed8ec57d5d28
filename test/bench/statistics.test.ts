import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bootstrapRatio, median, pairwise, percentiles, quantile, summarise } from '../../bench/support/statistics.ts';

describe('statistics', () => {
  test('a quantile between two values is on the way from one to the other', () => {
    const sorted = [10, 20, 30, 40];
    assert.deepEqual(
      [0, 0.25, 0.5, 1].map((share) => quantile(sorted, share)),
      [10, 17.5, 25, 40],
    );
  });

  test('nothing measured is an error and not a number', () => {
    assert.throws(() => quantile([], 0.5), /nothing was measured/);
  });

  test('percentiles take values in any order and compare them as numbers', () => {
    const values = Array.from({ length: 1_001 }, (_, at) => (at * 10) % 1_001);
    assert.deepEqual(percentiles(values), { p50: 500, p99: 990, p999: 999 });
  });

  test('one disturbed round moves the extreme and not the median', () => {
    assert.deepEqual(summarise([9, 1_000, 10, 8, 11]), { median: 10, min: 8, max: 1_000 });
  });

  test('ratios are taken round by round, and a missing round is an error', () => {
    assert.deepEqual(pairwise([10, 30], [5, 10]), [2, 3]);
    assert.throws(() => pairwise([1, 2], [1]), /rounds are missing/);
  });

  test('the interval of a ratio holds the ratio, repeats itself, and excludes 1 only where the rounds are apart', () => {
    const [calm, alike, faster] = [
      [98, 100, 101, 99, 102, 100, 103],
      [101, 99, 102, 98, 100, 103, 97],
      [148, 150, 151, 149, 152, 150, 153],
    ];
    const apart = bootstrapRatio(faster, calm);
    assert.ok(apart.low > 1 && apart.low <= 1.5 && apart.high >= 1.5, JSON.stringify(apart));
    const same = bootstrapRatio(alike, calm);
    assert.ok(same.low < 1 && same.high > 1, JSON.stringify(same));
    assert.deepEqual(bootstrapRatio(faster, calm), apart);
    assert.equal(median(calm), 100);
  });
});

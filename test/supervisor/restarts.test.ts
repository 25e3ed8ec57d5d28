import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_LIMITS, MAX_RESTART_BACKOFF_MS, RESTART_BACKOFF_MS } from '../../lib/limits.ts';
import { backoffMs, decideRestart, recentDeaths } from '../../lib/supervisor/restarts.ts';
import { seeded } from '../support/seeded.ts';

const BUDGET = { maxRestarts: 5, windowMs: 60_000 };
const deaths = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test('a worker is restarted at once, then after doubling pauses, and given up one death past its budget', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7].map((count) => decideRestart(deaths(count), BUDGET)),
    [
      { type: 'restart', delayMs: 0 },
      { type: 'restart', delayMs: 20 },
      { type: 'restart', delayMs: 40 },
      { type: 'restart', delayMs: 80 },
      { type: 'restart', delayMs: 160 },
      { type: 'giveUp' },
      { type: 'giveUp' },
    ],
  );
});

test('the default budget is the one that the tests of restarts use', () => {
  assert.deepEqual({ maxRestarts: DEFAULT_LIMITS.maxRestarts, windowMs: DEFAULT_LIMITS.restartWindowMs }, BUDGET);
});

test('a death counts for less than the window: one millisecond short of it, not at it', () => {
  const nowMs = 100_000;
  assert.deepEqual(
    recentDeaths([0, 39_999, 40_000, 40_001, 99_999, 100_000], nowMs, BUDGET),
    [40_001, 99_999, 100_000],
  );
  assert.deepEqual(recentDeaths([], nowMs, BUDGET), []);
});

test('the pause reaches its cap and stays there, however often a worker has died', () => {
  const pausesMs = [0, 1, 2, 3, 8, 9, 10, 11, 100, 5_000].map(backoffMs);
  assert.deepEqual(pausesMs, [0, 0, 20, 40, 1_280, 2_560, 5_000, 5_000, 5_000, 5_000]);
  assert.deepEqual([RESTART_BACKOFF_MS, MAX_RESTART_BACKOFF_MS], [20, 5_000]);
});

test('no window, wherever it begins, holds more restarts than the budget', (t) => {
  const budget = fc.record({ maxRestarts: fc.integer({ min: 1, max: 6 }), windowMs: fc.integer({ min: 1, max: 500 }) });
  const pauses = fc.array(fc.nat({ max: 200 }), { maxLength: 60 });
  const property = fc.property(budget, pauses, (bounds, pausesMs) => {
    const restartsMs: number[] = [];
    let history: number[] = [];
    let nowMs = 0;
    for (const pauseMs of pausesMs) {
      nowMs += pauseMs;
      history = [...recentDeaths(history, nowMs, bounds), nowMs];
      if (decideRestart(history, bounds).type === 'giveUp') break;
      restartsMs.push(nowMs);
    }
    for (const fromMs of restartsMs) {
      const inWindow = restartsMs.filter((atMs) => atMs >= fromMs && atMs - fromMs < bounds.windowMs);
      assert.ok(inWindow.length <= bounds.maxRestarts, `${inWindow.length} restarts from ${fromMs} ms on`);
    }
  });
  fc.assert(property, seeded(t, 500));
});

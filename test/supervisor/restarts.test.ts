import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_LIMITS, MAX_RESTART_BACKOFF_MS, RESTART_BACKOFF_MS } from '../../lib/limits.ts';
import { RESTART_POLICIES } from '../../lib/protocol/views.ts';
import {
  backoffMs,
  chainOf,
  deathViews,
  DEATHS_SHOWN,
  decideRestart,
  RESTART_QUIET_MS,
  ruleOf,
  withChain,
  withDeath,
} from '../../lib/supervisor/restarts.ts';
import type { PastDeath, RestartRule } from '../../lib/supervisor/restarts.ts';
import { seeded } from '../support/seeded.ts';

const RULE: RestartRule = { policy: 'permanent', maxRestarts: 5, withinMs: 60_000 };
/** So that the pauses are as long as they can be. */
const LONGEST = () => 1;
const died = (atMs: number, isAtStart = false): PastDeath => ({
  atMs,
  isAtStart,
  at: new Date(atMs).toISOString(),
  cause: 'threw',
  hostId: 'host-1',
});
const deathsAt = (...timesMs: number[]): PastDeath[] => timesMs.map((atMs) => died(atMs));
const times = (deaths: readonly PastDeath[]): number[] => deaths.map(({ atMs }) => atMs);
/** What follows each of the deaths, one after the other. */
function follow(rule: RestartRule, timesMs: readonly number[], random = LONGEST) {
  let deaths: PastDeath[] = [];
  return timesMs.map((atMs) => decideRestart(rule, (deaths = withDeath(deaths, died(atMs), rule)), false, random));
}

describe('the decision', () => {
  const ends = { normal: true, abnormal: false };
  const budgets = { 'within the budget': [0], 'past the budget': [0, 1, 2, 3, 4, 5] };
  const DECISIONS = `
    permanent · normal · within the budget: restart
    permanent · normal · past the budget: failed
    permanent · abnormal · within the budget: restart
    permanent · abnormal · past the budget: failed
    transient · normal · within the budget: stopped
    transient · normal · past the budget: stopped
    transient · abnormal · within the budget: restart
    transient · abnormal · past the budget: failed
    temporary · normal · within the budget: stopped
    temporary · normal · past the budget: stopped
    temporary · abnormal · within the budget: failed
    temporary · abnormal · past the budget: failed`;
  for (const policy of RESTART_POLICIES)
    for (const [end, isNormal] of Object.entries(ends))
      for (const [budget, timesMs] of Object.entries(budgets)) {
        const start = `${policy} · ${end} · ${budget}: `;
        const expected = DECISIONS.split('\n')
          .find((line) => line.trim().startsWith(start))
          ?.split(': ')[1];
        test(`${start}${expected}`, () => {
          const { type } = decideRestart({ ...RULE, policy }, deathsAt(...timesMs), isNormal, LONGEST);
          assert.equal(type, expected);
        });
      }
});

test('a worker is restarted at once, then after doubling pauses, and given up one death past its budget', () => {
  assert.deepEqual(follow(RULE, [0, 1, 2, 3, 4, 5, 6]), [
    { type: 'restart', delayMs: 0 },
    { type: 'restart', delayMs: 20 },
    { type: 'restart', delayMs: 40 },
    { type: 'restart', delayMs: 80 },
    { type: 'restart', delayMs: 160 },
    { type: 'failed' },
    { type: 'failed' },
  ]);
});

test('with a budget of no restarts the first death is one too many', () => {
  assert.deepEqual(follow({ ...RULE, maxRestarts: 0 }, [0]), [{ type: 'failed' }]);
});

test('the jitter takes up to half of a pause away, and nothing of the first restart, which is immediate', () => {
  const shortest = follow(RULE, [0, 1, 2, 3], () => 0);
  assert.deepEqual(
    shortest.map((decision) => (decision.type === 'restart' ? decision.delayMs : null)),
    [0, 10, 20, 40],
  );
});

test('a rule is what the actor says, and the limits where it says nothing', () => {
  assert.deepEqual(ruleOf(undefined, DEFAULT_LIMITS), RULE);
  assert.deepEqual(ruleOf({ policy: 'transient', maxRestarts: 0 }, DEFAULT_LIMITS), {
    ...RULE,
    policy: 'transient',
    maxRestarts: 0,
  });
  assert.deepEqual(ruleOf({ withinMs: 7 }, { ...DEFAULT_LIMITS, maxRestarts: 2 }), {
    policy: 'permanent',
    maxRestarts: 2,
    withinMs: 7,
  });
});

test('a death counts for less than the window: one millisecond short of it, not at it', () => {
  const rule = { ...RULE, maxRestarts: 1 };
  assert.equal(follow(rule, [0, 59_999])[1]?.type, 'failed');
  assert.equal(follow(rule, [0, 60_000])[1]?.type, 'restart');
});

test('the pauses begin anew after a quiet time, or a window without a death if that is shorter; not a millisecond before', () => {
  for (const [withinMs, quietMs] of [
    [RULE.withinMs, RESTART_QUIET_MS],
    [500, 500],
  ] as const) {
    const after = (nextMs: number) => follow({ ...RULE, withinMs }, [0, 100, 200, 200 + nextMs]).at(-1);
    assert.deepEqual(after(quietMs - 1), { type: 'restart', delayMs: 80 });
    assert.deepEqual(after(quietMs), { type: 'restart', delayMs: 0 });
  }
});

test('starts that fail count until one succeeds, however long each takes, and their pauses grow', () => {
  const rule = { ...RULE, maxRestarts: 2, withinMs: 1_000 };
  const hourMs = 3_600_000;
  const deaths = (...areAtStart: boolean[]) => areAtStart.map((isAtStart, hour) => died(hour * hourMs, isAtStart));
  const decide = (...areAtStart: boolean[]) => decideRestart(rule, deaths(...areAtStart), false, LONGEST);
  assert.deepEqual(decide(true, true), { type: 'restart', delayMs: 20 });
  assert.deepEqual(decide(true, true, true), { type: 'failed' });
  assert.deepEqual(decide(true, true, false), { type: 'restart', delayMs: 0 });
  assert.deepEqual(decide(false, true), { type: 'restart', delayMs: 20 });
});

test('the pause reaches its cap and stays there, however often a worker has died', () => {
  const pausesMs = [0, 1, 2, 3, 8, 9, 10, 11, 100, 5_000].map(backoffMs);
  assert.deepEqual(pausesMs, [0, 0, 20, 40, 1_280, 2_560, 5_000, 5_000, 5_000, 5_000]);
  assert.deepEqual([RESTART_BACKOFF_MS, MAX_RESTART_BACKOFF_MS], [20, 5_000]);
});

test('of deaths only those are kept that still matter, and no more than the budget and the view have use for', () => {
  const quiet = 2 * RESTART_QUIET_MS;
  assert.deepEqual(times(withDeath(deathsAt(0, 1, quiet), died(quiet + 1), { ...RULE, withinMs: 10 })), [
    quiet,
    quiet + 1,
  ]);
  const many = Array.from({ length: 200 }, (_, atMs) => atMs);
  const keep = (maxRestarts: number) => {
    let deaths: PastDeath[] = [];
    for (const atMs of many) deaths = withDeath(deaths, died(atMs), { ...RULE, maxRestarts });
    return deaths;
  };
  assert.deepEqual(times(keep(3)), many.slice(-DEATHS_SHOWN));
  assert.deepEqual(times(keep(50)), many.slice(-51));
  assert.deepEqual(deathViews(keep(50)).length, DEATHS_SHOWN);
});

test('a failure carries the chain of deaths, and tells it again', () => {
  const error = { code: 'host_lost', message: 'm', retryable: false, details: { cause: 'threw' } };
  const failure = withChain(error, deathsAt(0, 1));
  assert.deepEqual(failure, {
    ...error,
    details: {
      cause: 'threw',
      deaths: [
        { at: '1970-01-01T00:00:00.000Z', cause: 'threw', host_id: 'host-1' },
        { at: '1970-01-01T00:00:00.001Z', cause: 'threw', host_id: 'host-1' },
      ],
    },
  });
  assert.deepEqual(chainOf(failure), deathViews(deathsAt(0, 1)));
  assert.deepEqual([chainOf(null), chainOf(error)], [[], []]);
});

test('no window, wherever it begins, holds more restarts than the budget', (t) => {
  const budget = fc.record({ maxRestarts: fc.integer({ min: 0, max: 6 }), withinMs: fc.integer({ min: 1, max: 500 }) });
  const pauses = fc.array(fc.nat({ max: 200 }), { maxLength: 60 });
  const property = fc.property(budget, pauses, ({ maxRestarts, withinMs }, pausesMs) => {
    const restartsMs: number[] = [];
    const timesMs: number[] = [];
    for (const pauseMs of pausesMs) timesMs.push((timesMs.at(-1) ?? 0) + pauseMs);
    for (const [at, decision] of follow({ ...RULE, maxRestarts, withinMs }, timesMs).entries()) {
      if (decision.type !== 'restart') break;
      restartsMs.push(timesMs[at] as number);
    }
    for (const fromMs of restartsMs) {
      const inWindow = restartsMs.filter((atMs) => atMs >= fromMs && atMs - fromMs < withinMs);
      assert.ok(inWindow.length <= maxRestarts, `${inWindow.length} restarts from ${fromMs} ms on`);
    }
  });
  fc.assert(property, seeded(t, 500));
});

// The wheel of deadlines on a mocked clock. `step` moves the clock tick by tick, as a loop without stalls would.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { Deadlines } from '../../lib/supervisor/deadlines.ts';
import type { Deadline } from '../../lib/supervisor/deadlines.ts';
import { seeded } from '../support/seeded.ts';

const TICK_MS = 10;
/** One round of the wheel. */
const ROUND_MS = 1_024 * TICK_MS;
const START_MS = 1_700_000_000_003;

interface Entry extends Deadline<Entry> {
  readonly name: string;
}

const entryOf = (name: string): Entry => ({ name, deadlineAt: 0, earlier: null, later: null });

/** A wheel on a mocked clock that starts at START_MS, and what has fired: names with the time since the start. */
function setUp(t: TestContext, onDue?: (entry: Entry, wheel: Deadlines<Entry>) => void) {
  t.mock.timers.reset();
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: START_MS });
  const fired: [name: string, afterMs: number][] = [];
  const wheel: Deadlines<Entry> = new Deadlines<Entry>(
    (entry) => {
      fired.push([entry.name, Date.now() - START_MS]);
      onDue?.(entry, wheel);
    },
    () => Date.now(),
  );
  const add = (name: string, afterMs: number): Entry => {
    const entry = entryOf(name);
    wheel.add(entry, START_MS + afterMs);
    return entry;
  };
  const step = (untilMs: number): void => {
    while (Date.now() < START_MS + untilMs) t.mock.timers.tick(TICK_MS);
  };
  /** The loop is stuck meanwhile: only the clock moves, then one tick comes. */
  const stall = (untilMs: number): void => {
    t.mock.timers.setTime(START_MS + untilMs - TICK_MS);
    t.mock.timers.tick(TICK_MS);
  };
  return { wheel, fired, add, step, stall };
}

function assertOnTime(
  fired: readonly (readonly [name: string, afterMs: number])[],
  deadlines: Map<string, number>,
): void {
  assert.deepEqual(fired.map(([name]) => name).sort(), [...deadlines.keys()].sort());
  for (const [name, afterMs] of fired) {
    const lateMs = afterMs - (deadlines.get(name) ?? Number.NaN);
    assert.ok(lateMs >= 0 && lateMs < 2 * TICK_MS, `${name} is ${lateMs} ms late`);
  }
}

describe('a deadline', () => {
  test('fires once, never early and less than two ticks late, whatever others are added and removed', (t) => {
    const entries = fc.array(
      fc.record({ afterMs: fc.integer({ min: TICK_MS, max: 3 * ROUND_MS }), isRemoved: fc.boolean() }),
      { maxLength: 60 },
    );
    const property = fc.property(entries, (plans) => {
      const { add, fired, step, wheel } = setUp(t);
      const kept = new Map<string, number>();
      const removed: Entry[] = [];
      plans.forEach(({ afterMs, isRemoved }, n) => {
        const entry = add(`d${n}`, afterMs);
        if (isRemoved) removed.push(entry);
        else kept.set(entry.name, afterMs);
      });
      for (const entry of removed) wheel.remove(entry);
      step(3 * ROUND_MS + 5 * TICK_MS);
      assertOnTime(fired, kept);
    });
    fc.assert(property, seeded(t, 30));
  });

  test('of exactly one round, and one millisecond beyond it, fires in its own round', (t) => {
    const { add, fired, step } = setUp(t);
    const deadlines = new Map([
      ['short', 5],
      ['round', ROUND_MS],
      ['beyond', ROUND_MS + 1],
      ['three', 3 * ROUND_MS],
    ]);
    for (const [name, afterMs] of deadlines) add(name, afterMs);
    step(4 * ROUND_MS);
    assert.equal(fired[0]?.[1], TICK_MS); // the clock started three milliseconds into a tick
    assertOnTime(fired, deadlines);
  });

  test('of a day fires on its day', (t) => {
    const { add, fired, stall, step } = setUp(t);
    const dayMs = 24 * 3_600_000;
    add('day', dayMs);
    stall(dayMs - 50);
    assert.deepEqual(fired, []);
    step(dayMs + 50);
    assertOnTime(fired, new Map([['day', dayMs]]));
  });

  for (const afterMs of [0, -1, -ROUND_MS, -START_MS]) {
    test(`that lies ${-afterMs} ms in the past fires at the next tick`, (t) => {
      const { add, fired, step } = setUp(t);
      add('past', afterMs);
      assert.deepEqual(fired, []);
      step(ROUND_MS);
      assert.deepEqual(fired, [['past', TICK_MS]]);
    });
  }

  test('in the past fires at the next tick also after a stall that the wheel has not seen yet', (t) => {
    const { add, fired } = setUp(t);
    add('keeps the timer', 10 * ROUND_MS);
    t.mock.timers.setTime(START_MS + 500);
    add('past', 200);
    t.mock.timers.tick(TICK_MS);
    assert.deepEqual(fired, [['past', 500 + TICK_MS]]);
  });
});

describe('a removed deadline', () => {
  test('does not fire, and can be removed again and added again', (t) => {
    const { add, fired, step, wheel } = setUp(t);
    const entry = add('removed', 50);
    add('other', 50);
    wheel.remove(entry);
    wheel.remove(entry);
    assert.deepEqual(entry, entryOf('removed'));
    step(100);
    wheel.add(entry, START_MS + 200);
    step(300);
    assertOnTime(
      fired,
      new Map([
        ['other', 50],
        ['removed', 200],
      ]),
    );
  });

  test('that never was in the wheel changes nothing', (t) => {
    const { add, fired, step, wheel } = setUp(t);
    add('kept', 50);
    wheel.remove(entryOf('stranger'));
    step(100);
    assertOnTime(fired, new Map([['kept', 50]]));
  });

  test('does not fire when another one of the same tick removed it', (t) => {
    const entries: Entry[] = [];
    const { add, fired, step } = setUp(t, (entry, wheel) => {
      for (const other of entries) if (other !== entry) wheel.remove(other);
    });
    for (const name of ['a', 'b', 'c']) entries.push(add(name, 50));
    step(200);
    assert.equal(fired.length, 1);
  });

  test('fires later when another one of the same tick put it off', (t) => {
    const entries: Entry[] = [];
    const { add, fired, step } = setUp(t, (entry, wheel) => {
      for (const other of entries.splice(0)) {
        if (other === entry) continue;
        wheel.remove(other);
        wheel.add(other, START_MS + 400);
      }
    });
    for (const name of ['a', 'b']) entries.push(add(name, 50));
    step(300);
    assert.equal(fired.length, 1);
    step(500);
    assert.equal(fired.length, 2);
    assert.ok((fired[1]?.[1] ?? 0) >= 400);
  });
});

test('a callback that adds a deadline in the past does not keep the wheel from going on', (t) => {
  const { add, fired, step } = setUp(t, (entry, wheel) => {
    if (fired.length < 3) wheel.add(entry, 0);
  });
  add('again', 10);
  step(200);
  assert.deepEqual(
    fired,
    [
      ['again', 10],
      ['again', 20],
      ['again', 30],
    ].map(([name, ms]) => [name, Number(ms) + 10]),
  );
});

test('a stall of many rounds fires each deadline that passed once, and none that did not', (t) => {
  const { add, fired, stall, step } = setUp(t);
  const stallMs = 20 * ROUND_MS;
  const passed = [0, 5, 700, ROUND_MS, 3 * ROUND_MS + 7, stallMs - 30];
  for (const afterMs of passed) add(`passed ${afterMs}`, afterMs);
  add('ahead', stallMs + 300);
  stall(stallMs);
  assert.deepEqual(fired.map(([name]) => name).sort(), passed.map((afterMs) => `passed ${afterMs}`).sort());
  step(stallMs + 400);
  assert.equal(fired.length, passed.length + 1);
});

test('a clock that is set back delays deadlines until it comes there again, and loses none', (t) => {
  const { add, fired, step } = setUp(t);
  add('before', 200);
  step(100);
  t.mock.timers.setTime(START_MS - 300);
  step(300);
  assertOnTime(fired, new Map([['before', 200]]));
});

test('the wheel has one timer while it holds deadlines and none while it is empty', (t) => {
  const { add, step, wheel } = setUp(t);
  const sets = t.mock.method(globalThis, 'setInterval');
  const clears = t.mock.method(globalThis, 'clearInterval');
  const counts = () => [sets.mock.callCount(), clears.mock.callCount()];
  const seen = [counts()];
  const entry = add('a', 50);
  add('b', 50);
  seen.push(counts());
  step(100);
  seen.push(counts());
  wheel.remove(add('c', 150));
  seen.push(counts());
  step(200);
  seen.push(counts());
  wheel.add(entry, START_MS + 500);
  wheel.stop();
  seen.push(counts());
  assert.deepEqual(seen, [
    [0, 0],
    [1, 0],
    [1, 1],
    [2, 1],
    [2, 2],
    [3, 3],
  ]);
});

test('a stopped wheel fires nothing', (t) => {
  const { add, fired, step, wheel } = setUp(t);
  add('a', 50);
  wheel.stop();
  step(200);
  assert.deepEqual(fired, []);
});

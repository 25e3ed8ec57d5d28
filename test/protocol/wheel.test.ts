// The wheel of deadlines on a mocked clock. `step` moves the clock tick by tick, as a loop without stalls would.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { replaceTime } from '../../lib/protocol/clock.ts';
import { Wheel } from '../../lib/protocol/wheel.ts';
import type { WheelEntry } from '../../lib/protocol/wheel.ts';
import { seeded } from '../support/seeded.ts';

const TICK_MS = 10;
/** One round of the wheel. */
const ROUND_MS = 1_024 * TICK_MS;
const START_MS = 1_700_000_000_003;

interface Entry extends WheelEntry {
  readonly name: string;
}

const entryOf = (name: string): Entry => ({ name, dueAt: 0, earlier: null, later: null });

/** A wheel on a clock of its own that starts at START_MS, and what has fired: names with the time since the start. */
function setUp(t: TestContext, onDue?: (entry: WheelEntry, wheel: Wheel) => void) {
  const fired: [name: string, afterMs: number][] = [];
  const waking = { dueMs: Infinity, due: () => undefined as void, count: 0 };
  let nowMs = START_MS;
  const restore = replaceTime({
    now: () => nowMs,
    monotonicMs: () => nowMs,
    wake: (delayMs, due) => {
      Object.assign(waking, { dueMs: nowMs + delayMs, due, count: waking.count + 1 });
      return () => (waking.dueMs = Infinity);
    },
  });
  t.after(restore);
  const wheel = new Wheel();
  wheel.onDue = (entry) => {
    fired.push([(entry as Entry).name, nowMs - START_MS]);
    onDue?.(entry, wheel);
  };
  const add = (name: string, afterMs: number): Entry => {
    const entry = entryOf(name);
    wheel.add(entry, START_MS + afterMs);
    return entry;
  };
  const wakeIfDue = (): void => {
    if (waking.dueMs > nowMs) return;
    waking.dueMs = Infinity;
    waking.due();
  };
  const setTime = (afterMs: number): void => {
    nowMs = START_MS + afterMs;
  };
  const step = (untilMs: number): void => {
    while (nowMs < START_MS + untilMs) {
      nowMs += TICK_MS;
      wakeIfDue();
    }
  };
  /** The loop is stuck meanwhile: only the clock moves, then it comes to its timers. */
  const stall = (untilMs: number): void => {
    setTime(untilMs);
    wakeIfDue();
  };
  return { wheel, fired, add, step, stall, setTime, waking };
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

  test('comes before those that are due later, and those that are due at once come in the order in which they were added', (t) => {
    const { add, fired, step } = setUp(t);
    // Those that are overdue are due at once.
    const plans = { d: 16, a: -9, e: 15, b: -20, c: -9 };
    for (const [name, afterMs] of Object.entries(plans)) add(name, afterMs);
    step(10 * TICK_MS);
    assert.deepEqual(
      fired.map(([name]) => name),
      ['a', 'b', 'c', 'e', 'd'],
    );
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
    const { add, fired, setTime, step } = setUp(t);
    add('keeps the timer', 10 * ROUND_MS);
    setTime(500);
    add('past', 200);
    step(510);
    assert.deepEqual(fired, [['past', 500 + TICK_MS]]);
  });
});

test('deadlines of one tick come in the order of their times, those of one time as they were added', (t) => {
  const { add, fired, step } = setUp(t);
  for (const [name, afterMs] of [
    ['d', 26],
    ['b', 22],
    ['a', -5],
    ['c', 22],
  ] as const)
    add(name, afterMs);
  step(100);
  assert.deepEqual(
    fired.map(([name]) => name),
    ['a', 'b', 'c', 'd'],
  );
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
  const { add, fired, setTime, step } = setUp(t);
  add('before', 200);
  step(100);
  setTime(-300);
  step(300);
  assertOnTime(fired, new Map([['before', 200]]));
});

test('the wheel wakes for what is due next and for nothing else, and not at all while it is empty', (t) => {
  const { add, step, wheel, waking } = setUp(t);
  const isAwaited = () => waking.dueMs !== Infinity;
  assert.equal(isAwaited(), false);
  add('a', 50);
  add('b', 5_000);
  assert.equal(waking.count, 1);
  step(4_900);
  assert.equal(waking.count, 2);
  step(5_100);
  assert.equal(isAwaited(), false);
  const removed = add('c', 5_200);
  wheel.remove(removed);
  step(5_300);
  assert.deepEqual([waking.count, isAwaited()], [3, false]);
  add('d', 6_000);
  wheel.stop();
  assert.equal(isAwaited(), false);
});

test('a stopped wheel fires nothing', (t) => {
  const { add, fired, step, wheel } = setUp(t);
  add('a', 50);
  wheel.stop();
  step(200);
  assert.deepEqual(fired, []);
});

describe('a timer of the wheel', () => {
  test('fires once and can be cancelled before and after', (t) => {
    const { wheel, step } = setUp(t);
    const calls: string[] = [];
    const first = wheel.after(50, () => calls.push('first'));
    const second = wheel.after(50, () => calls.push('second'));
    second.cancel();
    step(200);
    first.cancel();
    second.cancel();
    assert.deepEqual(calls, ['first']);
    assert.equal(wheel.size, 0);
  });

  test('that throws does not keep the others from firing', (t) => {
    const { wheel, step } = setUp(t);
    const calls: string[] = [];
    wheel.after(50, () => assert.fail('as it should'));
    wheel.after(150, () => calls.push('later'));
    assert.throws(() => step(100), /as it should/);
    step(300);
    assert.deepEqual(calls, ['later']);
  });
});

describe('a wait on the wheel', () => {
  test('ends with what it is for, and leaves no timer', async (t) => {
    const { wheel } = setUp(t);
    await wheel.within(1_000, Promise.resolve());
    await assert.rejects(wheel.within(1_000, Promise.reject(new Error('as it was'))), /as it was/);
    assert.equal(wheel.size, 0);
  });

  test('ends after its time', async (t) => {
    const { wheel, step } = setUp(t);
    const over = wheel.within(50, new Promise(() => undefined));
    step(100);
    await over;
    assert.equal(wheel.size, 0);
  });
});

// When something is done again by itself: once for many wishes, later the more often, and soon again after a calm.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Again } from '../../lib/sources/again.ts';
import { FIRST_PAUSE_MS, MAX_PAUSE_MS } from '../../lib/sources/bounds.ts';

function start(t: TestContext, random = 0) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(Math, 'random', () => random);
  const clock = { nowMs: 0, runs: 0 };
  const again = new Again(
    () => clock.runs++,
    () => clock.nowMs,
  );
  const passes = (ms: number): number => {
    clock.nowMs += ms;
    t.mock.timers.tick(ms);
    return clock.runs;
  };
  /** How long it takes until a wish is fulfilled, and the run with it. */
  const pauseMs = (): number => {
    again.wish();
    const before = clock.runs;
    let ms = 0;
    while (clock.runs === before) {
      ms += 100;
      passes(100);
    }
    again.began();
    again.ended();
    return ms;
  };
  return { again, clock, passes, pauseMs };
}

describe('a wish', () => {
  test('is fulfilled after a pause, and with it all that came meanwhile', (t) => {
    const { again, passes } = start(t);
    again.wish();
    assert.equal(passes(FIRST_PAUSE_MS - 1), 0);
    again.wish();
    assert.equal(passes(1), 1);
    assert.equal(passes(MAX_PAUSE_MS), 1);
  });

  test('keeps no process alive', (t) => {
    const timers = t.mock.method(globalThis, 'setTimeout');
    const again = new Again(() => undefined);
    again.wish();
    assert.equal(timers.mock.calls[0]?.result?.hasRef(), false);
    again.began();
  });

  test('is fulfilled by a run that begins for another reason', (t) => {
    const { again, passes } = start(t);
    again.wish();
    again.began();
    assert.equal(passes(MAX_PAUSE_MS), 0);
  });

  test('right after a run waits twice as long each time, up to the longest pause', (t) => {
    const { pauseMs } = start(t);
    const pauses = Array.from({ length: 11 }, pauseMs);
    assert.deepEqual(pauses.slice(0, 5), [200, 400, 800, 1_600, 3_200]);
    assert.deepEqual(pauses.slice(-2), [MAX_PAUSE_MS, MAX_PAUSE_MS]);
  });

  test('after a calm waits no longer than the first', (t) => {
    const { passes, pauseMs } = start(t);
    assert.deepEqual([pauseMs(), pauseMs(), pauseMs()], [200, 400, 800]);
    passes(1_600);
    assert.equal(pauseMs(), 1_600);
    passes(3_201);
    assert.equal(pauseMs(), 200);
  });

  test('waits down to half as long, so that not all come at once', (t) => {
    assert.equal(start(t, 1).pauseMs(), FIRST_PAUSE_MS / 2);
  });
});

// A clock that a test moves, and what it puts in the place of the machine's.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import fc from 'fast-check';
import { replaceGlobals } from '../../lib/testing/globals.ts';
import { VirtualClock } from '../../lib/testing/virtual-clock.ts';
import { seeded } from '../support/seeded.ts';

describe('a virtual clock', () => {
  test('does what is due in the order of the times, and in the order of making where they are equal', async (t) => {
    const property = fc.asyncProperty(fc.array(fc.nat({ max: 5 }), { maxLength: 40 }), async (delays) => {
      const clock = new VirtualClock();
      const startMs = clock.now();
      const done: [delayMs: number, made: number][] = [];
      delays.forEach((delayMs, made) => {
        clock.wake(delayMs, () => {
          assert.equal(clock.now() - startMs, delayMs);
          done.push([delayMs, made]);
        });
      });
      await clock.advance(10);
      const expected = delays
        .map((delayMs, made): [number, number] => [delayMs, made])
        .sort(([one, first], [other, second]) => one - other || first - second);
      assert.deepEqual(done, expected);
      assert.deepEqual([clock.size, clock.now() - startMs], [0, 10]);
    });
    await fc.assert(property, seeded(t, 50));
  });

  test('does not do what was called off, even by what is due at the same time', async () => {
    const clock = new VirtualClock();
    const done: string[] = [];
    clock.wake(5, () => {
      done.push('first');
      callOff();
      callOff();
    });
    const callOff = clock.wake(5, () => done.push('second'));
    assert.equal(clock.size, 2);
    await clock.advance(5);
    assert.deepEqual([done, clock.size], [['first'], 0]);
  });

  test('lets everything that a due thing sets off end before the next one', async () => {
    const clock = new VirtualClock();
    const done: string[] = [];
    const chain = async (name: string): Promise<void> => {
      await null;
      await new Promise<void>((resolve) => void clock.turn(resolve));
      await new Promise<void>((resolve) => void clock.turn(resolve));
      done.push(name);
    };
    clock.wake(1, () => void chain('one'));
    clock.wake(1, () => void chain('two'));
    clock.wake(2, () => done.push('three'));
    await clock.advance(2);
    assert.deepEqual(done, ['one', 'two', 'three']);
  });

  test('passes on what a turn of the loop throws', async () => {
    const clock = new VirtualClock();
    clock.turn(() => assert.fail('as it should'));
    await assert.rejects(clock.settle(), /as it should/);
    await clock.settle();
  });

  test('gives up a promise that does not settle within the time', async () => {
    const clock = new VirtualClock();
    clock.wake(100, () => undefined);
    clock.wake(2_000, () => undefined);
    await assert.rejects(clock.until(new Promise(() => undefined), 1_000), /still pending after 1000 ms/);
  });

  test('gives what the promise gives, and lets no more time pass than it takes', async () => {
    const clock = new VirtualClock();
    const startMs = clock.now();
    const settled = new Promise<string>((resolve) => void clock.wake(70, () => resolve('here')));
    clock.wake(90, () => assert.fail('too late'));
    assert.equal(await clock.until(settled), 'here');
    assert.equal(clock.now() - startMs, 70);
    await assert.rejects(clock.until(Promise.reject(new Error('refused'))), /refused/);
  });
});

test('timers, dates and chance of the process are those of the simulation, until it is over', async () => {
  const clock = new VirtualClock();
  const done: string[] = [];
  const before = [setTimeout, Date, later];
  const restore = replaceGlobals(clock, () => 0.25);
  try {
    assert.equal(Math.random(), 0.25);
    assert.equal(new Date().toISOString(), '2100-01-01T00:00:00.000Z');
    assert.ok(new Date(0) instanceof Date);
    setTimeout((name: string) => done.push(name), 30_000, 'timeout');
    clearTimeout(setTimeout(() => assert.fail('called off'), 10));
    const interval = setInterval(() => done.push('interval'), 20_000);
    const promised = later(45_000, 'promised').then((name) => done.push(name));
    clearImmediate(setImmediate(() => assert.fail('called off')));
    setImmediate(() => done.push('immediate'));
    await clock.advance(50_000);
    clearInterval(interval);
    await promised;
    assert.deepEqual(done, ['immediate', 'interval', 'timeout', 'interval', 'promised']);
    assert.equal(Date.now(), clock.epochMs);
    assert.equal(clock.size, 0);
  } finally {
    restore();
  }
  assert.deepEqual([setTimeout, Date, later], before);
  assert.ok(Date.now() < clock.epochMs);
});

// Waits end by their deadline and by their signal, whatever the work does, and leave nothing behind.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { jittered, joined, within } from '../../lib/protocol/waits.ts';
import { codeOf } from '../support/start-runtime.ts';

const never = () => new Promise<never>(() => undefined);

describe('a wait', () => {
  test('ends as its work ends, and lets go of the signal', async () => {
    const { signal } = new AbortController();
    const value = await within(1_000, [signal], async (inner) => (inner.aborted ? 'aborted' : 'done'));
    const failed = codeOf(within(1_000, [signal], () => Promise.reject(GreenroomError.of('invalid_source'))));
    assert.deepEqual([value, await failed], ['done', 'invalid_source']);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  test('ends when its time is over, and the work is told', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let told: AbortSignal | undefined;
    const waiting = codeOf(within(1_000, [], (inner) => ((told = inner), never())));
    t.mock.timers.tick(999);
    assert.equal(told?.aborted, false);
    t.mock.timers.tick(1);
    assert.equal(await waiting, 'timeout');
    assert.equal(told.aborted, true);
  });

  test('ends when its signal aborts: with an error of ours as it is, with any other as cancelled', async () => {
    for (const [reason, code] of [
      [GreenroomError.of('runtime_unavailable'), 'runtime_unavailable'],
      [new Error('secret'), 'cancelled'],
      [undefined, 'cancelled'],
    ] as const) {
      const controller = new AbortController();
      let told: AbortSignal | undefined;
      const waiting = codeOf(within(1_000, [controller.signal], (inner) => ((told = inner), never())));
      controller.abort(reason);
      assert.equal(await waiting, code);
      assert.equal(told?.aborted, true);
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    }
  });

  test('does not begin when its signal has aborted', async () => {
    let hasBegun = false;
    const waiting = within(1_000, [AbortSignal.abort()], () => ((hasBegun = true), never()));
    assert.deepEqual([await codeOf(waiting), hasBegun], ['cancelled', false]);
  });

  test('that joins signals aborts with the first of them, and lets go of all when it is released', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const { signal, release } = joined([one.signal, null, undefined, other.signal]);
    const reason = new Error('first');
    other.abort(reason);
    one.abort(new Error('second'));
    assert.equal(signal.reason, reason);
    const late = joined([one.signal, other.signal]);
    assert.equal(late.signal.reason, one.signal.reason);
    late.release();
    const kept = new AbortController().signal;
    joined([kept]).release();
    release();
    assert.deepEqual(
      [one.signal, other.signal, kept].map((each) => getEventListeners(each, 'abort').length),
      [0, 0, 0],
    );
  });

  test('that is jittered is at least half as long, and never longer', () => {
    for (let n = 0; n < 100; n++) {
      const ms = jittered(100);
      assert.ok(ms > 50 && ms <= 100, String(ms));
    }
  });
});

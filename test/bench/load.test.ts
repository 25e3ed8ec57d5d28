import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { holdInFlight, onSchedule } from '../../bench/support/load.ts';
import type { Ask } from '../../bench/support/load.ts';
import { questionOf } from '../../bench/support/question.ts';
import type { Question } from '../../bench/support/question.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const echo: Ask = async (question) => {
  await nextTurn();
  return { ...question };
};
/** The question with this number, counted from the first of this load, is treated differently. */
function except(at: number, instead: (question: Question) => unknown): Ask {
  let asked = 0;
  return (question, lane) => (++asked === at ? (instead(question) as Promise<unknown>) : echo(question, lane));
}
const never = (): Promise<unknown> => new Promise(() => undefined);

describe('closed-loop load', () => {
  const options = { inFlight: 8, forMs: 20, answersWithinMs: 100 };

  test('counts what was answered', async () => {
    const { asked, perSecond } = await holdInFlight(echo, options);
    assert.ok(asked >= 8 && perSecond > 0, `${asked} asked, ${perSecond} per second`);
  });

  test('one answer that never comes fails it', async () => {
    await assert.rejects(holdInFlight(except(5, never), options), /1 of \d+ questions have no answer/);
  });

  test('one answer to another question fails it', async () => {
    const wrong = except(5, async ({ id, text }) => ({ id: id + 1, text }));
    await assert.rejects(holdInFlight(wrong, options), /was answered with/);
  });

  test('the question itself is no answer: nothing has crossed to anybody', async () => {
    await assert.rejects(
      holdInFlight(async (question) => question, options),
      /was answered with/,
    );
  });

  test('ends in time when answers come without a turn of the loop, which starves its timer', async () => {
    const { asked } = await holdInFlight(async (question) => ({ ...question }), options);
    assert.ok(asked > 8);
  });
});

describe('load on a schedule', () => {
  test('a pause of the answering side shows in the latency of what should have been sent meanwhile', async () => {
    let paused = false;
    const pausing: Ask = async (question) => {
      if (!paused) {
        paused = true;
        // The whole process stands still, the sender included: a sender that waited for answers would not notice.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      }
      return { ...question };
    };
    const { p50 } = await onSchedule(pausing, 2_000, 60);
    assert.ok(p50 > 10_000, `the median is ${p50} µs, although 100 of 120 were due during a pause of 50,000 µs`);
  });

  test('one answer that is wrong fails it', async () => {
    await assert.rejects(
      onSchedule(
        except(3, async () => ({})),
        1_000,
        20,
      ),
      /was answered with/,
    );
  });
});

describe('questions', () => {
  test('have exactly the size that was asked for, as JSON', () => {
    for (const bytes of [64, 1_024, 65_536]) assert.equal(JSON.stringify(questionOf(bytes)).length, bytes);
  });

  test('that cannot be so small are refused', () => {
    assert.throws(() => questionOf(10), /no question fits in 10 bytes/);
  });
});

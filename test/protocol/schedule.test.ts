import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MAX_WAIT_MS } from '../../lib/limits.ts';
import { nextTime, requireRepeat } from '../../lib/protocol/schedule.ts';
import type { Repeat } from '../../lib/protocol/schedule.ts';
import { seeded } from '../support/seeded.ts';

const at = (text: string): number => Date.parse(text);
/** The times after `from`, one after the other. */
function times(repeat: Repeat, from: string, count: number): string[] {
  const found: string[] = [];
  for (let last = at(from); found.length < count;) {
    last = nextTime(repeat, last, last) as number;
    found.push(new Date(last).toISOString());
  }
  return found;
}

describe('the next time of a period', () => {
  test('is a whole number of periods after the time before, the first one that is to come, however late it is', (t) => {
    const property = fc.property(fc.integer({ min: 10, max: MAX_WAIT_MS }), fc.nat(), fc.nat(), (period, due, late) => {
      const next = nextTime(period, due, due + late) as number;
      assert.equal((next - due) % period, 0);
      assert.ok(next > due + late && next <= due + late + period);
    });
    fc.assert(property, seeded(t, 200));
  });

  test('is one period later if the clock was set back', () => {
    assert.equal(nextTime(1_000, 50_000, 20_000), 51_000);
  });
});

describe('the next time of a cron pattern', () => {
  test('is the first one that is to come, in UTC unless a time zone is named', () => {
    const berlin = requireRepeat('0 9 * * 1-5', 'Europe/Berlin');
    // A Friday, and the change to winter time on the Sunday after it.
    assert.deepEqual(times(berlin, '2026-10-22T12:00:00Z', 2), [
      '2026-10-23T07:00:00.000Z',
      '2026-10-26T08:00:00.000Z',
    ]);
    assert.deepEqual(times(requireRepeat('*/20 * * * * *'), '2026-01-01T00:00:30Z', 2), [
      '2026-01-01T00:00:40.000Z',
      '2026-01-01T00:01:00.000Z',
    ]);
  });

  test('that does not exist on the day of a change of the clock comes, and one that exists twice comes once', () => {
    const early = requireRepeat('30 2 * * *', 'Europe/Berlin');
    assert.deepEqual(times(early, '2026-03-28T12:00:00Z', 2), ['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z']);
    assert.deepEqual(times(early, '2026-10-24T12:00:00Z', 2), ['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']);
  });

  test('leaves out those that have passed', () => {
    const hourly = requireRepeat('0 * * * *');
    assert.equal(nextTime(hourly, at('2026-01-01T00:00:00Z'), at('2026-01-01T09:30:00Z')), at('2026-01-01T10:00:00Z'));
  });
});

describe('a schedule is refused with invalid_request', () => {
  const refused: [string, unknown, unknown?][] = [
    ['a period below 10 ms', 9],
    ['a period that is too long', MAX_WAIT_MS + 1],
    ['a period that is no number', Number.NaN],
    ['nothing', undefined],
    ['words', 'every day'],
    ['a nickname', '@daily'],
    ['a date', '2027-01-01T00:00:00'],
    ['four fields', '* * * *'],
    ['seven fields', '* * * * * * 2030'],
    ['a minute that there is not', '61 * * * *'],
    ['a day that never comes', '0 0 31 2 *'],
    ['a long text', `${'1,'.repeat(64)}1 * * * *`],
    ['a time zone that there is not', '0 0 * * *', 'Nowhere/Nothing'],
    ['a time zone that is no text', '0 0 * * *', 1],
  ];
  for (const [what, every, timeZone] of refused)
    test(`(${what})`, () => {
      assert.throws(() => requireRepeat(every, timeZone), { code: 'invalid_request' });
    });
});

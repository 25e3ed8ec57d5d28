import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compareFiles, compareResults } from '../../bench/compare.ts';
import type { ResultsFile } from '../../bench/compare.ts';
import { temporaryFolder } from '../support/start-runtime.ts';

const AROUND_100 = [98, 100, 101, 99, 102];
const AROUND_80 = AROUND_100.map((value) => value * 0.8);

type Measure = ResultsFile['scenarios'][number]['measures'][number];

function results(...measures: Partial<Measure>[]): ResultsFile {
  const whole = measures.map((measure) => ({ subject: 'ours', quantity: 'asks/s', perRound: AROUND_100, ...measure }));
  return {
    machine: {
      cpu: 'a cpu',
      cores: 2,
      memoryGiB: 8,
      node: 'v20',
      platform: 'linux x64',
      date: 'a day',
      loadAverage: 0,
    },
    effort: 'full',
    scenarios: [{ scenario: 'ask', measures: whole, ratios: [] }],
  };
}

describe('compare', () => {
  test('says how many times the second median is, with an interval, and marks what is beyond it', () => {
    const { text, lostGoals } = compareResults(results({}), results({ perRound: AROUND_80 }));
    assert.match(text, /ask \| ours \| asks\/s +100 +80\.0 +0\.800 .*lower/);
    assert.match(text, /1 figures, 1 differ/);
    assert.deepEqual(lostGoals, []);
  });

  test('rounds that overlap are not marked', () => {
    const { text } = compareResults(results({}), results({ perRound: [97, 101, 100, 103, 99] }));
    assert.match(text, /1 figures, 0 differ/);
  });

  test('a goal that was met and is missed beyond the spread is lost', () => {
    const goal = { atLeast: 90 };
    const { lostGoals } = compareResults(results(goal), results({ ...goal, perRound: AROUND_80 }));
    assert.equal(lostGoals.length, 1);
    assert.match(lostGoals[0] ?? '', /ask \| ours \| asks\/s \(goal >= 90, now 80\.0\)/);
  });

  test('a greatest value is a goal as well as a least one', () => {
    const goal = { atMost: 90 };
    const { lostGoals } = compareResults(results({ ...goal, perRound: AROUND_80 }), results(goal));
    assert.equal(lostGoals.length, 1);
  });

  test('a goal that is missed within the spread is named, and not lost', () => {
    const goal = { atLeast: 99.5 };
    const { text, lostGoals } = compareResults(results(goal), results({ ...goal, perRound: [97, 101, 99, 103, 98] }));
    assert.match(text, /goal missed, within the spread: ask/);
    assert.deepEqual(lostGoals, []);
  });

  test('a goal that was missed before is not lost again', () => {
    const goal = { atLeast: 200 };
    const { lostGoals } = compareResults(results(goal), results({ ...goal, perRound: AROUND_80 }));
    assert.deepEqual(lostGoals, []);
  });

  test('figures that only one of them has are counted, not compared', () => {
    const { text } = compareResults(results({}, { subject: 'gone' }), results({}, { subject: 'new' }));
    assert.match(text, /only in A: 1 figures, such as ask \| gone/);
    assert.match(text, /only in B: 1 figures, such as ask \| new/);
    assert.match(text, /1 figures, 0 differ/);
  });

  test('a file that is missing, no JSON or no results is refused by name', async (t) => {
    const folder = temporaryFolder(t);
    const [text, other] = [join(folder, 'text.json'), join(folder, 'other.json')];
    writeFileSync(text, 'not JSON');
    writeFileSync(other, '{"machine":{}}');
    await assert.rejects(compareFiles(join(folder, 'none.json'), text), /none\.json cannot be read/);
    await assert.rejects(compareFiles(text, text), /text\.json cannot be read/);
    await assert.rejects(compareFiles(other, other), /other\.json holds no results of a run: machine\.cpu/);
  });
});

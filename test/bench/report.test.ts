import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compareFiles } from '../../bench/compare.ts';
import { contenderOf } from '../../bench/contenders/all.ts';
import { loadOf, takeTurn } from '../../bench/contenders/contender.ts';
import type { Ask } from '../../bench/support/load.ts';
import { runScenarios } from '../../bench/support/report.ts';
import type { Results } from '../../bench/support/report.ts';
import type { Scenario } from '../../bench/support/scenario.ts';
import { interleave } from '../../bench/support/rounds.ts';
import { temporaryFolder } from '../support/start-runtime.ts';

const RATE = loadOf(64).quantity;

/** The real runtime with few questions; its `sabotage`d twin loses the answer of one of them. */
function smallScenario(name: string, sabotage: boolean): Scenario {
  const contender = contenderOf('{"workers":4}');
  const turn = async (): Promise<Record<string, number>> => {
    let asked = 0;
    const start = async () => {
      const running = await contender.start();
      const lossy: Ask = (question, lane) =>
        running.ask(question, lane).then((answer) => (++asked === 100 ? undefined : answer));
      return { ask: sabotage ? lossy : running.ask, close: () => running.close() };
    };
    return takeTurn({ name, start }, { warmUpMs: 20, forMs: 20, loads: [loadOf(64)] });
  };
  const run = async () => {
    const measures = await interleave([{ name: 'ours', turn }], 2);
    const [measure] = measures;
    if (measure === undefined) throw new Error('nothing was measured');
    return {
      measures: [{ ...measure, atLeast: 1e12 }],
      ratios: [],
      chart: { of: 'measures', scale: 'linear' } as const,
    };
  };
  return { name, question: 'does it work', run };
}

describe('a run', () => {
  test('reports figures and missed goals, and a scenario that loses an answer fails without a figure', async (t) => {
    const folder = temporaryFolder(t);
    t.mock.method(console, 'log', () => undefined);
    t.mock.method(console, 'error', () => undefined);
    const json = join(folder, 'copy.json');
    const scenarios = [smallScenario('whole', false), smallScenario('lossy', true)];
    const [whole, lossy] = await runScenarios({ scenarios, effort: 'quick', folder, json });

    assert.ok(whole !== undefined && 'measures' in whole, JSON.stringify(whole));
    assert.deepEqual(
      whole.measures.map(({ subject, quantity, perRound }) => [subject, quantity, perRound.length]),
      [['ours', RATE, 2]],
    );
    assert.ok(lossy !== undefined && 'error' in lossy && !('measures' in lossy), JSON.stringify(lossy));
    assert.match(lossy.error, /^ours: question \d+ was answered with undefined$/);

    const files = readdirSync(folder).map((file) => file.replace(/^.*Z/, ''));
    assert.deepEqual(files.toSorted(), ['-whole.svg', '.json', 'copy.json']);
    const results = JSON.parse(readFileSync(json, 'utf8')) as Results;
    assert.deepEqual(
      results.scenarios.map(({ scenario }) => scenario),
      ['whole', 'lossy'],
    );
    const { text, lostGoals } = await compareFiles(json, json);
    assert.match(text, /failed in A: lossy/);
    assert.deepEqual(lostGoals, []);
  });
});

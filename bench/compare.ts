// Two results files side by side: for each figure that both have, the second median as a multiple of the first, and the
// interval that the rounds of both allow. What differs beyond that interval is marked. A goal is lost when the first run
// met it, the second does not, and the difference is beyond the interval; a miss within it is named and fails nothing,
// because the same code would miss it now and then.

import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { machineLine } from './support/machine.ts';
import { hasGoal, isMet } from './support/scenario.ts';
import type { Goal } from './support/scenario.ts';
import { bootstrapRatio, median } from './support/statistics.ts';
import { align, digits, goalText } from './support/table.ts';

export interface Comparison {
  readonly text: string;
  /** Names of the figures. */
  readonly lostGoals: readonly string[];
}

const Rounds = v.pipe(v.array(v.number()), v.minLength(1));
const goal = { atLeast: v.optional(v.number()), atMost: v.optional(v.number()) };
const ResultsFile = v.object({
  machine: v.object({
    cpu: v.string(),
    cores: v.number(),
    memoryGiB: v.number(),
    node: v.string(),
    platform: v.string(),
    date: v.string(),
    loadAverage: v.number(),
  }),
  effort: v.picklist(['quick', 'full']),
  scenarios: v.array(
    v.object({
      scenario: v.string(),
      measures: v.optional(
        v.array(v.object({ subject: v.string(), quantity: v.string(), perRound: Rounds, ...goal })),
        [],
      ),
      ratios: v.optional(v.array(v.object({ label: v.string(), perRound: Rounds, ...goal })), []),
      error: v.optional(v.string()),
    }),
  ),
});
export type ResultsFile = v.InferOutput<typeof ResultsFile>;

/** Rejects when a file cannot be read or holds something else. */
export async function compareFiles(before: string, after: string): Promise<Comparison> {
  return compareResults(await readResults(before), await readResults(after));
}

async function readResults(file: string): Promise<ResultsFile> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new Error(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const { success, output, issues } = v.safeParse(ResultsFile, value);
  if (!success) {
    const [issue] = issues;
    throw new Error(`${file} holds no results of a run: ${v.getDotPath(issue) ?? 'top level'}: ${issue.message}`);
  }
  return output;
}

interface Figure extends Goal {
  readonly name: string;
  readonly perRound: readonly number[];
}

export function compareResults(before: ResultsFile, after: ResultsFile): Comparison {
  const rows: string[][] = [];
  const lostGoals: string[] = [];
  const atRisk: string[] = [];
  const [first, second] = [figuresOf(before), figuresOf(after)];
  for (const figure of first.values()) {
    const other = second.get(figure.name);
    if (other === undefined) continue;
    const [from, to] = [median(figure.perRound), median(other.perRound)];
    const { low, high } = bootstrapRatio(other.perRound, figure.perRound);
    const differs = low > 1 || high < 1;
    const isMissed = hasGoal(other) && isMet(other, from) && !isMet(other, to);
    if (isMissed) (differs ? lostGoals : atRisk).push(`${figure.name} (goal ${goalText(other)}, now ${digits(to)})`);
    const mark = differs ? (to > from ? 'higher' : 'lower') : '';
    rows.push([figure.name, digits(from), digits(to), ...[to / from, low, high].map(digits), mark]);
  }
  const header = ['', 'A', 'B', 'B : A', 'low', 'high', ''];
  const text = [
    ...[before, after].map((run, at) => `${'AB'[at]}: ${machineLine(run.machine)} · ${run.effort}`),
    align([header, ...rows], 1),
    ...missing('A', first, second),
    ...missing('B', second, first),
    ...failures('A', before),
    ...failures('B', after),
    ...atRisk.map((name) => `goal missed, within the spread: ${name}`),
    ...lostGoals.map((name) => `GOAL LOST: ${name}`),
    `${rows.length} figures, ${rows.filter((row) => row.at(-1) !== '').length} differ beyond their spread (95 % bootstrap of the medians), ${lostGoals.length} goals lost`,
  ].join('\n');
  return { text, lostGoals };
}

function figuresOf({ scenarios }: ResultsFile): Map<string, Figure> {
  const figures = scenarios.flatMap(({ scenario, measures, ratios }) => [
    ...measures.map((measure) => ({ ...measure, name: `${scenario} | ${measure.subject} | ${measure.quantity}` })),
    ...ratios.map((ratio) => ({ ...ratio, name: `${scenario} | ${ratio.label}` })),
  ]);
  return new Map(
    figures.map(({ name, perRound, atLeast, atMost }) => {
      const figure: Figure = {
        name,
        perRound,
        ...(atLeast !== undefined && { atLeast }),
        ...(atMost !== undefined && { atMost }),
      };
      return [name, figure];
    }),
  );
}

function missing(side: string, here: Map<string, Figure>, there: Map<string, Figure>): string[] {
  const only = [...here.keys()].filter((name) => !there.has(name));
  return only.length === 0 ? [] : [`only in ${side}: ${only.length} figures, such as ${only[0]}`];
}

function failures(side: string, { scenarios }: ResultsFile): string[] {
  return scenarios.flatMap(({ scenario, error }) =>
    error === undefined ? [] : [`failed in ${side}: ${scenario}: ${error}`],
  );
}

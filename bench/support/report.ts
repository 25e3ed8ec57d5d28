// Runs scenarios one after the other and says what they found: a table on stdout, and in a folder one JSON file of the
// run and an SVG chart of each scenario.

import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { drawChart } from './chart.ts';
import { busyShare, describeMachine, loadAverage, machineLine } from './machine.ts';
import type { Machine } from './machine.ts';
import { isMet, hasGoal } from './scenario.ts';
import type { Effort, Findings, Measure, Ratio, Scenario } from './scenario.ts';
import { summarise } from './statistics.ts';
import type { Summary } from './statistics.ts';
import { renderFindings } from './table.ts';

export interface RunRequest {
  readonly scenarios: readonly Scenario[];
  readonly effort: Effort;
  /** Where the JSON file and the charts go; it is created. */
  readonly folder: string;
  /** A second copy of the JSON file. */
  readonly json?: string | undefined;
}

export type ScenarioReport = {
  readonly scenario: string;
  readonly question: string;
  readonly seconds: number;
  /** Share of all cores that others used just before it began, 0 to 1. */
  readonly busyBefore: number;
} & ((Findings & { readonly chartFile: string }) | { readonly error: string });

/** What a results file holds. */
export interface Results {
  readonly machine: Machine;
  readonly effort: Effort;
  readonly loadAverageAfter: number;
  readonly scenarios: readonly ScenarioReport[];
}

/** The reports in the order of the scenarios. One that fails does not keep the next from running. */
export async function runScenarios({ scenarios, effort, folder, json }: RunRequest): Promise<ScenarioReport[]> {
  const machine = describeMachine();
  const stamp = machine.date.replace(/[:.]/g, '-');
  const reports: ScenarioReport[] = [];
  console.log(`${machineLine(machine)}\neffort ${effort}\n`);
  await mkdir(folder, { recursive: true });
  for (const scenario of scenarios) {
    const report = await runOne(scenario, effort, machine, join(folder, `${stamp}-${scenario.name}.svg`));
    reports.push(report);
    // After each: a run that is interrupted has reported what it found.
    const text = resultsText({ machine, effort, loadAverageAfter: loadAverage(), scenarios: reports });
    await writeFile(join(folder, `${stamp}.json`), text);
    if (json !== undefined) await writeFile(json, text);
  }
  console.log(goalsLine(reports));
  console.log(`load average ${machine.loadAverage} before, ${loadAverage()} after · ${join(folder, `${stamp}.json`)}`);
  return reports;
}

async function runOne(
  scenario: Scenario,
  effort: Effort,
  machine: Machine,
  chartFile: string,
): Promise<ScenarioReport> {
  const { name, question } = scenario;
  console.log(`${name}: ${question}`);
  const busyBefore = await busyShare();
  const startMs = performance.now();
  const seconds = (): number => Math.round(performance.now() - startMs) / 1_000;
  try {
    const findings = await scenario.run(effort);
    await writeFile(chartFile, await drawChart(scenario, findings, `${machineLine(machine)} · ${effort}`));
    const busy = `others used ${Math.round(busyBefore * 100)} % of the machine before`;
    console.log(`\n${renderFindings(findings)}\n\n${seconds().toFixed(1)} s · ${busy} · ${chartFile}\n`);
    return { scenario: name, question, seconds: seconds(), busyBefore, ...findings, chartFile: basename(chartFile) };
  } catch (thrown) {
    console.error(`\n${name} FAILED:`, thrown, '\n');
    const error = thrown instanceof Error ? thrown.message : String(thrown);
    return { scenario: name, question, seconds: seconds(), busyBefore, error };
  }
}

function goalsLine(reports: readonly ScenarioReport[]): string {
  const figures: readonly (Measure | Ratio)[] = reports.flatMap((report) =>
    'error' in report ? [] : [...report.measures, ...report.ratios],
  );
  const withGoal = figures.filter(hasGoal);
  const met = withGoal.filter((figure) => isMet(figure, summarise(figure.perRound).median));
  const failed = reports.filter((report) => 'error' in report).map(({ scenario }) => scenario);
  const failures = failed.length === 0 ? 'no scenario failed' : `FAILED: ${failed.join(', ')}`;
  return `${met.length} of ${withGoal.length} goals met · ${failures}`;
}

function resultsText(results: Results): string {
  const scenarios = results.scenarios.map((report) =>
    'error' in report
      ? report
      : { ...report, measures: report.measures.map(counted), ratios: report.ratios.map(counted) },
  );
  return `${JSON.stringify({ ...results, scenarios }, null, 2)}\n`;
}

function counted<T extends { readonly perRound: readonly number[] }>(found: T): T & Summary {
  return { ...found, ...summarise(found.perRound) };
}

// npm run bench -- [scenario…] [--quick] [--json FILE]
// Runs scenarios one after the other and says what they found: a table on stdout, and in bench/results one JSON file of
// the run and an SVG chart of each scenario. Exit codes: 0 all ran, 1 one failed (a wrong or missing answer), 2 usage.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ask } from './ask.ts';
import { mailbox } from './mailbox.ts';
import { rest } from './rest.ts';
import { sizeCheck } from './size-check.ts';
import { drawChart } from './support/chart.ts';
import { describeMachine, loadAverage, machineLine } from './support/machine.ts';
import type { Machine } from './support/machine.ts';
import type { Effort, Findings, Scenario } from './support/scenario.ts';
import { summarise } from './support/statistics.ts';
import { renderFindings } from './support/table.ts';
import { threadHop } from './thread-hop.ts';

const SCENARIOS: readonly Scenario[] = [threadHop, mailbox, ask, sizeCheck, rest];
const USAGE = `usage: npm run bench -- [${SCENARIOS.map(({ name }) => name).join(' | ')}]… [--quick] [--json FILE]`;
/** From dist/bench. */
const RESULTS = fileURLToPath(new URL('../../bench/results', import.meta.url));
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

interface Command {
  readonly scenarios: readonly Scenario[];
  readonly effort: Effort;
  readonly json: string | undefined;
}

type Report = { readonly scenario: string; readonly question: string; readonly seconds: number } & (
  (Findings & { readonly chartFile: string }) | { readonly error: string }
);

/** Throws a TypeError for what it cannot read. */
function readCommand(args: string[]): Command {
  const options = { quick: { type: 'boolean' }, json: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const unknown = positionals.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) throw new TypeError(`there is no scenario '${unknown}'`);
  const isWanted = ({ name }: Scenario): boolean => positionals.length === 0 || positionals.includes(name);
  return { scenarios: SCENARIOS.filter(isWanted), effort: values.quick === true ? 'quick' : 'full', json: values.json };
}

async function runAll({ scenarios, effort, json }: Command): Promise<number> {
  const machine = describeMachine();
  const stamp = machine.date.replace(/[:.]/g, '-');
  const reports: Report[] = [];
  console.log(`${machineLine(machine)}\neffort ${effort}\n`);
  await mkdir(RESULTS, { recursive: true });
  for (const scenario of scenarios) {
    const report = await runOne(scenario, effort, machine, stamp);
    reports.push(report);
    // After each: a run that is interrupted has reported what it found.
    const text = reportText(machine, effort, reports);
    await writeFile(join(RESULTS, `${stamp}.json`), text);
    if (json !== undefined) await writeFile(json, text);
  }
  console.log(`load average ${machine.loadAverage} before, ${loadAverage()} after · ${join(RESULTS, `${stamp}.json`)}`);
  return reports.some((report) => 'error' in report) ? EXIT_FAILED : 0;
}

async function runOne(scenario: Scenario, effort: Effort, machine: Machine, stamp: string): Promise<Report> {
  const { name, question } = scenario;
  console.log(`${name}: ${question}`);
  const startMs = performance.now();
  const seconds = (): number => Math.round(performance.now() - startMs) / 1_000;
  try {
    const findings = await scenario.run(effort);
    const chartFile = `${stamp}-${name}.svg`;
    await writeFile(
      join(RESULTS, chartFile),
      await drawChart(scenario, findings, `${machineLine(machine)} · ${effort}`),
    );
    console.log(`\n${renderFindings(findings)}\n\n${seconds().toFixed(1)} s · ${chartFile}\n`);
    return { scenario: name, question, seconds: seconds(), ...findings, chartFile };
  } catch (thrown) {
    console.error(`\n${name} FAILED:`, thrown, '\n');
    return {
      scenario: name,
      question,
      seconds: seconds(),
      error: thrown instanceof Error ? thrown.message : String(thrown),
    };
  }
}

function reportText(machine: Machine, effort: Effort, reports: readonly Report[]): string {
  const scenarios = reports.map((report) =>
    'error' in report
      ? report
      : { ...report, measures: report.measures.map(counted), ratios: report.ratios.map(counted) },
  );
  return `${JSON.stringify({ machine, effort, loadAverageAfter: loadAverage(), scenarios }, null, 2)}\n`;
}

function counted<T extends { readonly perRound: readonly number[] }>(found: T): T & ReturnType<typeof summarise> {
  return { ...found, ...summarise(found.perRound) };
}

let command: Command | undefined;
try {
  command = readCommand(process.argv.slice(2));
} catch (thrown) {
  console.error(`${(thrown as Error).message}\n${USAGE}`);
  process.exitCode = EXIT_USAGE;
}
if (command !== undefined) process.exitCode = await runAll(command);

// npm run bench -- [scenario…] [--quick] [--json FILE]
// npm run bench -- compare A B
// Exit codes: 0 all ran; 1 a scenario failed (a wrong or missing answer), or a comparison found a goal that was lost;
// 2 the command line, or a file to compare, could not be read.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compareFiles } from './compare.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Effort, Scenario } from './support/scenario.ts';
import { runScenarios } from './support/report.ts';

const NAMES = SCENARIOS.map(({ name }) => name);
const USAGE = `usage: npm run bench -- [${NAMES.join(' | ')}]… [--quick] [--json FILE]
       npm run bench -- compare A B      (results files, or the word baseline)`;
/** From dist/bench. */
const RESULTS = fileURLToPath(new URL('../../bench/results', import.meta.url));
const BASELINE = fileURLToPath(new URL('../../bench/baseline.json', import.meta.url));
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

type Command =
  | { readonly compare: readonly [string, string] }
  | { readonly scenarios: readonly Scenario[]; readonly effort: Effort; readonly json: string | undefined };

/** Throws a TypeError for what it cannot read. */
function readCommand(args: string[]): Command {
  const options = { quick: { type: 'boolean' }, json: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const [first, before, after, ...more] = positionals;
  if (first === 'compare') {
    if (before === undefined || after === undefined || more.length > 0) throw new TypeError('compare takes two files');
    const file = (name: string): string => (name === 'baseline' ? BASELINE : name);
    return { compare: [file(before), file(after)] };
  }
  const unknown = positionals.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new TypeError(`there is no scenario '${unknown}'`);
  const isWanted = ({ name }: Scenario): boolean => positionals.length === 0 || positionals.includes(name);
  return { scenarios: SCENARIOS.filter(isWanted), effort: values.quick === true ? 'quick' : 'full', json: values.json };
}

async function obey(command: Command): Promise<number> {
  if ('compare' in command) {
    const { text, lostGoals } = await compareFiles(...command.compare);
    console.log(text);
    return lostGoals.length > 0 ? EXIT_FAILED : 0;
  }
  const reports = await runScenarios({ ...command, folder: RESULTS });
  return reports.some((report) => 'error' in report) ? EXIT_FAILED : 0;
}

try {
  process.exitCode = await obey(readCommand(process.argv.slice(2)));
} catch (thrown) {
  console.error(`${(thrown as Error).message}\n${USAGE}`);
  process.exitCode = EXIT_USAGE;
}

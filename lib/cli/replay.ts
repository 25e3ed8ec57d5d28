// `greenroom replay`: feeds a worker's recorded inputs to an actor, without a runtime, and says where it differs. stdout carries the
// differences, a line each, and a line that sums them up; with --json one object. Exit code 1 when there are any.

import { resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import type { Config } from '../config.ts';
import { GreenroomError } from '../errors.ts';
import { silentLog } from '../observe/log.ts';
import { toSnakeCase } from '../protocol/views.ts';
import type { Difference, ReplayReport } from '../replay/replay.ts';
import { readText } from './files.ts';
import { CannotStart, clean, explained } from './say.ts';

type Flags = Readonly<Record<string, unknown>>;
type Run = () => Promise<number>;

const DEFAULT_INPUT_TIMEOUT_MS = 60_000;
/** As long as a timer can be. */
const MAX_INPUT_TIMEOUT_MS = 2 ** 31 - 1;
/** Characters of a value in a line; --json has the whole. */
const MAX_VALUE_CHARS = 120;

/** Adds the command; `setRun` is told what to run when it was given. */
export function addReplayCommand(program: Command, setRun: (run: Run) => void): void {
  program
    .command('replay')
    .description("feed a worker's recorded inputs to an actor, and say where it differs")
    .requiredOption('--worker <ID>', 'the worker; the runtime it belongs to must not run, or use --store-file')
    .addOption(new Option('--actor <FILE>', 'the code that is fed (default: that of --actors)').conflicts('actors'))
    .option('--actors <PATH>', 'folder or module of actors; repeatable', (value: string, before: string[] = []) => [
      ...before,
      value,
    ])
    .option('--data-dir <DIR>', 'where the store is')
    .option('--config <FILE>', 'the configuration of the runtime')
    .addOption(new Option('--store-file <FILE>', 'a backup of the store').conflicts('dataDir'))
    .option('--from-state <FILE>', 'the state, as JSON, that the first kept input found')
    .option('--input-timeout-ms <MS>', `how long an input may take (default ${DEFAULT_INPUT_TIMEOUT_MS})`)
    .option('--json', 'print one JSON object')
    .action((flags: Flags) => {
      const inputTimeoutMs = timeoutOf(flags['inputTimeoutMs']);
      const { dataDir, actors, config: file } = flags;
      const given = { dataDir, config: file, actors: flags['actor'] === undefined ? actors : [flags['actor']] };
      const config = readConfig({ flags: given, environment: process.env, cwd: process.cwd() });
      setRun(() => explained(() => run(flags, config, inputTimeoutMs)));
    });
}

async function run(flags: Flags, config: Config, inputTimeoutMs: number): Promise<number> {
  const { actors, limits } = config;
  if (actors.length === 0) throw new CannotStart('--actor or --actors is needed: the code that the inputs are fed to');
  const fromState = typeof flags['fromState'] === 'string' ? readState(flags['fromState'], config) : null;
  const workerId = String(flags['worker']);
  const { replayStored } = await import('../replay/stored.ts');
  const { storeFile } = flags;
  const from = typeof storeFile === 'string' ? { file: resolve(storeFile) } : { dataDir: config.dataDir };
  const report = await replayStored({ from, workerId, actors, fromState, inputTimeoutMs, limits, log: silentLog });
  await print(flags['json'] === true ? [JSON.stringify(jsonOf(report))] : linesOf(report));
  return report.differences.length > 0 ? 1 : 0;
}

/** Throws `invalid_option`. */
function timeoutOf(given: unknown): number {
  if (given === undefined) return DEFAULT_INPUT_TIMEOUT_MS;
  const timeoutMs = Number(given);
  if (Number.isSafeInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= MAX_INPUT_TIMEOUT_MS) return timeoutMs;
  const message = `--input-timeout-ms must be a whole number from 1 to ${MAX_INPUT_TIMEOUT_MS}`;
  throw GreenroomError.of('invalid_option', { message });
}

function readState(file: string, { limits }: Config): string {
  const text = readText(file, limits.maxMessageBytes, 'state');
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new CannotStart(`${file}: is not valid JSON`, { cause });
  }
  return text;
}

// --- what is printed ---

/** With the values as they are: their keys are not ours. */
function jsonOf({ differences, ...report }: ReplayReport): unknown {
  const all = differences.map(({ recorded, replayed, ...others }) => ({
    ...(toSnakeCase(others) as object),
    recorded,
    replayed,
  }));
  return { ...(toSnakeCase(report) as object), differences: all };
}

function linesOf(report: ReplayReport): string[] {
  const { workerId, fed, compared, firstSequence, isStateCompared, refused, differences } = report;
  const lines = [
    ...refused.map(({ sequence, inputId, calls }) => ({
      sequence,
      text: `input ${sequence} (${inputId}): not compared: it called ${calls.join(', ')}`,
    })),
    ...differences.map((difference) => ({ sequence: difference.sequence ?? Infinity, text: lineOf(difference) })),
  ].sort((a, b) => a.sequence - b.sequence || 0);
  const leftOut = Object.entries(report.leftOut).flatMap(([why, count]) =>
    count > 0 ? [`${count} ${why.replace('_', ' ')}`] : [],
  );
  const parts = [
    `${fed} inputs fed, ${compared} compared`,
    ...(leftOut.length > 0 ? [`left out: ${leftOut.join(', ')}`] : []),
    ...(firstSequence > 1 ? [`nothing before sequence ${firstSequence} is kept`] : []),
    ...(isStateCompared ? [] : ['the state was not compared']),
    differences.length === 0 ? 'no differences' : `${differences.length} differences`,
  ];
  return [...lines.map(({ text }) => text), `${workerId}: ${parts.join('; ')}`].map(clean);
}

function lineOf({ of, inputId, sequence, path, recorded, replayed, isAfterRefusal }: Difference): string {
  const where = inputId === null ? '' : `input ${sequence} (${inputId}): `;
  const at = path === '' ? '' : ` at ${path}`;
  const after = isAfterRefusal ? ' (after an input that was not compared)' : '';
  return `${where}${of}${at}: recorded ${shown(recorded)}, now ${shown(replayed)}${after}`;
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text;
}

/** To a pipe it is written later, and the process ends with the command. */
function print(lines: readonly string[]): Promise<void> {
  return new Promise((done) => process.stdout.write(`${lines.join('\n')}\n`, () => done()));
}

#!/usr/bin/env node
// argv → Config → runtime. Exit codes: 0 done, 2 usage (stderr names the flag), 1 cannot start or an actor is broken
// (stderr says why); one line each. Reading the command line is one step and running it another, so that an error is
// the one or the other by where it came from. Fastify, pino and the hosts are loaded by the command that needs them.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, CommanderError } from 'commander';
import { addReplayCommand } from './cli/replay.ts';
import { CannotStart, exitOnFatal, say } from './cli/say.ts';
import { addSourceCommands } from './cli/source.ts';
import { addStoreCommands } from './cli/store.ts';
import { OPTIONS, toFlag } from './config-options.ts';
import type { OptionSpec } from './config-options.ts';
import { readConfig } from './config.ts';
import { GreenroomError } from './errors.ts';
import { describeError } from './observe/log.ts';

/** Runs the command; resolves to the exit code. */
type Run = () => Promise<number>;

const EXIT_DONE = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const NO_COMMAND =
  'a command is needed: start, check-actor, source, replay, backup, restore, compact, fsck or openapi; see --help';

async function main(argv: readonly string[]): Promise<number> {
  let run: Run;
  try {
    run = parse(argv);
  } catch (thrown) {
    return explainUsage(thrown);
  }
  try {
    return await run();
  } catch (thrown) {
    say(explain(thrown));
    return EXIT_FAILED;
  }
}

/** Throws CommanderError or `invalid_option`. */
function parse(argv: readonly string[]): Run {
  const version = readVersion();
  let run: Run | undefined;
  const program = new Command('greenroom')
    .description('Stateful workers on threads, commanded over REST.')
    .version(version)
    .exitOverride()
    // Commander would print its errors, and the whole help for them, in several lines; explainUsage prints one.
    .configureOutput({ writeErr: () => undefined });

  const start = program.command('start').description('run the standalone runtime');
  for (const spec of OPTIONS) addOption(start, spec);
  start.option(
    `${toFlag('config')} <FILE>`,
    'a JSON file of options with camelCase keys; variables and flags override it',
  );
  start.addHelpText(
    'after',
    '\nEvery option can also be given as a variable: GREENROOM_MAX_MESSAGE_BYTES for --max-message-bytes.',
  );
  start.action((flags: Record<string, unknown>) => {
    const config = readConfig({ flags, environment: process.env, cwd: process.cwd() });
    run = async () => (await import('./cli/start.ts')).start(config, version, process.env);
  });

  const check = program
    .command('check-actor')
    .description('say whether a module holds a valid actor')
    .argument('<FILE>');
  check.action((file: string) => {
    run = () => checkActor(file);
  });

  addSourceCommands(program, (chosen) => (run = chosen));
  addStoreCommands(program, (chosen) => (run = chosen));
  addReplayCommand(program, (chosen) => (run = chosen));
  const openapi = program.command('openapi').description('print the REST API as an OpenAPI document');
  openapi.action(() => {
    run = async () => (await import('./cli/openapi.ts')).printApi(version);
  });

  program.parse([...argv], { from: 'user' });
  return run ?? program.error(NO_COMMAND);
}

function addOption(command: Command, { key, kind, argument, help }: OptionSpec): void {
  if (kind === 'flag') return void command.option(toFlag(key), help);
  const flags = `${toFlag(key)} <${argument}>`;
  if (kind === 'list') command.option(flags, help, (value: string, before: string[] = []) => [...before, value]);
  else command.option(flags, help);
}

async function checkActor(file: string): Promise<number> {
  const path = resolve(file);
  if (!existsSync(path)) throw new CannotStart(`${file}: there is no such file`);
  const { checkActorModule } = await import('./check-actor.ts');
  try {
    const { kind } = await checkActorModule(pathToFileURL(path));
    process.stdout.write(`ok: ${kind}\n`);
    return EXIT_DONE;
  } catch (thrown) {
    throw new CannotStart(`${file}: ${explain(thrown)}`, { cause: thrown });
  }
}

// --- errors ---

function explainUsage(thrown: unknown): number {
  // Help and version arrive here as well: they have been printed and are no errors.
  if (thrown instanceof CommanderError && thrown.exitCode === EXIT_DONE) return EXIT_DONE;
  if (!(thrown instanceof CommanderError)) say(explain(thrown));
  else say(thrown.code === 'commander.help' ? NO_COMMAND : thrown.message.replace(/^error: /, ''));
  return EXIT_USAGE;
}

function explain(thrown: unknown): string {
  if (thrown instanceof CannotStart || thrown instanceof GreenroomError) return thrown.message;
  const { error_name, error_message } = describeError(thrown);
  return `${error_name}: ${error_message}`;
}

/** This file runs as lib/cli.ts and as dist/lib/cli.js; the manifest lies one or two folders up. */
function readVersion(): string {
  const manifest = ['../package.json', '../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(url));
  if (manifest === undefined) return 'unknown';
  return String((JSON.parse(readFileSync(manifest, 'utf8')) as { version?: unknown }).version);
}

exitOnFatal();
// Not process.exitCode: something that a module left running would keep a finished command alive.
process.exit(await main(process.argv.slice(2)));

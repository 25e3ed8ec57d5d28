// `greenroom source`: the sources of a runtime that is running, by its REST API; and `inspect`, which needs none.
// stdout carries what was asked for, as columns or with --json as the runtime says it.

import { join } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Client } from '../client/index.ts';
import { readConfig } from '../config.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { isObject } from '../protocol/payload.ts';
import type { SourceRequest } from '../protocol/source-request.ts';
import { toSnakeCase } from '../protocol/views.ts';
import type { SourceChange, SourcePreview, SourceSummary, UnmappedView } from '../protocol/views.ts';
import { readText } from './files.ts';
import { CannotStart, clean, explained } from './say.ts';

type Flags = Readonly<Record<string, unknown>>;
type Run = () => Promise<number>;

/** Adds the commands; `setRun` is told what to run when one of them was given. */
export function addSourceCommands(program: Command, setRun: (run: Run) => void): void {
  const source = program
    .command('source')
    .description('OpenAPI documents and MCP servers whose operations are functions');
  const json = (command: Command) => command.option('--json', 'print what the runtime answers');
  const remote = (command: Command) =>
    json(command)
      .option('--runtime <URL>', 'the runtime that is meant (default: where the configuration says that it listens)')
      .option('--token-file <FILE>', 'the file that holds its bearer token (default: the one in the data dir)')
      .option('--data-dir <DIR>', 'its data dir')
      .option('--config <FILE>', 'its configuration');
  const made = (command: Command) =>
    command
      .option('--type <TYPE>', 'openapi or mcp', 'openapi')
      .option('--base-url <URL>', 'stands for the servers that an OpenAPI document names')
      .option('--include <PATTERN>', 'functions that are wanted, * for any text; repeatable', gather)
      .option('--exclude <PATTERN>', 'functions that are not; repeatable', gather)
      .option('--settings <FILE>', 'a JSON object with what else the type knows: auth, headers, …');

  made(remote(source.command('add').description('make a source, or see with --dry-run what it would make')))
    .requiredOption('--name <NAME>', 'of the group; stands in front of its functions')
    .option('--url <URL>', 'where the document, or the server, is')
    .addOption(new Option('--file <FILE>', 'the document itself').conflicts('url'))
    .option('--dry-run', 'make nothing')
    .action((flags: Flags) => setRun(withClient(flags, (client) => add(client, flags))));
  remote(source.command('list').description('list the sources')).action((flags: Flags) =>
    setRun(withClient(flags, (client) => list(client, flags))),
  );
  remote(source.command('refresh').description('read a source again').argument('<NAME>')).action(
    (name: string, flags: Flags) =>
      setRun(
        withClient(flags, async (client) => {
          const view = await client.refreshSource(name);
          print(flags, view, [summaryLine(view), ...view.unmapped.map(unmappedLine)]);
        }),
      ),
  );
  remote(source.command('remove').description('delete a source').argument('<NAME>')).action(
    (name: string, flags: Flags) =>
      setRun(
        withClient(flags, async (client) => {
          const view = await client.deleteSource(name);
          print(flags, view, [`${view.name}\tremoved`]);
        }),
      ),
  );
  made(
    json(source.command('inspect').description('say what a document would make, without a runtime').argument('<FILE>')),
  )
    .option('--name <NAME>', 'of the source', 'source')
    .action((file: string, flags: Flags) => setRun(explaining(() => inspect({ ...flags, file }))));
}

async function add(client: Client, flags: Flags): Promise<void> {
  const request = requestOf(flags);
  if (flags['dryRun'] === true) return printPreview(flags, await client.createSource(request, { dryRun: true }));
  const view = await client.createSource(request);
  print(flags, view, [summaryLine(view), ...view.unmapped.map(unmappedLine)]);
}

async function list(client: Client, flags: Flags): Promise<void> {
  const sources: SourceSummary[] = [];
  for await (const source of client.sources()) sources.push(source);
  print(flags, { sources }, sources.map(summaryLine));
}

async function inspect(flags: Flags): Promise<void> {
  const { inspectSource } = await import('../outside.ts');
  printPreview(flags, await inspectSource(requestOf(flags)));
}

/** Throws `CannotStart` for a file that cannot be read. */
function requestOf(flags: Flags): SourceRequest {
  const { name, type, url, baseUrl, include, exclude, file, settings } = flags;
  const document = typeof file === 'string' ? read(file) : undefined;
  const given = Object.entries({ url, base_url: baseUrl, include, exclude, document });
  const set = Object.fromEntries(given.filter(([, value]) => value !== undefined));
  const others = typeof settings === 'string' ? readObject(settings) : {};
  return { ...others, ...set, name: String(name), type: String(type) };
}

function gather(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

// --- the runtime ---

/** Throws `invalid_option`. */
function withClient(flags: Flags, work: (client: Client) => Promise<void>): Run {
  const { dataDir, tokenFile, config: file } = flags;
  const config = readConfig({
    flags: { dataDir, tokenFile, config: file },
    environment: process.env,
    cwd: process.cwd(),
  });
  const url = typeof flags['runtime'] === 'string' ? flags['runtime'] : urlOf(config.bind);
  return explaining(async () => {
    const { createClient } = await import('../client/index.ts');
    const client = createClient({ url, tokenFile: config.tokenFile ?? join(config.dataDir, 'token') });
    try {
      await work(client);
    } finally {
      await client.close();
    }
  });
}

/** What listens on every address is reached on the loopback one. */
function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}

function explaining(work: () => Promise<void>): Run {
  return async () => {
    await explained(work);
    return 0;
  };
}

// --- files ---

const read = (file: string): string => readText(file, DEFAULT_LIMITS.maxSourceBytes, 'source');

function readObject(file: string): Record<string, unknown> {
  const text = read(file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CannotStart(`${file}: is not valid JSON`, { cause });
  }
  if (!isObject(value)) throw new CannotStart(`${file}: must hold a JSON object`);
  return value;
}

// --- what is printed ---

function print(flags: Flags, view: object, lines: readonly string[]): void {
  const text = flags['json'] === true ? [JSON.stringify(toSnakeCase(view))] : lines.map(clean);
  for (const line of text) process.stdout.write(`${line}\n`);
}

function printPreview(flags: Flags, preview: SourcePreview): void {
  const functions = preview.functions.map(({ functionId, description }) => `${functionId}\t${firstLine(description)}`);
  print(flags, preview, [...functions, ...preview.unmapped.map(unmappedLine)]);
}

function summaryLine({ name, type, status, error, functions, lastChange }: SourceSummary): string {
  const change = lastChange === null ? '' : changeText(lastChange);
  return [name, type, error === null ? status : `${status} (${error})`, `${functions} functions`, change].join('\t');
}

function changeText({ added, changed, removed }: SourceChange): string {
  return `${added} added, ${changed} changed, ${removed} removed`;
}

function unmappedLine({ operation, reason, isServed }: UnmappedView): string {
  return `${isServed ? 'in part' : 'left out'}: ${operation}: ${reason}`;
}

function firstLine(text: string | null): string {
  return text?.split(/[\r\n]/, 1)[0] ?? '';
}

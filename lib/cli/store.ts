// `greenroom backup`, `restore`, `compact` and `fsck`: what is done with the store of a data dir, without a runtime.
// Only a backup may be made while one runs; the others take the store's lock.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { GreenroomError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import { FILE_NAME, LOCK_NAME } from '../open-store.ts';
import { CannotStart } from './say.ts';

type Flags = Readonly<Record<string, unknown>>;
type Run = () => Promise<number>;

/** Adds the commands; `setRun` is told what to run when one of them was given. */
export function addStoreCommands(program: Command, setRun: (run: Run) => void): void {
  const command = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option('--data-dir <DIR>', 'the data dir of the store')
      .option('--config <FILE>', 'the configuration that names it');

  command('backup', 'copy the store, also while a runtime uses it')
    .argument('<FILE>')
    .action((file: string, flags: Flags) => setRun(explaining(() => backup(resolve(file), dataDirOf(flags)))));
  command('restore', 'put a backup in the place of the store')
    .argument('<FILE>')
    .option('--force', 'also where there is a store: it is kept aside')
    .action((file: string, flags: Flags) =>
      setRun(explaining(() => restore(resolve(file), dataDirOf(flags), flags['force'] === true))),
    );
  command('compact', 'give back what is free in the file of the store').action((flags: Flags) =>
    setRun(explaining(() => compact(dataDirOf(flags)))),
  );
  command('fsck', 'say what is wrong with the store, or with a backup')
    .argument('[FILE]', 'a backup')
    .action((file: string | undefined, flags: Flags) =>
      setRun(explaining(() => (file === undefined ? checkOwn(dataDirOf(flags)) : check(resolve(file))))),
    );
}

async function backup(file: string, dataDir: string): Promise<number> {
  const { backupStore } = await import('../lmdb/maintenance.ts');
  print(`ok: ${summary(await backupStore(storeOf(dataDir), file))}`);
  return 0;
}

async function restore(file: string, dataDir: string, isForced: boolean): Promise<number> {
  if (!existsSync(file)) throw new CannotStart(`${file}: there is no such file`);
  return withLock(dataDir, async () => {
    const path = join(dataDir, FILE_NAME);
    if (existsSync(path) && !isForced)
      throw new CannotStart(
        `there is a store in ${dataDir}; with --force it is kept aside, and the backup takes its place`,
      );
    const { restoreStore } = await import('../lmdb/maintenance.ts');
    const { check: found, kept } = await restoreStore(file, path);
    print(`ok: ${summary(found)}${kept === null ? '' : `; the store that was there is ${kept}`}`);
    return 0;
  });
}

async function compact(dataDir: string): Promise<number> {
  const path = storeOf(dataDir);
  return withLock(dataDir, async () => {
    const { compactStore } = await import('../lmdb/maintenance.ts');
    print(`ok: ${await compactStore(path)} bytes`);
    return 0;
  });
}

async function checkOwn(dataDir: string): Promise<number> {
  const path = storeOf(dataDir);
  return withLock(dataDir, () => check(path));
}

async function check(path: string): Promise<number> {
  if (!existsSync(path)) throw new CannotStart(`${path}: there is no such file`);
  const { checkStore } = await import('../lmdb/fsck.ts');
  const found = await checkStore(path);
  if (found.findings.length === 0) print(`ok: ${summary(found)}`);
  for (const finding of found.findings) print(finding);
  return found.findings.length === 0 ? 0 : 1;
}

function summary({ workers, inputs, groups }: { workers: number; inputs: number; groups: number }): string {
  return `${workers} workers, ${inputs} open inputs, ${groups} groups in the journal`;
}

// --- the data dir ---

/** Throws `invalid_option`. */
function dataDirOf({ dataDir, config: file }: Flags): string {
  return readConfig({ flags: { dataDir, config: file }, environment: process.env, cwd: process.cwd() }).dataDir;
}

function storeOf(dataDir: string): string {
  const path = join(dataDir, FILE_NAME);
  if (!existsSync(path)) throw new CannotStart(`there is no store in ${dataDir}`);
  return path;
}

async function withLock(dataDir: string, work: () => Promise<number>): Promise<number> {
  const { takeLock } = await import('../lmdb/lock.ts');
  const lock = takeLock(join(dataDir, LOCK_NAME));
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** Errors of the file system are said by their code; their text has no better reason. */
function explaining(work: () => Promise<number>): Run {
  return async () => {
    try {
      return await work();
    } catch (thrown) {
      if (thrown instanceof GreenroomError || thrown instanceof CannotStart) throw thrown;
      const { error_code, error_message } = describeError(thrown);
      throw new CannotStart(error_code ?? error_message, { cause: thrown });
    }
  };
}

/** What others wrote, as in the ids of workers, must not command the terminal. */
function print(line: string): void {
  process.stdout.write(`${line.replace(/\p{C}/gu, ' ')}\n`);
}

// What is done with a store as a whole. A new file is written aside, synchronised, checked, and only then put in its place, in one step:
// whoever dies in between leaves the store as it was, and a file that the next effort replaces.

import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { GreenroomError } from '../errors.ts';
import { Encoder } from './codec.ts';
import { Environment } from './environment.ts';
import { fault } from './faults.ts';
import { checkStore } from './fsck.ts';
import type { StoreCheck } from './fsck.ts';
import { META_KEY } from './keys.ts';
import { readMeta, writeMeta } from './meta.ts';

/** Inputs that the store which is replaced has given since the backup was made may have numbers up to there; no other input must get one of them. */
const RESTORED_SEQS = 1_000_000_000_000;

/** Copies a store as it is at one moment, while it is used or not. Rejects with `store_failed`, `store_corrupt`, or when the target is there already. */
export async function backupStore(path: string, target: string): Promise<StoreCheck> {
  requireNone(target);
  const aside = `${target}.new`;
  try {
    const check = await copyChecked(path, aside);
    // Not renamed: another backup that was made meanwhile would be overwritten.
    linkSync(aside, target);
    synchronise(dirname(target));
    return check;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') requireNone(target);
    throw thrown;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Nobody may use the store. Resolves to its size in bytes afterwards. Rejects with `store_failed` or `store_corrupt`. */
export async function compactStore(path: string): Promise<number> {
  const aside = `${path}.new`;
  try {
    await copyChecked(path, aside);
    replace(path, aside);
    return statSync(path).size;
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * Puts a backup in the place of a store that nobody uses, and keeps that one aside; resolves to what it is called now, null if there was
 * none. Rejects with `store_failed` or `store_corrupt`: then everything is as it was.
 */
export async function restoreStore(
  backup: string,
  path: string,
): Promise<{ readonly check: StoreCheck; readonly kept: string | null }> {
  const aside = `${path}.new`;
  try {
    copyFileSync(backup, aside, constants.COPYFILE_FICLONE);
    const check = await requireSound(aside);
    await skipSeqs(aside);
    synchronise(aside);
    const kept = existsSync(path) ? keepAside(path) : null;
    replace(path, aside);
    return { check, kept };
  } finally {
    rmSync(aside, { force: true });
  }
}

async function copyChecked(path: string, aside: string): Promise<StoreCheck> {
  rmSync(aside, { force: true });
  const environment = new Environment(path, { isReadOnly: true });
  try {
    await environment.copyTo(aside);
  } finally {
    await environment.close();
  }
  fault('backup');
  synchronise(aside);
  return requireSound(aside);
}

/** A copy of something damaged must not look like a backup. */
async function requireSound(path: string): Promise<StoreCheck> {
  const check = await checkStore(path);
  const [first] = check.findings;
  if (first === undefined) return check;
  const more = check.findings.length === 1 ? '' : `; and ${check.findings.length - 1} more`;
  throw GreenroomError.of('store_corrupt', { message: `The store is damaged: ${first}${more}.` });
}

/** Ids of inputs are never used again, also not those that were given after the backup. */
async function skipSeqs(path: string): Promise<void> {
  const environment = new Environment(path);
  try {
    const meta = readMeta(environment.get(META_KEY) as Buffer);
    const reservedSeq = meta.reservedSeq + RESTORED_SEQS;
    await environment.write((writer) => writer.put(META_KEY, writeMeta(new Encoder(), { ...meta, reservedSeq })));
  } finally {
    await environment.close();
    rmSync(`${path}-lock`, { force: true });
  }
}

function keepAside(path: string): string {
  const kept = `${path}.${new Date().toISOString().replace(/[:.]/g, '-')}`;
  // The name beside it, and not instead: there is a store in its place at every moment.
  linkSync(path, kept);
  return kept;
}

function replace(path: string, aside: string): void {
  renameSync(aside, path);
  rmSync(`${path}-lock`, { force: true });
  synchronise(dirname(path));
}

/** A file, or the names in a folder. */
function synchronise(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function requireNone(target: string): void {
  if (existsSync(target)) throw GreenroomError.of('store_failed', { message: `${target} is there already.` });
}

// One writer per store: a lock file that says who the writer is. A process that has died does not hold it, whatever became of the file.
//
// A stale file is replaced, and of several that find it stale exactly one may do so. Who replaces it has first made a file that is
// named after the stale one's id, which only one process can; then it looks whether the stale file is still there; then it puts its
// own in its place, and only then removes the file that gave it the right. If it dies in between, that file is as stale as the first
// one, and the right to it is won in the same way.

import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { GreenroomError } from '../errors.ts';
import { isObject } from '../protocol/payload.ts';

export interface Lock {
  /** Does nothing if it was released before. */
  release(): void;
}

interface Holder {
  /** Of this lock, not of the process. */
  readonly id: string;
  readonly pid: number;
  /** Null where the system does not tell. */
  readonly bootId: string | null;
  /** When the process started, in ticks since the boot: pids are used again. Null where the system does not tell. */
  readonly startedAt: string | null;
}

const ONLY_OWNER = 0o600;
/** Races that may be lost in a row; each was won by a process that then died or let go. */
const TRIES = 16;
/** Stands for the id of a file that says nothing: it was torn when the machine went down. */
const TORN = 'torn';

/** Throws `store_in_use` if a process that lives holds the lock, `store_failed` if the file system does not let it be taken. */
export function takeLock(file: string): Lock {
  const id = randomBytes(8).toString('hex');
  const text = JSON.stringify({
    id,
    pid: process.pid,
    bootId: readBootId(),
    startedAt: readProcess(process.pid)?.startedAt ?? null,
  });
  const aside = `${file}.${id}.new`;
  try {
    writeFileSync(aside, `${text}\n`, { flag: 'wx', mode: ONLY_OWNER });
    for (let tries = 0; tries < TRIES; tries++) {
      if (take(file, aside)) return { release: () => release(file, id) };
    }
  } catch (thrown) {
    if (thrown instanceof GreenroomError) throw thrown;
    const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown';
    throw GreenroomError.of('store_failed', {
      message: `The lock of the store cannot be taken (${code}).`,
      cause: thrown,
    });
  } finally {
    rmSync(aside, { force: true });
  }
  throw GreenroomError.of('store_in_use', { message: 'Other processes are taking the store.' });
}

/** False if another process was faster. */
function take(file: string, aside: string): boolean {
  if (link(aside, file)) return true;
  const first = read(file);
  if (first === null) return false;
  const rights: string[] = [];
  for (let holder = first; ;) {
    refuseIfAlive(holder);
    const right = `${file}.${holder.id}`;
    if (link(aside, right)) {
      rights.push(right);
      break;
    }
    const next = read(right);
    if (next === null) return false;
    rights.push(right);
    holder = next;
  }
  const isStillStale = read(file)?.id === first.id;
  if (isStillStale) renameSync(aside, file);
  // The newest right is the one that was just won. The others are stale, and belong to the stale file that is gone.
  for (const right of isStillStale ? rights : rights.slice(-1)) rmSync(right, { force: true });
  return isStillStale;
}

function release(file: string, id: string): void {
  if (read(file)?.id === id) rmSync(file, { force: true });
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  }
}

/** Null if there is none. */
function read(file: string): Holder | null {
  const text = readIfThere(file);
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (isHolder(value)) return value;
  } catch {
    // A torn file is no holder either.
  }
  return { id: TORN, pid: 0, bootId: null, startedAt: null };
}

function isHolder(value: unknown): value is Holder {
  if (!isObject(value)) return false;
  const { id, pid, bootId, startedAt } = value as Record<keyof Holder, unknown>;
  return (
    typeof id === 'string' &&
    /^[0-9a-f]{16}$/.test(id) &&
    Number.isSafeInteger(pid) &&
    (bootId === null || typeof bootId === 'string') &&
    (startedAt === null || typeof startedAt === 'string')
  );
}

// --- processes ---

/** Throws `store_in_use`. */
function refuseIfAlive({ id, pid, bootId, startedAt }: Holder): void {
  if (id === TORN || !isAlive(pid)) return;
  if (bootId !== null && bootId !== readBootId()) return;
  const found = readProcess(pid);
  if (startedAt !== null && found !== null && (found.isDead || found.startedAt !== startedAt)) return;
  throw GreenroomError.of('store_in_use', { message: `The store is in use by the process ${pid}.`, details: { pid } });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    // One that belongs to another user.
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readBootId(): string | null {
  return readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? null;
}

/** Null where the system does not tell. */
function readProcess(pid: number): { readonly isDead: boolean; readonly startedAt: string } | null {
  const text = readIfThere(`/proc/${pid}/stat`);
  // The second field is the name, which may hold anything; the rest begins with the third.
  const [state = '', ...others] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  const startedAt = others[18];
  // What was killed and not yet waited for is there, and dead.
  return startedAt === undefined ? null : { isDead: state === 'Z' || state === 'X', startedAt };
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw thrown;
  }
}

// How often a process has waited for its disk, counted from outside: by strace, where it is installed and may be used.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { askNewProcess } from './child.ts';

const execute = promisify(execFile);
const CALLS = ['fsync', 'fdatasync', 'msync'];
/** In a row of the summary: share, seconds, µs per call, calls, name; errors before the name if there were any. */
const CALLS_FIELD = 3;

/** Null without strace. The process slows down, so nothing else of it is to be quoted. */
export async function countSyncs<T>(
  process: string,
  question: unknown,
  withinMs: number,
): Promise<{ readonly answer: T; readonly syncs: number } | null> {
  const isThere = await execute('strace', ['-f', '-c', '-e', 'trace=fsync', 'true']).then(
    () => true,
    () => false,
  );
  if (!isThere) return null;
  const folder = await mkdtemp(join(tmpdir(), 'greenroom-bench-strace-'));
  try {
    const summary = join(folder, 'summary');
    const under = ['strace', '-f', '-c', '-o', summary, '-e', `trace=${CALLS.join(',')}`];
    const answer = (await askNewProcess(process, question, withinMs, under)) as T;
    const rows = (await readFile(summary, 'utf8')).split('\n').map((row) => row.trim().split(/\s+/));
    const ours = rows.filter((fields) => CALLS.includes(fields.at(-1) ?? ''));
    return { answer, syncs: ours.reduce((sum, fields) => sum + Number(fields[CALLS_FIELD]), 0) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

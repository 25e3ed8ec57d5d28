// Child processes of the tests, whatever binary they run: each has a deadline, and none outlives its test.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const DEADLINE_MS = 30_000;
/** For a registry and a slow network. */
const DOWNLOAD_DEADLINE_MS = 60_000;

export interface Ended {
  /** The exit code, or the signal; `deadline` when it had to be killed. */
  readonly exit: number | string;
  readonly stdout: string;
  readonly stderr: string;
  /** From its first line on stdout to its end. */
  readonly lingeredMs: number;
}

/** Runs a module of this folder to its end. */
export async function runModule(
  t: TestContext,
  node: string,
  module: string,
  args: readonly string[],
  withinMs = DEADLINE_MS,
): Promise<Ended> {
  const file = fileURLToPath(new URL(`./${module}.js`, import.meta.url));
  const child = spawn(node, ['--enable-source-maps', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let [stdout, stderr, spokeAtMs] = ['', '', Number.NaN];
  child.stdout.on('data', (chunk: Buffer) => {
    if (stdout === '') spokeAtMs = performance.now();
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  let isLate = false;
  const deadline = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, withinMs);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(deadline);
  return {
    exit: isLate ? 'deadline' : (code ?? signal ?? ''),
    stdout,
    stderr,
    lingeredMs: performance.now() - spokeAtMs,
  };
}

const NPX = { timeout: DOWNLOAD_DEADLINE_MS, maxBuffer: 1024 * 1024 };

/** The binary of another Node version, from the registry. Rejects when there is none. */
export async function findNode(major: string): Promise<string> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const { stdout } = await promisify(execFile)('npx', ['-y', `node@${major}`, '-p', 'process.execPath'], NPX);
  const path = stdout.trim().split('\n').at(-1) ?? '';
  const { stdout: version } = await promisify(execFile)(path, ['--version'], NPX);
  if (!version.startsWith(`v${major}.`)) throw new Error(`npx gave ${version.trim()} for Node ${major}`);
  return path;
}

/** A figure of a live process in bytes: `VmRSS` now, `VmHWM` the highest it has been. */
export function memoryOf(pid: number, figure: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${figure}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}

/** Ids of the processes that a process has started and that live. */
export function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((id) => id !== '');
}

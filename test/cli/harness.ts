// Runs the CLI as a child process for tests: each in its own empty directory and environment; none outlives its test.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../lib/cli.js', import.meta.url));
export const COUNTER = moduleFile('counter');
export const PATIENT = moduleFile('patient');
/** Generous: it only bounds how long a failure takes to show. */
export const DEADLINE_MS = 20_000;
export const options = { timeout: 2 * DEADLINE_MS };

export function moduleFile(name: string): string {
  return fileURLToPath(new URL(`../fixtures/modules/${name}.js`, import.meta.url));
}

export interface Ready {
  event: string;
  url: string;
  runtime_id: string;
  pid: number;
  token_file: string;
  version: string;
}

/** A running CLI. Lines are kept, so that waiting for one that has come already works. */
export class Cli {
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly dir: string;
  readonly #child;
  readonly #exited: Promise<number | string>;

  constructor(
    t: TestContext,
    args: readonly string[],
    { dir = freshDir(t), environment = {} }: { dir?: string; environment?: Record<string, string> } = {},
  ) {
    this.dir = dir;
    this.#child = spawn(process.execPath, [CLI, ...args], {
      cwd: dir,
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface(this.#child.stdout).on('line', (line) => this.stdout.push(line));
    createInterface(this.#child.stderr).on('line', (line) => this.stderr.push(line));
    // `close`, not `exit`: by then every line has been read.
    this.#exited = once(this.#child, 'close').then(([code, signal]: unknown[]) => (code ?? signal) as number | string);
    t.after(async () => {
      this.#child.kill('SIGKILL');
      await this.#exited;
    });
  }

  /** The exit code, or the signal that ended it. */
  async exit(): Promise<number | string> {
    return withDeadline(this.#exited, () => `no exit; stderr:\n${this.stderr.join('\n')}`);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async line(from: 'stdout' | 'stderr', pattern: RegExp): Promise<string> {
    const found = () => this[from].find((line) => pattern.test(line));
    const stream = this.#child[from];
    const waiting = async (): Promise<string> => {
      for (;;) {
        const line = found();
        if (line !== undefined) return line;
        if (stream.readableEnded)
          throw new Error(`${from} ended without ${String(pattern)}; stderr:\n${this.stderr.join('\n')}`);
        await Promise.race([once(stream, 'data'), once(stream, 'end')]);
      }
    };
    return withDeadline(waiting(), () => `no ${String(pattern)}; stderr:\n${this.stderr.join('\n')}`);
  }

  async ready(): Promise<Ready> {
    return JSON.parse(await this.line('stdout', /"event":"ready"/)) as Ready;
  }
}

async function withDeadline<T>(promise: Promise<T>, explain: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(explain())), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function freshDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'greenroom-cli-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const started = (...flags: string[]) => ['start', '--bind', '127.0.0.1:0', '--hosts=1', ...flags];

export async function call(
  ready: Ready,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(ready.url + path, {
    method,
    headers: {
      authorization: `Bearer ${readFileSync(ready.token_file, 'utf8').trim()}`,
      'content-type': 'application/json',
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  return { status: response.status, body: await response.json() };
}

/** Runs the CLI to its end. */
export async function run(t: TestContext, args: readonly string[], environment: Record<string, string> = {}) {
  const cli = new Cli(t, args, { environment });
  return { code: await cli.exit(), stdout: cli.stdout, stderr: cli.stderr };
}

export const jsonLines = (lines: readonly string[]) =>
  lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
export const plainLines = (lines: readonly string[]) => lines.filter((line) => !line.startsWith('{'));

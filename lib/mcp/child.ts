// A process with everything that it starts: a group of its own, which ends as one. What leaves the group by itself (a daemon with a
// session of its own) is out of reach; nothing else outlives the process, its source, or a runtime that ends in order.

import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { GreenroomError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import { EXIT_DRAIN_MS, INPUT_END_GRACE_MS, TERM_GRACE_MS } from './bounds.ts';

export interface ChildCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** All that it gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
}

export class Child {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #closed: Promise<void>;
  #ending: Promise<void> | null = null;

  /** Rejects with `http_request_failed` when it cannot be started: there is no connection. */
  static async start({ command, args, env, cwd }: ChildCommand): Promise<Child> {
    // A group of its own, and no shell: nothing in the arguments is read as more than an argument.
    const child = spawn(command, args, { env, cwd, detached: true, shell: false, windowsHide: true, stdio: 'pipe' });
    // One that ends before it has read everything; its exit tells the rest.
    child.stdin.on('error', () => undefined);
    try {
      await once(child, 'spawn');
    } catch (cause) {
      const reason = describeError(cause).error_code ?? 'unknown';
      throw GreenroomError.of('http_request_failed', {
        message: `The process of the MCP server cannot be started (${reason}).`,
        cause,
      });
    }
    return new Child(child);
  }

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#process = child;
    const pid = child.pid as number;
    track(pid);
    child.on('error', () => undefined);
    // What it has started may hold its pipes, so that they would never close.
    child.once('exit', () => {
      killGroup(pid, 'SIGKILL');
      const drained = setTimeout(() => this.#destroyPipes(), EXIT_DRAIN_MS);
      child.once('close', () => clearTimeout(drained));
    });
    this.#closed = new Promise((resolve) => {
      child.once('close', () => {
        untrack(pid);
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  get stdin(): ChildProcessWithoutNullStreams['stdin'] {
    return this.#process.stdin;
  }

  get stdout(): ChildProcessWithoutNullStreams['stdout'] {
    return this.#process.stdout;
  }

  get stderr(): ChildProcessWithoutNullStreams['stderr'] {
    return this.#process.stderr;
  }

  /** Resolves when it has ended, whatever ended it, and all of its output has been read. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** The end of its input, SIGTERM, SIGKILL; each to the whole group, with a grace before the next. May be called again. */
  end(): Promise<void> {
    return (this.#ending ??= this.#end());
  }

  async #end(): Promise<void> {
    this.stdin.end();
    if (await this.#closesWithin(INPUT_END_GRACE_MS)) return;
    killGroup(this.pid, 'SIGTERM');
    if (await this.#closesWithin(TERM_GRACE_MS)) return;
    killGroup(this.pid, 'SIGKILL');
    // A process that the system does not let die is not waited for.
    await this.#closesWithin(TERM_GRACE_MS);
  }

  #closesWithin(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ms);
      void this.#closed.then(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  #destroyPipes(): void {
    this.stdin.destroy();
    this.stdout.destroy();
    this.stderr.destroy();
  }
}

/** Ended with the process, however it comes to call `exit`. */
const alive = new Set<number>();

function killAll(): void {
  for (const pid of alive) killGroup(pid, 'SIGKILL');
}

function track(pid: number): void {
  if (alive.size === 0) process.on('exit', killAll);
  alive.add(pid);
}

function untrack(pid: number): void {
  alive.delete(pid);
  if (alive.size === 0) process.off('exit', killAll);
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

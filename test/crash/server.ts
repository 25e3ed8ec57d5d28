// The runtime under test, as a process group of its own that can be killed at any moment.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../../lib/cli.js', import.meta.url));
const ACTORS = fileURLToPath(new URL('actors', import.meta.url));
const MANY = '100000000';
/** A worker's transcript is cut above this; only one worker is given more. */
const TRANSCRIPT_ENTRIES = 10_000;
const FLAGS = [
  ...['--actors', ACTORS, '--hosts', '2', '--gateway', 'off', '--log-level', 'warn'],
  ...['--max-transcript-entries', String(TRANSCRIPT_ENTRIES), '--max-transcript-bytes', '1000000000'],
  // What the checker asks for must not have been dropped for want of room.
  ...['--max-receipts', MANY, '--max-receipt-bytes', '1000000000', '--receipt-ttl-ms', MANY],
  ...['--max-idempotency-keys', MANY],
];

export interface ServerOptions {
  readonly store: string;
  readonly dataDir: string;
  readonly port: number;
  /** Where actors say that they run. */
  readonly runs: string;
  /** Gets what the server says on stderr. */
  readonly log: string;
  /** `NAME:COUNT`: where it is to kill itself; null: nowhere. */
  readonly fault: string | null;
}

export class Server {
  /** Names of the fault points at which it has killed itself. */
  readonly fired: string[] = [];
  /** Null while it is not ready. */
  readyMs: number | null = null;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #ready: Promise<void>;
  #isClosed = false;

  constructor({ store, dataDir, port, runs, log, fault }: ServerOptions) {
    const startedAtMs = performance.now();
    const args = ['start', '--store', store, '--data-dir', dataDir, '--bind', `127.0.0.1:${port}`, ...FLAGS];
    const child = spawn(process.execPath, ['--enable-source-maps', CLI, ...args], {
      detached: true,
      env: { PATH: process.env['PATH'], CRASH_WITNESS: runs, ...(fault !== null && { GREENROOM_FAULT: fault }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#closed = once(child, 'close').then(() => (this.#isClosed = true));
    createInterface(child.stderr).on('line', (line) => {
      appendFileSync(log, `${line}\n`);
      const name = /\bfault (\S+) fired/.exec(line)?.[1];
      if (name !== undefined) this.fired.push(name);
    });
    this.#ready = new Promise((resolve) => {
      createInterface(child.stdout).once('line', () => {
        this.readyMs = performance.now() - startedAtMs;
        resolve();
      });
    });
  }

  get isRunning(): boolean {
    return !this.#isClosed;
  }

  /** Resolves to how long it took. Rejects when it ended instead, or has not come up in time. */
  async ready(withinMs: number): Promise<number> {
    await Promise.race([this.#ready, this.#closed, wait(withinMs, undefined, { ref: false })]);
    if (this.readyMs === null)
      throw new Error(this.isRunning ? `not ready within ${withinMs} ms` : 'it ended at its start');
    return this.readyMs;
  }

  /** Whether it ended by itself within the time. */
  async ended(withinMs: number): Promise<boolean> {
    await Promise.race([this.#closed, wait(withinMs, undefined, { ref: false })]);
    return this.#isClosed;
  }

  /** Ends it and all that it has started, now. */
  async kill(): Promise<void> {
    if (this.isRunning) this.#signal('SIGKILL');
    await this.#closed;
  }

  /** Asks it to end. False when it had to be killed. */
  async stop(withinMs: number): Promise<boolean> {
    if (this.isRunning) this.#signal('SIGTERM');
    const isOver = await this.ended(withinMs);
    await this.kill();
    return isOver;
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-(this.#child.pid ?? 0), signal);
    } catch (error) {
      // It has just ended by itself.
      if ((error as { code?: string }).code !== 'ESRCH') throw error;
    }
  }
}

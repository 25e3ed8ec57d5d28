// One run of the crash test: a runtime that is killed and started again and again, load that goes on meanwhile, and a checker that asks.

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { between } from '../support/random.ts';
import type { Random } from '../support/random.ts';
import { Loads } from './loads.ts';
import { CLI, Server } from './server.ts';
import type { Verdict } from './verdict.ts';

const CHECK = fileURLToPath(new URL('check.js', import.meta.url));
const READY_WITHIN_MS = 60_000;
const CHECK_WITHIN_MS = 600_000;
const STOP_WITHIN_MS = 60_000;
const COMMAND_WITHIN_MS = 60_000;
/** How long a fault point may take to be reached under load, and then while the runtime is idle. */
const FAULT_WITHIN_MS = 8_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

export interface CampaignOptions {
  readonly folder: string;
  readonly store: string;
  readonly seed: number;
  readonly random: Random;
  readonly processes: number;
}

export type Checked = Pick<Verdict, 'figures' | 'broken' | 'examples'>;

export class Campaign {
  /** From the start of the process to the line that says it is ready, of each start. */
  readonly readyMs: number[] = [];
  readonly fired = new Map<string, number>();
  kills = 0;
  killsInRecovery = 0;
  server: Server;
  readonly #options: CampaignOptions;
  readonly #port: number;
  readonly #loads: Loads;

  private constructor(options: CampaignOptions, port: number) {
    this.#options = options;
    this.#port = port;
    this.server = this.#start(null);
    const { folder, seed, processes } = options;
    this.#loads = new Loads(this.#url, this.#tokenFile, join(folder, 'heard'), seed, processes);
  }

  static async begin(options: CampaignOptions): Promise<Campaign> {
    mkdirSync(join(options.folder, 'heard'), { recursive: true });
    const campaign = new Campaign(options, await freePort());
    try {
      await campaign.#ready();
    } catch (error) {
      await campaign.close();
      throw error;
    }
    return campaign;
  }

  get #url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get #dataDir(): string {
    return join(this.#options.folder, 'data');
  }

  get #tokenFile(): string {
    return join(this.#dataDir, 'token');
  }

  /** Kills the runtime while it works, and maybe once or twice more while it recovers. */
  async killAtRandom(): Promise<void> {
    const { random } = this.#options;
    await wait(between(random, 200, 2_000));
    await this.#kill();
    for (let again = random() < 0.2 ? between(random, 1, 2) : 0; again > 0; again--) {
      this.server = this.#start(null);
      await wait(between(random, 100, 500));
      if (this.server.readyMs === null) this.killsInRecovery++;
      await this.#kill();
    }
    await this.restart();
  }

  /** Has the runtime kill itself at a named point. False when it did not come there. */
  async killAt(name: string, count: number): Promise<boolean> {
    const isFired = name === 'backup' ? await this.#dieInBackup(count) : await this.#dieAt(name, count);
    if (isFired) this.fired.set(name, (this.fired.get(name) ?? 0) + 1);
    await this.restart();
    return isFired;
  }

  async restart(): Promise<void> {
    this.server = this.#start(null);
    await this.#ready();
  }

  /** Has everything looked at while nothing is sent. */
  async check(): Promise<Checked> {
    await this.#loads.rest();
    const { folder, seed } = this.#options;
    const from = ['--url', this.#url, '--token-file', this.#tokenFile, '--heard', join(folder, 'heard')];
    const args = [CHECK, ...from, '--runs', join(folder, 'runs'), '--seed', String(seed), '--json'];
    const { code, stdout, stderr } = await run(process.execPath, args, CHECK_WITHIN_MS);
    this.#loads.resume();
    if (code !== 0 && code !== 1) throw new Error(`the checker could not look: ${stderr}`);
    return JSON.parse(stdout) as Checked;
  }

  /** Ends the runtime in an orderly way. False when it had to be killed. */
  stop(): Promise<boolean> {
    return this.server.stop(STOP_WITHIN_MS);
  }

  /** What a command of the command line says of the data, the runtime being stopped: its exit code and its lines. */
  command(...args: string[]): Promise<{ code: number; text: string }> {
    return this.#run(args, {});
  }

  async close(): Promise<void> {
    await this.#loads.close();
    await this.server.kill();
  }

  #start(fault: string | null): Server {
    const { folder, store } = this.#options;
    const files = { dataDir: this.#dataDir, runs: join(folder, 'runs'), log: join(folder, 'server.log') };
    return new Server({ store, port: this.#port, fault, ...files });
  }

  async #ready(): Promise<void> {
    this.readyMs.push(await this.server.ready(READY_WITHIN_MS));
  }

  async #kill(): Promise<void> {
    this.kills++;
    await this.server.kill();
  }

  async #dieAt(name: string, count: number): Promise<boolean> {
    await this.#kill();
    this.server = this.#start(`${name}:${count}`);
    // It may die before it is ready.
    await this.server.ready(READY_WITHIN_MS).catch(() => undefined);
    let hasEnded = await this.server.ended(FAULT_WITHIN_MS);
    if (!hasEnded) {
      await this.#loads.rest(); // a store does some of its work when it is idle
      hasEnded = await this.server.ended(FAULT_WITHIN_MS);
      this.#loads.resume();
    }
    if (!hasEnded) await this.server.stop(STOP_WITHIN_MS); // and some at its end
    return this.server.fired.includes(name);
  }

  /**
   * A backup is a process of its own: it dies half way, the runtime goes on, and the next one is whole. Throws when that one is not.
   */
  async #dieInBackup(count: number): Promise<boolean> {
    const { folder } = this.#options;
    const half = join(folder, `half-${this.kills}`);
    const { text } = await this.#run(['backup', half], { GREENROOM_FAULT: `backup:${count}` });
    if (existsSync(half)) throw new Error('a backup that was not made whole has the name of one');
    const whole = join(folder, `backup-${this.kills}`);
    const made = await this.command('backup', whole);
    const checked = await this.#run(['fsck', whole], {});
    if (made.code !== 0 || checked.code !== 0) throw new Error(`the backup is not whole: ${made.text} ${checked.text}`);
    await this.#kill();
    return text.includes('fault backup fired');
  }

  async #run(args: readonly string[], environment: Record<string, string>): Promise<{ code: number; text: string }> {
    const isOfFile = args[0] === 'fsck' && args.length > 1;
    const place = isOfFile ? [] : ['--data-dir', this.#dataDir];
    const { code, stdout, stderr } = await run(
      process.execPath,
      [CLI, ...args, ...place],
      COMMAND_WITHIN_MS,
      environment,
    );
    return { code, text: stdout + stderr };
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function run(
  file: string,
  args: readonly string[],
  timeoutMs: number,
  environment: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment };
    execFile(file, args, { timeout: timeoutMs, maxBuffer: MAX_OUTPUT_BYTES, env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

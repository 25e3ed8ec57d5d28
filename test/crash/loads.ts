// The load processes, as the driver holds them: they live through all crashes of the runtime.

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const LOAD = fileURLToPath(new URL('load.js', import.meta.url));
const REST_WITHIN_MS = 60_000;

export class Loads {
  readonly #children: ChildProcess[];

  constructor(url: string, tokenFile: string, heard: string, seed: number, processes: number) {
    this.#children = Array.from({ length: processes }, (_, number) =>
      fork(LOAD, [url, tokenFile, heard, String(number), String(seed)]),
    );
  }

  /** Resolves when nothing is under way any more. The runtime must be there. */
  async rest(): Promise<void> {
    const signal = AbortSignal.timeout(REST_WITHIN_MS);
    await Promise.all(
      this.#children.map(async (child) => {
        const resting = once(child, 'message', { signal });
        child.send('rest');
        await resting;
      }),
    );
  }

  resume(): void {
    for (const child of this.#children) child.send('resume');
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }),
    );
  }
}

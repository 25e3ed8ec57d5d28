// Erlang/OTP as a guest of the rounds, where it is installed: bench/erlang is compiled into a temporary folder, and each
// turn is a VM of its own with the settings that it has by default.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const SLACK_MS = 60_000;
/** From dist/bench/support: the sources are not copied by the compiler. */
const source = fileURLToPath(new URL('../../../bench/erlang/greenroom_bench.erl', import.meta.url));
/** The VM holds 262,144 processes unless it is told otherwise. */
const MAX_PROCESSES = '2000000';

export const NO_ERLANG = 'Erlang is not installed, so it is not compared: apt-get install erlang-base';

export interface Erlang {
  /** `Erlang/OTP 25`. */
  readonly name: string;
  /** What the command prints. Rejects when an answer is wrong or missing. */
  run(command: readonly (string | number)[], forMs: number): Promise<Record<string, number>>;
  close(): Promise<void>;
}

/** Null where there is no `erlc` on the path. */
export async function openErlang(): Promise<Erlang | null> {
  const folder = await mkdtemp(join(tmpdir(), 'greenroom-erlang-'));
  const close = (): Promise<void> => rm(folder, { recursive: true });
  try {
    await execute('erlc', ['-o', folder, source], { timeout: SLACK_MS });
    const release = 'io:put_chars(erlang:system_info(otp_release)), halt(0).';
    const { stdout } = await execute('erl', ['-noshell', '-eval', release], { timeout: SLACK_MS });
    return {
      name: `Erlang/OTP ${stdout}`,
      run: async (command, forMs) => {
        const words = command.map(String);
        const args = ['+P', MAX_PROCESSES, '-noshell', '-pa', folder, '-run', 'greenroom_bench', 'main', ...words];
        const result = await execute('erl', args, { timeout: forMs + SLACK_MS });
        return JSON.parse(result.stdout) as Record<string, number>;
      },
      close,
    };
  } catch (thrown) {
    await close();
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
}

// Processes of a scenario: forked with a channel for requests and answers, or spawned servers that say on their first
// line where they listen. Every wait ends with the process at the latest.

import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from './load.ts';

const START_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 20_000;

/** URL of the compiled module of a process. */
export function processUrl(name: string): URL {
  return new URL(`../processes/${name}.js`, import.meta.url);
}

export interface Peer {
  /** One at a time. */
  request(question: unknown, withinMs: number): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * A process that answers each message `{ question }` with `{ answer }` or `{ error }`; under another command, such as
 * `strace`, if one is given.
 */
export function forkPeer(module: URL, args: readonly string[] = [], under: readonly string[] = []): Peer {
  const [execPath = process.execPath, ...execArgv] = [...under, ...(under.length > 0 ? [process.execPath] : [])];
  const child = fork(fileURLToPath(module), [...args], { execPath, execArgv });
  const exited = exitOf(child);
  return {
    request: async (question, withinMs) => {
      const answered = once(child, 'message') as Promise<[{ answer?: unknown; error?: string }]>;
      child.send({ question });
      const lost = exited.then((how) => Promise.reject(new Error(`the process ended: ${how}`)));
      const [{ answer, error }] = await within(
        Promise.race([answered, lost]),
        withinMs,
        () => 'no answer of a process',
      );
      if (error !== undefined) throw new Error(error);
      return answer;
    },
    close: async () => {
      if (child.connected) child.disconnect();
      await endWithin(child, exited);
    },
  };
}

/** One question to a process that has done nothing else, and does nothing afterwards. `under` as in `forkPeer`. */
export async function askNewProcess(
  name: string,
  question: unknown,
  withinMs: number,
  under: readonly string[] = [],
): Promise<unknown> {
  const peer = forkPeer(processUrl(name), [], under);
  try {
    return await peer.request(question, withinMs);
  } finally {
    await peer.close();
  }
}

/** The other end of `forkPeer`. */
export function answerRequests(
  answer: (question: unknown) => Promise<unknown>,
  close: () => Promise<void> = () => Promise.resolve(),
): void {
  process.on('message', ({ question }: { question: unknown }) => {
    answer(question).then(
      (value) => process.send?.({ answer: value }),
      (thrown: unknown) =>
        process.send?.({ error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }),
    );
  });
  process.once('disconnect', () => {
    close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}

export interface ServerProcess<Ready> {
  readonly pid: number;
  /** Its first line on stdout. */
  readonly ready: Ready;
  close(): Promise<void>;
  /** At once, as by a crash. */
  kill(): Promise<void>;
}

export async function spawnServer<Ready>(module: URL, args: readonly string[]): Promise<ServerProcess<Ready>> {
  const child = spawn(process.execPath, [fileURLToPath(module), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = exitOf(child);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)));
  const lines = createInterface(child.stdout);
  const lost = exited.then((how) => Promise.reject(new Error(`the server ended: ${how}: ${said}`)));
  lost.catch(() => undefined); // after the ready line its end is expected
  const first = once(lines, 'line') as Promise<[string]>;
  const [line] = await within(Promise.race([first, lost]), START_WITHIN_MS, () => `no ready line: ${said}`);
  return {
    pid: child.pid ?? 0,
    ready: JSON.parse(line) as Ready,
    close: async () => {
      child.kill('SIGTERM');
      await endWithin(child, exited);
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code ?? 'none'}`));
  });
}

async function endWithin(child: ChildProcess, exited: Promise<string>): Promise<void> {
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
  await exited;
  clearTimeout(killer);
}

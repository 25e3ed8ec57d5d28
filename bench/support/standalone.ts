// The real command line as a process, and the few requests that scenarios make of it beside their load.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { spawnServer } from './child.ts';

const cli = new URL('../../lib/cli.js', import.meta.url);
const OK = 200;
const CREATED = 201;

export interface StandaloneOptions {
  readonly actor: URL;
  readonly hosts: number;
  /** Exists, and is removed by whoever made it. */
  readonly dataDir: string;
  /** Default `memory`. */
  readonly store?: 'memory' | 'lmdb';
}

export interface Standalone {
  readonly pid: number;
  readonly url: string;
  /** With the token, for JSON. */
  readonly headers: Readonly<Record<string, string>>;
  create(kind: string, workerId: string): Promise<void>;
  /** The output. Rejects unless the input completes within 5 s. */
  ask(workerId: string, input: unknown): Promise<unknown>;
  /** What is answered with 200, parsed. */
  get(path: string): Promise<unknown>;
  close(): Promise<void>;
  /** At once, as by a crash. */
  kill(): Promise<void>;
}

export async function openStandalone({
  actor,
  hosts,
  dataDir,
  store = 'memory',
}: StandaloneOptions): Promise<Standalone> {
  const flags = ['--bind', '127.0.0.1:0', '--actors', fileURLToPath(actor), '--data-dir', dataDir];
  const args = ['start', ...flags, '--store', store, '--hosts', String(hosts), '--log-level', 'error'];
  const server = await spawnServer<{ url: string; token_file: string }>(cli, args);
  try {
    const { url, token_file: tokenFile } = server.ready;
    const token = (await readFile(tokenFile, 'utf8')).trim();
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const post = async (path: string, body: unknown, expected: number, more = {}): Promise<unknown> => {
      const options = { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) } as const;
      const answer = await request(`${url}${path}`, options);
      const text = await answer.body.text();
      if (answer.statusCode !== expected) throw new Error(`POST ${path}: ${answer.statusCode} ${text.slice(0, 200)}`);
      return JSON.parse(text);
    };
    return {
      pid: server.pid,
      url,
      headers,
      create: async (kind, workerId) => void (await post('/v1/workers', { kind, worker_id: workerId }, CREATED)),
      ask: async (workerId, input) => {
        const path = `/v1/workers/${workerId}/input`;
        const { result } = (await post(path, input, OK, { prefer: 'wait=5' })) as { result: { output: unknown } };
        return result.output;
      },
      get: async (path) => {
        const answer = await request(`${url}${path}`, { headers });
        const text = await answer.body.text();
        if (answer.statusCode !== OK) throw new Error(`GET ${path}: ${answer.statusCode} ${text.slice(0, 200)}`);
        return JSON.parse(text) as unknown;
      },
      close: () => server.close(),
      kill: () => server.kill(),
    };
  } catch (thrown) {
    await server.close();
    throw thrown;
  }
}

// The real command line with sources in its file, and the servers that they lead to: an API with a document that can be changed, whose
// answers can be held back, and MCP servers over HTTP and as a process.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../lib/client/index.ts';
import type { Client } from '../../lib/client/index.ts';
import { Cli, freshDir, started } from '../cli/harness.ts';
import type { Ready } from '../cli/harness.ts';
import { listen } from '../mcp/http-server.ts';

const ACTORS = fileURLToPath(new URL('../fixtures/actors/context.js', import.meta.url));
const STDIO_SERVER = fileURLToPath(new URL('../mcp/stdio-server.js', import.meta.url));

export interface Api {
  readonly url: string;
  /** Paths of the operations, by their names. */
  operations: Record<string, string>;
  /** What is asked of `/held…` waits until these are called. */
  readonly held: (() => void)[];
  readonly paths: string[];
  readonly stop: () => Promise<void>;
}

/** Serves its document at `/openapi.json`, and answers everything else with the path. */
export async function startApi(t: TestContext, operations: Record<string, string>, port?: number): Promise<Api> {
  const [held, paths]: [Api['held'], string[]] = [[], []];
  const server = await listen(
    t,
    (request, response) => {
      const path = request.url ?? '';
      paths.push(path);
      response.setHeader('content-type', 'application/json');
      if (path === '/openapi.json') return response.end(JSON.stringify(documentOf(api.url, api.operations)));
      const answer = (): void => void response.end(JSON.stringify(path));
      if (path.startsWith('/held')) held.push(answer);
      else answer();
    },
    port,
  );
  const api: Api = { url: new URL(server.url).origin, operations, held, paths, stop: server.stop };
  return api;
}

export function documentOf(url: string, operations: Record<string, string>): object {
  const entries = Object.entries(operations).map(([operationId, path]) => [
    path,
    { get: { operationId, responses: {} } },
  ]);
  return {
    openapi: '3.1.0',
    info: { title: 'Pets', version: '1' },
    servers: [{ url }],
    paths: Object.fromEntries(entries) as object,
  };
}

export const petsAt = ({ url }: Api) => ({ name: 'pets', type: 'openapi', url: `${url}/openapi.json` });
export const LOCAL = { name: 'local', type: 'mcp', command: process.execPath, args: [STDIO_SERVER, 'both'] };

export interface Standalone {
  readonly cli: Cli;
  readonly ready: Ready;
  readonly client: Client;
  readonly token: string;
  /** Runs `greenroom source …` against it: the exit code, and what it printed. */
  readonly source: (...args: string[]) => Promise<unknown[]>;
}

export async function standalone(t: TestContext, sources: object[], ...flags: string[]): Promise<Standalone> {
  const dir = freshDir(t);
  const config = { http: { allowAddresses: ['127.0.0.1'] }, sources };
  writeFileSync(join(dir, 'greenroom.json'), JSON.stringify(config));
  const cli = new Cli(t, started('--actors', ACTORS, '--config', 'greenroom.json', ...flags), { dir });
  const ready = await cli.ready();
  const client = createClient({ url: ready.url, tokenFile: ready.token_file });
  t.after(() => client.close());
  const source: Standalone['source'] = async (...args) => {
    const shell = new Cli(t, ['source', ...args, '--runtime', ready.url, '--token-file', ready.token_file], { dir });
    return [await shell.exit(), ...shell.stdout, ...shell.stderr];
  };
  return { cli, ready, client, token: readFileSync(ready.token_file, 'utf8').trim(), source };
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: there is no such process.
    return false;
  }
}

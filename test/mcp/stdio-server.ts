// The tools for tests as a process: `node stdio-server.js MODE`, where MODE is `both` protocols, `older`, `fussy` (older, and ends when
// it is asked about the newer) or `silent` (older, and does not answer that). What happens within is said on
// stderr, one word per line.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import type { CallToolResult } from '@modelcontextprotocol/server';
import { createToolServer } from './tool-server.ts';
import type { Tool } from './tool-server.ts';

const text = (value: string): CallToolResult => ({ content: [{ type: 'text', text: value }] });
const write = (stream: NodeJS.WriteStream, value: string): Promise<void> =>
  new Promise((resolve) => stream.write(value, () => resolve()));

const extra: Record<string, Tool> = {
  exit: { run: () => process.exit(7) },
  pid: { run: () => text(String(process.pid)) },
  environment: { run: () => ({ content: [], structuredContent: { ...process.env } }) },
  grandchild: {
    run: () => {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'inherit' });
      return text(String(child.pid));
    },
  },
  stubborn: {
    run: () => {
      process.on('SIGTERM', () => undefined);
      setInterval(() => undefined, 1_000);
      return text('stays');
    },
  },
  garbage: {
    run: async ({ lines }) => {
      await write(process.stdout, 'this is no message\n'.repeat(Number(lines)));
      return text('said');
    },
  },
  flood: {
    run: async ({ lines }) => {
      await write(process.stderr, `${'e'.repeat(5_000)}\n`.repeat(Number(lines)));
      return text('said');
    },
  },
};

const say = (word: string): void => void process.stderr.write(`${word}\n`);
const added: string[] = [];
say('born');
const mode = process.argv[2];
if (mode === 'fussy' || mode === 'silent') {
  const [first] = (await once(process.stdin, 'data')) as [Buffer];
  process.stdin.pause();
  const isQuestion = String(first).includes('server/discover');
  if (isQuestion && mode === 'fussy') process.exit(3);
  if (!isQuestion) process.stdin.unshift(first);
}
if (mode === 'both') serveStdio(() => createToolServer({ say, extra, added }));
else await createToolServer({ say, extra, added }).connect(new StdioServerTransport());
// A stream that was paused by hand does not flow again for a reader alone.
process.stdin.resume();

// A program that has an MCP server started, with a process of its own, and exits without closing anything: `node exiting.js SERVER`.

import { McpType } from '../../lib/mcp/source.ts';
import { resolveLimits } from '../../lib/limits.ts';
import type { RegisteredFunction } from '../../lib/functions/function.ts';
import { silentLog } from '../../lib/observe/log.ts';
import { openEgress } from './open-egress.ts';

const egress = openEgress({ after: () => undefined });
const type = new McpType({ egress, limits: resolveLimits(), log: silentLog, version: '0.0.0' });
const settings = { command: process.execPath, args: [process.argv[2], 'both'] };
const events = { changed: () => undefined, healthChanged: () => undefined };
const source = type.open({ name: 'tools', type: 'mcp', isFromOperator: true, settings }, events);
const { functions } = await source.read(new AbortController().signal);
const call = { payload: '{}', metadata: null, caller: { workerId: null }, timeoutMs: 10_000 };
const pids = [];
for (const name of ['grandchild', 'stubborn', 'pid']) {
  const server = functions.find((fn) => fn.name === name)?.server;
  pids.push(await server?.serve({} as RegisteredFunction, call));
}
process.stdout.write(`[${pids.join(',')}]\n`, () => process.exit(0));

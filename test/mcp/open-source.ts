// One MCP source in the hands of a test: opened, read, called and closed as the manager of the sources would.

import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Egress } from '../../lib/egress/egress.ts';
import type { CallProgress, FunctionCall, RegisteredFunction } from '../../lib/functions/function.ts';
import { resolveLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';
import { McpType } from '../../lib/mcp/source.ts';
import { decode, encode } from '../../lib/protocol/payload.ts';
import type { SourceFunction, SourceHealth, SourceReading } from '../../lib/sources/source.ts';
import { eventually, recordLog } from '../support/start-runtime.ts';
import { openEgress } from './open-egress.ts';

export const STDIO_SERVER = fileURLToPath(new URL('stdio-server.js', import.meta.url));

export interface TestSource {
  readonly health: SourceHealth;
  readonly changes: number;
  readonly lines: ReturnType<typeof recordLog>['lines'];
  readonly read: (signal?: AbortSignal) => Promise<SourceReading>;
  readonly function: (name: string) => SourceFunction;
  /** By the names of the last reading. */
  readonly call: (name: string, payload?: unknown, options?: Partial<FunctionCall>) => Promise<unknown>;
  /** Lines of stderr with this word. */
  readonly said: (word: string) => number;
  readonly hasSaid: (word: string, times?: number) => Promise<unknown>;
  readonly has: (status: SourceHealth['status']) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

interface Options {
  readonly egress?: Egress;
  readonly limits?: Partial<Limits>;
  readonly allowStdioSources?: boolean;
  readonly isFromOperator?: boolean;
}

export function openSource(t: TestContext, settings: Record<string, unknown>, options: Options = {}): TestSource {
  const { egress = openEgress(t), limits, allowStdioSources, isFromOperator = true } = options;
  const { log, lines } = recordLog();
  const type = new McpType({ egress, limits: resolveLimits(limits), log, version: '0.0.0', allowStdioSources });
  let changes = 0;
  const events = { changed: () => void changes++, healthChanged: () => undefined };
  const open = type.open({ name: 'tools', type: 'mcp', isFromOperator, settings }, events);
  t.after(() => open.close());
  let functions: readonly SourceFunction[] = [];
  const find = (name: string): SourceFunction => {
    const found = functions.find((fn) => fn.name === name);
    if (found === undefined) throw new Error(`no function ${name}`);
    return found;
  };
  const said = (word: string): number => lines.filter(({ fields }) => fields['line'] === word).length;
  return {
    lines,
    said,
    get health() {
      return open.health;
    },
    get changes() {
      return changes;
    },
    async read(signal = new AbortController().signal) {
      const reading = await open.read(signal);
      functions = reading.functions;
      return reading;
    },
    function: find,
    async call(name, payload = {}, more = {}) {
      const call = { payload: encode(payload), metadata: null, caller: { workerId: null }, timeoutMs: 20_000, ...more };
      // Only the registry makes these, and the functions of a source look at none of it.
      return decode(await find(name).server.serve({} as RegisteredFunction, call));
    },
    hasSaid: (word, times = 1) => eventually(() => said(word) >= times),
    has: (status) => eventually(() => open.health.status === status, 20_000),
    close: () => open.close(),
  };
}

export function stdio(mode: 'both' | 'older' = 'both', more: Record<string, unknown> = {}): Record<string, unknown> {
  return { command: process.execPath, args: [STDIO_SERVER, mode], ...more };
}

export function keepProgress(): { all: CallProgress[]; onProgress: (progress: CallProgress) => void } {
  const all: CallProgress[] = [];
  return { all, onProgress: (progress) => void all.push(progress) };
}

// A real runtime behind a real server, whose sources are of a type that the test holds in its hands.

import type { TestContext } from 'node:test';
import type { Limits } from '../../lib/limits.ts';
import type { Outside } from '../../lib/outside.ts';
import { createRuntime } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';
import { Sources } from '../../lib/sources/sources.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { recordLog } from '../support/start-runtime.ts';
import { TOKEN } from '../server/support.ts';
import { FakeType } from './fake-type.ts';

export async function startServed(t: TestContext, limits: Partial<Limits> = {}) {
  const { log, lines } = recordLog();
  const actors = [new URL('../fixtures/actors/serving.js', import.meta.url)];
  const runtime = await createRuntime({ actors, hosts: 1, limits });
  t.after(() => runtime.close({ deadlineMs: 1 }));
  const { supervisor, functions, peers, channels } = runtime;
  const type = new FakeType();
  const store = new MemoryStore({ maxEntries: 1, maxBytes: 1, maxAgeMs: 1 });
  const types = { fake: () => Promise.resolve(type) };
  const sources = new Sources({ functions, limits: supervisor.limits, log, store, types });
  t.after(() => sources.close());
  const describe = async () => ({ ...(await runtime.describe()), sources: sources.counts });
  const outside = Object.create(runtime.outside, { sources: { value: sources } }) as Outside;
  const close = runtime.close.bind(runtime);
  const served = { supervisor, functions, peers, channels, outside, describe, close };
  const server = await startServer({ runtime: served, token: TOKEN, log });
  t.after(() => server.close());
  return { runtime, server, sources, store, lines, url: server.url, place: (name: string) => type.place(name) };
}

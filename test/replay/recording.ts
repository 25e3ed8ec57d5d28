// Workers of a real runtime, and what its store has of them.

import type { TestContext } from 'node:test';
import { resolveLimits } from '../../lib/limits.ts';
import { replay } from '../../lib/replay/replay.ts';
import type { ReplayOptions } from '../../lib/replay/replay.ts';
import type { Recorded } from '../../lib/replay/recorded.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { startRuntime } from '../support/start-runtime.ts';

const FIXTURES = new URL('../fixtures/replay/', import.meta.url);
const urlOf = (name: string) => new URL(`${name}.js`, FIXTURES).href;

/** A runtime, and the store that it has made for itself. */
export async function record(t: TestContext, limits: RuntimeOptions['limits'] = {}) {
  const created = t.mock.method(MemoryStore.prototype, 'create');
  const runtime: Runtime = await startRuntime(t, { actors: [urlOf('tally')], limits, store: 'memory' });
  await runtime.create({ kind: 'tally', workerId: 'other' });
  const store = created.mock.calls[0]?.this as MemoryStore;
  created.mock.restore();
  const recorded = (workerId: string): Recorded => store.find(workerId) as Recorded;
  const replayed = (workerId: string, options: Partial<ReplayOptions> & { actor?: string } = {}) =>
    replay(recorded(workerId), {
      module: urlOf(options.actor ?? 'tally'),
      fromState: null,
      limits: resolveLimits(),
      inputIdPrefix: store.inputIdPrefix,
      inputTimeoutMs: 10_000,
      ...options,
    });
  return { runtime, recorded, replayed };
}

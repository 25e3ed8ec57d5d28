// Sources over a real registry with groups, and a store that outlives them.

import type { TestContext } from 'node:test';
import { Groups } from '../../lib/functions/groups.ts';
import { Peers } from '../../lib/functions/peers.ts';
import { Functions } from '../../lib/functions/registry.ts';
import type { FunctionOwner } from '../../lib/functions/function.ts';
import { resolveLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';
import { decode } from '../../lib/protocol/payload.ts';
import { Sources } from '../../lib/sources/sources.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { recordLog } from '../support/start-runtime.ts';
import { FakeType } from './fake-type.ts';

export const OPERATOR = { isFromOperator: true };
export const REST = { isFromOperator: false };

export function startSources(
  t: TestContext,
  {
    limits = {},
    store = new MemoryStore({ maxEntries: 1, maxBytes: 1, maxAgeMs: 1 }),
    workers = [],
  }: { limits?: Partial<Limits>; store?: MemoryStore; workers?: string[] } = {},
) {
  const { log, lines } = recordLog();
  const peers = new Peers();
  const functions: Functions = new Functions(
    new Groups({
      peers,
      version: '0',
      isWorker: (name) => workers.includes(name),
      countOf: (group) => functions.countListed(group),
    }),
  );
  const type = new FakeType();
  let loads = 0;
  const load: { failure: Error | null } = { failure: null };
  const fake = () => {
    loads++;
    return load.failure === null ? Promise.resolve(type) : Promise.reject(load.failure);
  };
  const sources = new Sources({ functions, limits: resolveLimits(limits), log, store, types: { fake } });
  t.after(() => sources.close());
  const call = async (functionId: string, payload: unknown = null): Promise<unknown> =>
    decode(
      await functions.call(functionId, {
        payload: JSON.stringify(payload),
        metadata: null,
        caller: { workerId: null },
        timeoutMs: 10_000,
      }),
    );
  return {
    sources,
    functions,
    peers,
    store,
    type,
    lines,
    call,
    load,
    loads: () => loads,
    place: (name: string) => type.place(name),
    idsOf: () => Array.from(functions.values(), ({ functionId }) => functionId),
  };
}

export function ownerOf(ownerId: string): FunctionOwner {
  return { ownerId, origin: 'remote', name: null, serve: () => Promise.resolve('"other"') };
}

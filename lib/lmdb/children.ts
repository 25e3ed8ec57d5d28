// Which workers a worker has created: rows by parent, in the order of creation, beside the children's own rows, which say the same. They are
// written and erased with the child's rows, so that nothing has to be loaded to tell them. A damaged one costs time alone.

import { Decoder, isIntact } from './codec.ts';
import type { Environment } from './environment.ts';
import { endOfTable, nameOf, startOfTable, TABLES, workerPrefix } from './keys.ts';
import { readRows } from './rows.ts';
import { familyOf, readChild } from './tables.ts';
import type { LmdbWorkerStore } from './worker.ts';

export class Children {
  readonly #environment: Environment;
  /** Those that have no rows yet, by their parent. */
  readonly #new = new Map<string, Set<LmdbWorkerStore>>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  created(worker: LmdbWorkerStore): void {
    const { parentId } = worker;
    if (parentId === null) return;
    const siblings = this.#new.get(parentId) ?? new Set();
    this.#new.set(parentId, siblings.add(worker));
  }

  /** It has rows, or never will. */
  settled(worker: LmdbWorkerStore): void {
    const { parentId } = worker;
    const siblings = parentId === null ? undefined : this.#new.get(parentId);
    if (siblings?.delete(worker) === true && siblings.size === 0) this.#new.delete(parentId as string);
  }

  /** Ids in the order of creation, as of what was given; `handleOf` knows the worker of an id if that is in memory. */
  of(parentId: string, handleOf: (workerId: string) => LmdbWorkerStore | undefined): string[] {
    const found = this.#stored(parentId).filter(({ workerId, ordinal }) => {
      const handle = handleOf(workerId);
      return handle === undefined || (!handle.isErased && (handle.isQuarantined || handle.family?.ordinal === ordinal));
    });
    const stored = new Set(found.map(({ ordinal }) => ordinal));
    for (const { workerId, family, isErased } of this.#new.get(parentId) ?? [])
      if (family !== null && !isErased && !stored.has(family.ordinal))
        found.push({ workerId, ordinal: family.ordinal });
    return found.sort((a, b) => a.ordinal - b.ordinal).map(({ workerId }) => workerId);
  }

  #stored(parentId: string): Child[] {
    try {
      const rows = readRows(this.#environment, workerPrefix(TABLES.children, parentId));
      return Array.from(rows, ({ from }) => readChild(from));
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code !== 'store_corrupt') throw thrown;
      return [...childRows(this.#environment, parentId)];
    }
  }
}

interface Child {
  readonly workerId: string;
  readonly ordinal: number;
}

/** By the workers' own rows: slow, and seldom. */
function* childRows(environment: Environment, parentId: string): Generator<Child> {
  for (const { key, value } of environment.range({
    start: startOfTable(TABLES.workers),
    end: endOfTable(TABLES.workers),
  })) {
    const family = isIntact(value, key) ? familyOf(new Decoder(value, key)) : null;
    if (family?.parentId === parentId) yield { workerId: nameOf(key), ordinal: family.ordinal };
  }
}

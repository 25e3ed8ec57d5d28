// The workers of a store that are in memory: those that somebody uses, and those whose operations are not all in their rows. What is asked
// across workers needs the latter beside the rows.

import { SortedWorkers } from '../store/sorted-workers.ts';
import type { WorkerRecord } from '../store/store.ts';
import { Children } from './children.ts';
import type { Context } from './context.ts';
import { LmdbWorkerStore } from './worker.ts';

export class LoadedWorkers {
  /** Those whose applied operations are not all in their rows. */
  readonly dirty = new SortedWorkers<LmdbWorkerStore>();
  /** Those of them whose timers have changed. */
  readonly timersChanged = new Set<LmdbWorkerStore>();
  readonly #byId = new Map<string, LmdbWorkerStore>();
  readonly #children: Children;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
    this.#children = new Children(context.environment);
  }

  /** Loads it if there is one that is not in memory. */
  find(workerId: string): LmdbWorkerStore | undefined {
    const known = this.#byId.get(workerId);
    if (known !== undefined) return known;
    const loaded = LmdbWorkerStore.load(workerId, this.#context);
    if (loaded !== undefined) this.#byId.set(workerId, loaded);
    return loaded;
  }

  /** `ordinal`: its place among its parent's children. */
  add(record: WorkerRecord, ordinal: number): LmdbWorkerStore {
    const { workerId } = record;
    const worker = new LmdbWorkerStore(record, this.#context, ordinal);
    worker.isAfterDamaged = this.#byId.get(workerId)?.isQuarantined === true;
    this.#byId.set(workerId, worker);
    this.#children.created(worker);
    return worker;
  }

  /** Ids in the order of creation, as of what was given. */
  childrenOf(parentId: string): string[] {
    return this.#children.of(parentId, (workerId) => this.#byId.get(workerId));
  }

  /** Its rows, if there are any, are not to be listed. */
  isHidden(workerId: string): boolean {
    const worker = this.#byId.get(workerId);
    return worker !== undefined && (worker.isErased || !worker.isThere);
  }

  /** Its applied operations are not all in its rows. */
  changed(worker: LmdbWorkerStore): void {
    if (worker.isDirty) return;
    worker.isDirty = true;
    // A worker that was deleted, and whose id has another one now: what erases the old rows is the new one's folding.
    const other = this.dirty.get(worker.workerId);
    if (other !== undefined) this.#settled(other);
    this.dirty.add(worker);
  }

  folded(worker: LmdbWorkerStore): void {
    worker.isDirty = false;
    this.#settled(worker);
    this.letGo(worker);
  }

  /** Nothing of it has to be in memory once nobody uses it and all of it is in its rows. */
  letGo(worker: LmdbWorkerStore): void {
    const isStaged = worker.stagedBatch > this.#context.appliedBatch;
    if ((worker.isUsed && !worker.isErased) || worker.isDirty || isStaged) return;
    if (this.#byId.get(worker.workerId) === worker) this.#byId.delete(worker.workerId);
  }

  /** The journal has been read again. */
  settleReplay(): void {
    for (const worker of [...this.#byId.values()]) {
      worker.settleReplay();
      if (!worker.isDirty) this.#byId.delete(worker.workerId);
    }
  }

  #settled(worker: LmdbWorkerStore): void {
    this.dirty.delete(worker.workerId);
    this.timersChanged.delete(worker);
    this.#children.settled(worker);
  }
}

// Workers and those that they have created (`ctx.create`), which are their children and do not outlive them by accident.
//
//   stop, delete    children first, the newest first, each with its own deadline, then the parent
//   failed, exited  its children are stopped
//   restored        so are those that were stopped because of its end, when it is up
//   hibernates, is restarted, moves: its children go on
//
// From the moment at which a worker is to stop it is `stopping`: it takes no inputs and creates nothing, so its family only gets smaller.
// Families are walked without recursion, or in a turn of its own for each generation: they may be deeper than the stack.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { Slices } from '../protocol/slices.ts';
import type { StopAck, WorkerView } from '../protocol/views.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { Store } from '../store/store.ts';
import type { Admission } from './admission.ts';
import type { Directory } from './directory.ts';
import type { Lifecycle } from './lifecycle.ts';
import { COMMANDS, requireEffect } from './states.ts';
import { ackOf, wasStoppedWithParent } from './stopping.ts';
import type { Death } from './deaths.ts';
import { Strategies } from './strategies.ts';
import type { StopRequest } from './stopping.ts';
import { Watching } from './watching.ts';
import type { Worker } from './worker.ts';

export interface FamilyParts {
  readonly store: Store;
  readonly directory: Directory<Worker>;
  readonly admission: Admission;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  readonly wheel: Wheel;
  view(worker: Worker): WorkerView;
  /** Erases a worker that has ended. */
  erase(worker: Worker): void;
}

export class Families {
  readonly #parts: FamilyParts;
  readonly watching: Watching;
  readonly #strategies: Strategies;
  #isOver = false;

  constructor(parts: FamilyParts) {
    this.#parts = parts;
    this.watching = new Watching(parts);
    this.#strategies = new Strategies({
      ...parts,
      childrenOf: (workerId) => this.childrenOf(workerId),
      restore: (worker) => this.restore(worker),
    });
  }

  /** The runtime closes, and stops all workers itself. */
  close(): void {
    this.#isOver = true;
    this.watching.close();
    this.#strategies.close();
  }

  /** Ids of those that a worker has created and that are still there, in that order. None if they cannot be read: it can be stopped all the same. */
  childrenOf(workerId: string): readonly string[] {
    try {
      return this.#parts.store.children(workerId);
    } catch (thrown) {
      this.#parts.log.error({ worker_id: workerId, ...describeError(thrown) }, 'children of a worker cannot be read');
      return [];
    }
  }

  /** Whether it is the worker itself, or one that has created it, or its creator, and so on. */
  isInFamily(workerId: string, ancestorId: string): boolean {
    for (let id: string | null = workerId; id !== null; id = this.#parts.directory.get(id)?.parentId ?? null)
      if (id === ancestorId) return true;
    return false;
  }

  // --- stop ---

  /** Resolves once it has stopped, after its children. If it has been stopped before, to the acknowledgement of that. */
  stop(worker: Worker, request: StopRequest): Promise<StopAck> {
    const children = this.#isOver || COMMANDS.stop[worker.status] === 'join' ? [] : this.childrenOf(worker.workerId);
    if (children.length === 0) return this.stopAlone(worker, request);
    const { lifecycle } = this.#parts;
    const ack = lifecycle.stop(worker, request, true);
    void this.#stopAll(children, { ...request, isWithParent: true, reason: request.reason ?? 'parent stopped' }).then(
      (count) => lifecycle.releaseStop(worker, count),
    );
    return ack;
  }

  async stopAlone(worker: Worker, request: StopRequest): Promise<StopAck> {
    if (COMMANDS.stop[worker.status] === 'stop') return this.#parts.lifecycle.stop(worker, request);
    return worker.stopping?.ack ?? ackOf(worker);
  }

  /** The newest first, one after the other. Resolves to how many have stopped, those below them included; never rejects. */
  async #stopAll(children: readonly string[], request: StopRequest, isWanted = () => true): Promise<number> {
    const slices = new Slices();
    let count = 0;
    for (const workerId of children.toReversed()) {
      // Each generation in a turn of its own.
      if (slices.isOver) await slices.next();
      else await Promise.resolve();
      if (this.#isOver || !isWanted()) break;
      try {
        const child = this.#parts.directory.get(workerId);
        if (child === undefined || child.status === 'stopped' || child.status === 'failed') continue;
        const { children: below = 0 } = await this.stop(child, request);
        count += 1 + below;
      } catch (thrown) {
        this.#parts.log.error({ worker_id: workerId, ...describeError(thrown) }, 'a child could not be stopped');
      }
    }
    return count;
  }

  // --- restore ---

  /** Starts a worker that has ended; when it is up, those below it that were stopped because of its end. The caller has looked at the state table. */
  restore(worker: Worker): void {
    const hasEnded = worker.status !== 'hibernated';
    this.#parts.lifecycle.restore(worker);
    if (hasEnded) worker.onStartSettled(() => this.#restoreChildren(worker.workerId));
  }

  #restoreChildren(parentId: string): void {
    const { directory, log } = this.#parts;
    const restore = async (): Promise<void> => {
      const slices = new Slices();
      for (const id of this.childrenOf(parentId)) {
        if (slices.isOver) await slices.next();
        const child = directory.get(id);
        // Its parent may have been restored while it was being stopped.
        if (child?.status === 'stopping') await child.stopping?.ack;
        if (this.#isOver || !this.#isOpen(parentId)) return;
        if (child !== undefined && !child.actor.isMissing && wasStoppedWithParent(child)) this.restore(child);
      }
    };
    restore().catch((thrown: unknown) =>
      log.error({ worker_id: parentId, ...describeError(thrown) }, 'children could not be restored'),
    );
  }

  // --- delete ---

  /** Returns its last view. Throws `worker_active` unless it and its family have ended or `isForced` is set, which stops them first. */
  async delete(workerId: string, isForced: boolean): Promise<WorkerView> {
    const { directory } = this.#parts;
    const slices = new Slices();
    await this.#requireEnded(directory.require(workerId), isForced);
    const family = [workerId];
    for (const id of family) {
      if (slices.isOver) await slices.next();
      for (const childId of this.childrenOf(id)) {
        const child = directory.get(childId);
        if (child === undefined) continue;
        if (COMMANDS.delete[child.status] !== 'delete') await this.#requireEnded(child, isForced);
        family.push(childId);
      }
    }
    // Those that were created last go first, so that none of them is without a parent if this comes to no end.
    for (const id of family.slice(1).reverse()) {
      if (slices.isOver) await slices.next();
      const child = directory.get(id);
      if (child !== undefined) this.#erase(child);
    }
    // Looked up again: it may have been put away after its stop, or deleted by somebody else.
    const worker = directory.require(workerId);
    const view = this.#parts.view(worker);
    this.#erase(worker);
    return view;
  }

  async #requireEnded(worker: Worker, isForced: boolean): Promise<void> {
    const effect = COMMANDS.delete[worker.status];
    if (effect === 'worker_active' && isForced) await this.stop(worker, { reason: 'delete', isDeletion: true });
    else if (effect !== 'delete') throw activeError(worker);
  }

  #erase(worker: Worker): void {
    // Somebody may have restored it meanwhile.
    if (COMMANDS.delete[worker.status] !== 'delete') throw activeError(worker);
    this.#parts.erase(worker);
    this.watching.forget(worker.workerId);
    this.watching.ended(worker.workerId, 'deleted');
  }

  // --- what happens to a worker ---

  /** A worker on a host watches another. Throws as Watching.watch does, and `worker_stopped`. */
  watch(workerId: string, targetId: string): void {
    const watcher = this.#parts.directory.require(workerId);
    // What is to end is told nothing more.
    requireEffect(COMMANDS.input[watcher.status], 'accept');
    this.watching.watch(watcher, targetId);
  }

  /** It is being stopped, or has failed. */
  onEnding({ workerId }: Worker): void {
    this.watching.forget(workerId);
  }

  /** It was stopped, and its children before it. */
  onStopped({ workerId, stopping }: Worker): void {
    this.watching.ended(workerId, stopping?.isDeletion === true ? 'deleted' : 'stopped');
  }

  /** It has ended itself as it should. */
  onRetired({ workerId }: Worker): void {
    this.watching.ended(workerId, 'stopped');
    this.#stopBelow(workerId, 'parent ended');
  }

  /** It has died, and will be started again. */
  onRestarting(worker: Worker, death: Death): void {
    this.#strategies.onRestarting(worker, death);
  }

  onGaveUp(worker: Worker, error: WireError): void {
    this.watching.failed(worker.workerId, error);
    this.#stopBelow(worker.workerId, 'parent failed');
    this.#strategies.onGaveUp(worker, error);
  }

  /** Unless somebody restores it before all of them are stopped. */
  #stopBelow(workerId: string, reason: string): void {
    const children = this.childrenOf(workerId);
    if (children.length > 0)
      void this.#stopAll(children, { reason, isWithParent: true }, () => !this.#isOpen(workerId));
  }

  /** It is there, and takes inputs. */
  #isOpen(workerId: string): boolean {
    const worker = this.#parts.directory.get(workerId);
    return worker !== undefined && COMMANDS.input[worker.status] === 'accept';
  }
}

function activeError({ workerId }: Worker): GreenroomError {
  return GreenroomError.of('worker_active', { details: { worker_id: workerId } });
}

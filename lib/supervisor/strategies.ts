// Supervision in Erlang's sense: a worker whose actor declares a `strategy` stands for the children that it has created.
//
//   a child dies and is restarted   one_for_one: that is all · one_for_all: so are its siblings · rest_for_one: those created after it
//   a child has failed              its parent dies of it (`child_failed`, held against it); when that is up again, its children start afresh;
//                                   if its own restarts are used up, it has failed, and so on upwards
//
// Siblings and children die in order (renewing.ts), and nothing is held against them. One that is on no host has nothing to lose, and is left alone.
// All of it happens after the turn of a death: those who died with it are on their way back by then.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { Slices } from '../protocol/slices.ts';
import type { Strategy } from '../protocol/views.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { Death, FamilyCause } from './deaths.ts';
import type { Directory } from './directory.ts';
import type { Lifecycle } from './lifecycle.ts';
import { COMMANDS } from './states.ts';
import type { Worker } from './worker.ts';

/** Between two looks at a parent that is leaving its host. */
const RETRY_MS = 50;

export interface StrategyParts {
  readonly directory: Directory<Worker>;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  readonly wheel: Wheel;
  childrenOf(workerId: string): readonly string[];
  restore(worker: Worker): void;
}

export class Strategies {
  readonly #parts: StrategyParts;
  /** Children that have died in this turn, by their parent. */
  readonly #died = new Map<string, Set<string>>();
  #isOver = false;

  constructor(parts: StrategyParts) {
    this.#parts = parts;
  }

  close(): void {
    this.#isOver = true;
  }

  /** A worker has died, and comes back. */
  onRestarting(worker: Worker, { cause }: Death): void {
    if (cause === 'child_failed') worker.onStartSettled(() => this.#onSettled(worker));
    const { workerId, parentId } = worker;
    // Of those that die because of another nobody else has to.
    if (parentId === null || cause === 'sibling_died' || cause === 'parent_restarted') return;
    const died = this.#died.get(parentId);
    if (died !== undefined) died.add(workerId);
    else if (this.#supervisorOf(worker) !== undefined) {
      this.#died.set(parentId, new Set([workerId]));
      queueMicrotask(() => this.#onDied(parentId));
    }
  }

  /** A worker has failed. */
  onGaveUp(worker: Worker, error: WireError): void {
    if (worker.parentId !== null) queueMicrotask(() => this.#escalate(worker, error));
  }

  // --- siblings ---

  #onDied(parentId: string): void {
    const died = this.#died.get(parentId) ?? new Set();
    this.#died.delete(parentId);
    const strategy = this.#strategyOf(this.#find(parentId));
    if (this.#isOver || strategy === undefined || strategy === 'one_for_one') return;
    const children = this.#parts.childrenOf(parentId);
    const first = strategy === 'one_for_all' ? 0 : children.findIndex((id) => died.has(id));
    for (const id of children.slice(first).reverse()) {
      const sibling = died.has(id) ? undefined : this.#parts.directory.peek(id);
      if (sibling !== undefined) this.#renew(sibling, 'sibling_died', parentId);
    }
  }

  #renew(worker: Worker, cause: FamilyCause, parentId: string): void {
    if (!isUp(worker)) return;
    const details = { parent_id: parentId };
    const error = GreenroomError.of('host_lost', { details: { cause, ...details } }).toWire();
    this.#parts.lifecycle.renewing.begin(worker, { cause, culprits: [], error, details }, false);
  }

  // --- upwards ---

  /** The parent dies of the failure of its child; later if it cannot now. */
  #escalate(child: Worker, error: WireError): void {
    const parent = this.#supervisorOf(child);
    // Somebody may have restored it. One that is never to be restarted is nobody's failure.
    if (this.#isOver || parent === undefined || child.status !== 'failed' || isTemporary(child)) return;
    const { lifecycle, wheel } = this.#parts;
    const again = (): void => this.#escalate(child, error);
    const death = childFailed(child, error);
    if (COMMANDS.input[parent.status] !== 'accept') return;
    if (parent.isStarting) parent.onStartSettled(again);
    else if (isUp(parent)) lifecycle.renewing.begin(parent, death, true);
    else if (parent.status !== 'hibernated') wheel.after(RETRY_MS, again);
    else {
      parent.apply('woken');
      lifecycle.dying.afterDeath(parent, death, true);
    }
  }

  /** A parent that died of a child has started again, or has not. */
  #onSettled(parent: Worker): void {
    if (parent.isStarting) parent.onStartSettled(() => this.#onSettled(parent));
    else if (COMMANDS.input[parent.status] === 'accept')
      this.#renewChildren(parent.workerId).catch((thrown: unknown) =>
        this.#parts.log.error(
          { worker_id: parent.workerId, ...describeError(thrown) },
          'children could not be restarted',
        ),
      );
  }

  async #renewChildren(parentId: string): Promise<void> {
    const { directory } = this.#parts;
    const slices = new Slices();
    for (const id of this.#parts.childrenOf(parentId)) {
      if (slices.isOver) await slices.next();
      if (this.#isOver) return;
      const child = directory.get(id);
      if (child === undefined) continue;
      if (child.status !== 'failed') this.#renew(child, 'parent_restarted', parentId);
      else if (!isTemporary(child) && !child.actor.isMissing) this.#parts.restore(child);
    }
  }

  // --- who it is ---

  /** The parent, if that supervises its children. */
  #supervisorOf({ parentId }: Worker): Worker | undefined {
    const parent = parentId === null ? undefined : this.#find(parentId);
    return this.#strategyOf(parent) === undefined ? undefined : parent;
  }

  #strategyOf(parent: Worker | undefined): Strategy | undefined {
    return parent?.actor.definition.strategy;
  }

  #find(workerId: string): Worker | undefined {
    try {
      return this.#parts.directory.get(workerId);
    } catch (thrown) {
      this.#parts.log.error({ worker_id: workerId, ...describeError(thrown) }, 'parent of a worker cannot be read');
      return undefined;
    }
  }
}

/** On its host, and to stay there. */
function isUp({ status, isLoaded }: Worker): boolean {
  return isLoaded && (status === 'idle' || status === 'running');
}

function isTemporary({ actor }: Worker): boolean {
  return actor.definition.restart?.policy === 'temporary';
}

function childFailed({ workerId }: Worker, { code }: WireError): Death {
  const details = { child_id: workerId, child_error: code };
  const error = GreenroomError.of('worker_failed', {
    message: 'A child of the worker has failed.',
    details: { cause: 'child_failed', ...details },
  }).toWire();
  return { cause: 'child_failed', culprits: [], error, details };
}

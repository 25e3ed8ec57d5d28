// Where workers stay while nothing runs: awake on a host, in memory, or in the store only; and what brings them back but inputs: timers, and
// a start of the runtime.

import { GreenroomError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import { Slices } from '../protocol/slices.ts';
import type { HostDetail, HostView, WorkerView } from '../protocol/views.ts';
import { awakeOf, KeptAwake } from './awake.ts';
import type { Delivery } from './delivery.ts';
import type { Directory } from './directory.ts';
import type { Hosts } from './hosts.ts';
import type { InputRecord } from './input.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { SupervisorOptions } from './options.ts';
import { notRecyclable, Recycling } from './recycling.ts';
import { Resting } from './resting.ts';
import { Timers } from './timers.ts';
import type { Worker } from './worker.ts';

export interface ResidenceParts {
  readonly options: SupervisorOptions;
  readonly directory: Directory<Worker>;
  readonly delivery: Delivery;
  readonly lifecycle: Lifecycle;
  hosts(): Hosts;
  /** Throws what the input is refused with. */
  deliver(worker: Worker, value: unknown): InputRecord;
}

export class Residence {
  readonly #parts: ResidenceParts;
  readonly kept = new KeptAwake();
  readonly timers: Timers;
  readonly #resting: Resting;
  readonly #recycling: Recycling;
  #isOver = false;

  constructor(parts: ResidenceParts) {
    this.#parts = parts;
    const { options, directory, lifecycle } = parts;
    const { store, limits, log, wheel } = options;
    this.timers = new Timers(
      store,
      {
        find: (workerId) => directory.get(workerId),
        require: (workerId) => directory.require(workerId),
        deliver: (worker, value) => parts.deliver(worker, value),
      },
      log,
      wheel,
    );
    const isKept = ({ workerId }: Worker) => this.kept.has(workerId) || this.#hasChannels(workerId);
    const hosts = () => parts.hosts();
    this.#recycling = new Recycling({ limits, log, wheel, lifecycle, hosts, isKept });
    const resting = {
      slots: () => parts.hosts().slots,
      loaded: () => directory.loaded(),
      countLoaded: () => this.countLoaded,
      isKept,
      countWaiting: () => parts.hosts().countWaiting,
      hibernate: lifecycle.hibernate.bind(lifecycle),
      unload: (worker: Worker) => this.unload(worker),
    };
    this.#resting = new Resting(limits, store.isDurable, resting, log, wheel);
    directory.onAdded = () => this.#resting.onLoaded();
  }

  /** The hosts are there. */
  open(): void {
    const { catalog, store, log } = this.#parts.options;
    this.#resting.start(Array.from(catalog.all(), ({ idleAfterMs }) => idleAfterMs));
    this.timers.open();
    this.#recycling.open();
    const isAnyPermanent = [...store.counts()].some(
      ([kind, { hibernated }]) => hibernated > 0 && catalog.find(kind).isPermanent,
    );
    if (isAnyPermanent)
      this.#startPermanent().catch((error: unknown) =>
        log.error(describeError(error), 'workers that never hibernate could not all be started'),
      );
  }

  close(): void {
    this.#isOver = true;
    this.#resting.stop();
    this.#recycling.close();
    this.timers.close();
  }

  /** Workers in memory. */
  get countLoaded(): number {
    return this.#parts.directory.loadedSize;
  }

  get isFull(): boolean {
    return this.#resting.isFull;
  }

  /** Alive, or one of the last that have ended. Throws `not_found`. */
  host(hostId: string): HostDetail {
    const view = this.#parts.hosts().detail(hostId);
    if (view === undefined) throw GreenroomError.of('not_found', { message: 'There is no host of that id.' });
    return view;
  }

  /** Resolves when it has ended; see Recycling.recycle. Throws `not_found` or `unsupported_operation`. */
  recycleHost(hostId: string): Promise<void> {
    const slot = this.#parts.hosts().slots.find(({ host }) => host.hostId === hostId);
    if (slot === undefined) throw notRecyclable(this.host(hostId).status);
    return this.#recycling.recycle(slot, 'asked');
  }

  hosts(): HostView[] {
    return this.#parts.hosts().views();
  }

  view(worker: Worker): WorkerView {
    const { workerId } = worker;
    return { ...worker.view(), awake: awakeOf(worker, this.kept.of(workerId), this.#hasChannels(workerId)) };
  }

  /** For what an actor asks for: it may have left its host since. Throws `worker_not_found` or `worker_stopped`. */
  requireOnHost(workerId: string): void {
    if (this.#parts.directory.require(workerId).host === null) throw GreenroomError.of('worker_stopped');
  }

  /** It has left its host: what kept it there is gone. */
  onLeft(workerId: string): void {
    this.kept.forget(workerId);
    this.#parts.options.onLeft?.(workerId);
  }

  /** The store has all that is known of it. False if somebody uses it here. */
  unload(worker: Worker): boolean {
    const { options, directory, delivery } = this.#parts;
    if (!options.store.isDurable || !worker.isDormant || delivery.capacity.room.isAwaited(worker)) return false;
    if (!directory.unload(worker)) return false;
    options.store.unload(worker.store);
    return true;
  }

  /** Nothing is left of it: it was deleted. */
  erase(worker: Worker): void {
    const { directory, delivery } = this.#parts;
    this.timers.forget(worker);
    directory.delete(worker);
    worker.actor.population.remove(worker.status);
    // They waited for an actor that is missing, or for their turn after a restart.
    if (worker.inputs > 0) delivery.failWaiting(worker, 'cancelled', 'cancelled');
    worker.store.delete();
  }

  #hasChannels(workerId: string): boolean {
    return this.#parts.options.hasChannels?.(workerId) ?? false;
  }

  /** Workers that never hibernate, and did only because the runtime was closed, or died. */
  async #startPermanent(): Promise<void> {
    const { options, directory, lifecycle } = this.#parts;
    const slices = new Slices();
    for (const { workerId, kind, rest } of options.store.list('')) {
      if (slices.isOver) await slices.next();
      if (this.#isOver) return;
      if (rest !== 'hibernated' || !options.catalog.find(kind).isPermanent) continue;
      try {
        const worker = directory.get(workerId);
        if (worker?.status === 'hibernated') lifecycle.wake(worker);
      } catch (thrown) {
        options.log.error({ worker_id: workerId, ...describeError(thrown) }, 'worker could not be started again');
      }
    }
  }
}

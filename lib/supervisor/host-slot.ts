// One host and the workers on it, as the supervisor knows it.

import type { Host } from '../host/host.ts';
import { WINDOW_PER_HOST, WORKERS_PER_HOST } from '../limits.ts';
import { now } from '../protocol/clock.ts';
import type { HostView, Isolation } from '../protocol/views.ts';
import { Fifo } from './fifo.ts';
import type { HostLoad } from './placement.ts';
import { RestTimes } from './rest-times.ts';
import type { Worker } from './worker.ts';

/** Why a host is being killed: kept with it, because its end arrives later and somewhere else. */
export interface KillOrder {
  readonly reason: 'cancel_grace' | 'handler_timeout' | 'start_timeout' | 'close';
  readonly culprits: readonly Worker[];
  readonly orderedAt: number;
}

/** A host and the workers on it. */
export class HostSlot implements HostLoad {
  readonly host: Host;
  readonly isolation: Isolation;
  readonly startedAt = now();
  readonly workers: (Worker | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  /** Places that nobody gets any more. */
  #lostSlots = 0;
  /** When each worker hibernates unless something comes. */
  readonly restTimes = new RestTimes();
  workerCount = 0;
  status: HostView['status'] = 'starting';
  /** Workers with inputs that found the host's window full, in the order in which they came. */
  readonly blocked = new Fifo<Worker>();
  killOrder: KillOrder | null = null;
  /** Inputs that will be sent as soon as the store has their runs. */
  reserved = 0;
  /** To be started with the next batch. */
  pendingStarts: Worker[] = [];

  constructor(host: Host, isolation: Isolation) {
    this.host = host;
    this.isolation = isolation;
  }

  /** It belongs to one worker. */
  get isOwn(): boolean {
    return this.isolation !== 'shared';
  }

  /** Whether it may be sent one more input. */
  get hasRoom(): boolean {
    return this.reserved < WINDOW_PER_HOST && this.host.hasRoom;
  }

  /** Some of its workers have inputs here. */
  get isBusy(): boolean {
    return this.workers.some((worker) => worker !== undefined && worker.inputs > 0 && worker.mailbox.lent > 0);
  }

  /** A host that is to die takes no more, nor does one that is being recycled. */
  get maxWorkers(): number {
    const isOpen = this.killOrder === null && this.status !== 'recycling';
    if (!isOpen) return 0;
    return this.isOwn ? 1 : WORKERS_PER_HOST - this.#lostSlots;
  }

  seat(worker: Worker): void {
    const slot = this.#freeSlots.pop() ?? this.workers.length;
    this.workers[slot] = worker;
    this.workerCount++;
    worker.host = this;
    worker.slot = slot;
  }

  /** `mayReuse` is false when the host still has something of the worker. */
  unseat(worker: Worker, mayReuse: boolean): void {
    this.workers[worker.slot] = undefined;
    this.workerCount--;
    if (mayReuse) this.#freeSlots.push(worker.slot);
    else this.#lostSlots++;
    worker.host = null;
    worker.slot = -1;
    worker.presence = 'away';
    worker.isBlocked = false;
  }

  kill(reason: KillOrder['reason'], culprits: readonly Worker[]): void {
    if (this.killOrder !== null) return;
    this.killOrder = { reason, culprits, orderedAt: now() };
    this.host.kill(new Error(`killed: ${reason}`));
  }
}

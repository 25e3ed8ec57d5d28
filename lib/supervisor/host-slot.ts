// One host and the workers on it, as the supervisor knows it.

import type { Host } from '../host/host.ts';
import { WORKERS_PER_HOST } from '../limits.ts';
import { now } from '../protocol/clock.ts';
import type { HostView, Isolation, Verdict } from '../protocol/views.ts';
import { Kill } from './certificates.ts';
import { Fifo } from './fifo.ts';
import type { HostLoad } from './placement.ts';
import { RestTimes } from './rest-times.ts';
import type { Worker } from './worker.ts';

export type KillReason =
  'stuck' | 'cancel_grace' | 'handler_timeout' | 'memory' | 'start_timeout' | 'link_fault' | 'recycle' | 'close';

/** Why a host is being killed: kept with it, because its end arrives later and somewhere else. */
export interface KillOrder {
  readonly reason: KillReason;
  readonly culprits: readonly Worker[];
  readonly orderedAt: number;
}

/** What the watchdog saw when it looked last. */
export interface HostSample {
  readonly verdict: Verdict;
  /** Event loop utilisation since the look before, 0 to 1. */
  readonly utilization: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  /** Inputs that it has answered. */
  readonly handled: number;
  /** Since its last sign of life; 0 while it gives some. */
  readonly silentMs: number;
  /** CPU that its thread took in that time; null where it cannot be told. */
  readonly cpuMs: number | null;
  /** Whether it wanted a CPU in that time, and so ran: on a busy machine it may have got little. Null where it cannot be told. */
  readonly wantsCpu: boolean | null;
}

const UNSEEN: HostSample = Object.freeze({
  verdict: 'idle',
  utilization: 0,
  heapBytes: 0,
  externalBytes: 0,
  handled: 0,
  silentMs: 0,
  cpuMs: null,
  wantsCpu: null,
});

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
  /** Set while its workers are moving away: nothing more is lent to them, and it is called for one that has inputs and is through with those at the host. */
  onWaiting: ((worker: Worker) => void) | null = null;
  /** Set with the order. */
  killed: Kill | null = null;
  /** Written by the watchdog. */
  sample: HostSample = UNSEEN;
  /** Inputs that it has answered. */
  handled = 0;
  readonly #onKill: (slot: HostSlot) => void;
  /** Inputs that will be sent as soon as the store has their runs. */
  reserved = 0;
  /** To be started with the next batch. */
  pendingStarts: Worker[] = [];

  /** `onKill` is told when its end has been ordered. */
  constructor(host: Host, isolation: Isolation, onKill: (slot: HostSlot) => void) {
    this.host = host;
    this.isolation = isolation;
    this.#onKill = onKill;
  }

  /** It belongs to one worker. */
  get isOwn(): boolean {
    return this.isolation !== 'shared';
  }

  /** The worker that it belongs to, while it is here; none of a shared host. */
  get owner(): Worker | undefined {
    return this.isOwn ? this.workers.find((worker) => worker !== undefined) : undefined;
  }

  /** It has started, and nobody has ordered its end. */
  get isReady(): boolean {
    return this.status === 'ready' && this.killOrder === null;
  }

  /** Whether it may be sent one more input. */
  get hasRoom(): boolean {
    return this.reserved < this.host.window && this.host.hasRoom;
  }

  /** Some of its workers have inputs here. */
  get isBusy(): boolean {
    return this.workers.some((worker) => worker !== undefined && worker.inputs > 0 && worker.mailbox.lent > 0);
  }

  /** A host that is to die takes no more, nor does one that is being recycled, nor one that belongs to a worker. */
  get maxWorkers(): number {
    return this.killOrder === null && this.status !== 'recycling' && !this.isOwn
      ? WORKERS_PER_HOST - this.#lostSlots
      : 0;
  }

  seated(): Worker[] {
    return this.workers.filter((worker) => worker !== undefined);
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

  kill(reason: KillReason, culprits: readonly Worker[]): void {
    if (this.killOrder !== null) return;
    this.killOrder = { reason, culprits, orderedAt: now() };
    this.killed = new Kill(this, this.killOrder);
    this.host.kill(new Error(`killed: ${reason}`));
    // Afterwards: the launch of a replacement takes the main thread a while.
    this.#onKill(this);
  }
}

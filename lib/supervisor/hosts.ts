// The hosts of a runtime: a fixed number of places, each filled again when its host dies. Workers are started in batches,
// one call per host and turn of the loop. Who was on a host that died is told to the lifecycle, which decides what follows.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import type { Host, HostEvents, HostExit, HostFactory, StartedState, WorkerSpec } from '../host/host.ts';
import { WINDOW_PER_HOST, WORKERS_PER_HOST } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import type { Payload } from '../protocol/payload.ts';
import type { HostView } from '../protocol/views.ts';
import { Fifo } from './fifo.ts';
import { place } from './placement.ts';
import type { HostLoad } from './placement.ts';
import { RestTimes } from './rest-times.ts';
import { backoffMs } from './restarts.ts';
import type { Worker } from './worker.ts';

/** Why a host is being killed: kept with it, because its end arrives later and somewhere else. */
export interface KillOrder {
  readonly reason: 'cancel_grace' | 'start_timeout' | 'close';
  readonly culprits: readonly Worker[];
  readonly orderedAtMs: number;
}

/** Where replies and emitted entries go; see HostEvents. */
export interface Inbound {
  reply: HostEvents['reply'];
  emitted(host: HostSlot, workerSlot: number, seq: number, at: number, data: Payload): void;
}

/** What hosts tell of: a started worker, one that could not start, and a death with everybody who was hit. */
export interface HostListener {
  onStarted(worker: Worker, started: StartedState): void;
  onStartFailed(worker: Worker, error: WireError): void;
  onDied(slot: HostSlot, exit: HostExit): void;
}

/** A host and the workers on it. */
export class HostSlot implements HostLoad {
  readonly host: Host;
  readonly workers: (Worker | undefined)[] = [];
  readonly #freeSlots: number[] = [];
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

  constructor(host: Host) {
    this.host = host;
  }

  /** Whether it may be sent one more input. */
  get hasRoom(): boolean {
    return this.reserved < WINDOW_PER_HOST && this.host.hasRoom;
  }

  /** Some of its workers have inputs here. */
  get isBusy(): boolean {
    return this.workers.some((worker) => worker !== undefined && worker.inputs > 0 && worker.mailbox.lent > 0);
  }

  /** A host that is to die takes no more. */
  get maxWorkers(): number {
    return this.killOrder === null ? WORKERS_PER_HOST : 0;
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
    worker.host = null;
    worker.slot = -1;
    worker.presence = 'away';
    worker.isBlocked = false;
  }

  kill(reason: KillOrder['reason'], culprits: readonly Worker[]): void {
    if (this.killOrder !== null) return;
    this.killOrder = { reason, culprits, orderedAtMs: Date.now() };
    this.host.kill(new Error(`killed: ${reason}`));
  }
}

/** Workers that are started with one call: few enough that their first states, whatever they cost, fit into its deadline. */
const START_BATCH = 256;
/** Calls at a host at once, so that it does not idle while the answer to one is looked at (measured: 1.1 times the wakes). */
const START_CALLS = 2;

export class Hosts {
  readonly #factory: HostFactory;
  readonly #inbound: Inbound;
  readonly #listener: HostListener;
  readonly #log: Logger;
  readonly #slots: HostSlot[] = [];
  #launched = 0;
  #failedLaunches = 0;
  #isClosing = false;
  readonly #relaunchTimers = new Set<NodeJS.Timeout>();
  /** Workers that wait because every host is dead or full. */
  #homeless: Worker[] = [];

  constructor(factory: HostFactory, inbound: Inbound, listener: HostListener, log: Logger) {
    this.#factory = factory;
    this.#inbound = inbound;
    this.#listener = listener;
    this.#log = log;
  }

  /** Rejects with the cause if a host cannot start. */
  async open(count: number): Promise<void> {
    for (let n = 0; n < count; n++) this.#launch();
    try {
      await Promise.all(this.#slots.map((slot) => slot.host.ready));
    } catch (cause) {
      await this.close();
      throw cause;
    }
  }

  /** Gives the worker a host and has it started there; the listener hears how it went. */
  start(worker: Worker): void {
    const slot = this.#slots[place(this.#slots)];
    if (slot === undefined) {
      this.#homeless.push(worker);
      return;
    }
    slot.seat(worker);
    if (slot.pendingStarts.push(worker) === 1) setImmediate(() => void this.#startPending(slot));
  }

  /** A host to do something that any of them can do. Throws `runtime_unavailable`. */
  any(): Host {
    const slot = this.#slots.find((candidate) => candidate.status === 'ready' && candidate.killOrder === null);
    if (slot === undefined) throw GreenroomError.of('runtime_unavailable', { message: 'No host is ready.' });
    return slot.host;
  }

  get slots(): readonly HostSlot[] {
    return this.#slots;
  }

  async views(): Promise<HostView[]> {
    return Promise.all(
      this.#slots.map(async ({ host, status, workerCount }) => ({
        hostId: host.hostId,
        status,
        workers: workerCount,
        ...(await host.stats()),
      })),
    );
  }

  /** Ends all hosts: those in order whose workers have stopped, the others hard. Returns how many had to be killed. */
  async close(): Promise<number> {
    this.#isClosing = true;
    for (const timer of this.#relaunchTimers) clearTimeout(timer);
    let killed = 0;
    await Promise.all(
      this.#slots.map(async (slot) => {
        // In an orderly end, what waits behind a running input would begin, and could not tell.
        if (!slot.isBusy && (await isClosed(slot))) return;
        slot.kill('close', []);
        killed++;
        await slot.host.exited;
      }),
    );
    await this.#factory.close();
    return killed;
  }

  #launch(): void {
    const inbound = this.#inbound;
    const host = this.#factory.launch(`host-${++this.#launched}`, {
      reply: (ticket, code, startedAt, endedAt, body, state) =>
        inbound.reply(ticket, code, startedAt, endedAt, body, state),
      emitted: (workerSlot, seq, at, data) => inbound.emitted(slot, workerSlot, seq, at, data),
    });
    const slot = new HostSlot(host);
    this.#slots.push(slot);
    host.ready.then(
      () => {
        this.#failedLaunches = 0;
        slot.status = 'ready';
      },
      (cause: unknown) => {
        this.#failedLaunches++;
        this.#log.error({ host_id: host.hostId, ...describeError(cause) }, 'host did not start');
        slot.kill('start_timeout', []);
      },
    );
    void host.exited.then((exit) => this.#onExit(slot, exit));
    // Not those that were stopped while they waited.
    for (const worker of this.#homeless.splice(0)) if (worker.isStarting) this.start(worker);
  }

  #onExit(slot: HostSlot, exit: HostExit): void {
    slot.status = 'dead';
    this.#slots.splice(this.#slots.indexOf(slot), 1);
    // Whoever closes settles what was there.
    if (this.#isClosing && (exit.type === 'closed' || slot.killOrder?.reason === 'close')) return;
    // The replacement first, so that the workers of the dead host have somewhere to go.
    if (!this.#isClosing) this.#relaunch();
    this.#listener.onDied(slot, exit);
  }

  #relaunch(): void {
    if (this.#failedLaunches === 0) {
      this.#launch();
      return;
    }
    const timer = setTimeout(
      () => {
        this.#relaunchTimers.delete(timer);
        this.#launch();
      },
      backoffMs(this.#failedLaunches + 1),
    );
    this.#relaunchTimers.add(timer);
  }

  async #startPending(slot: HostSlot): Promise<void> {
    try {
      await slot.host.ready;
    } catch {
      // Its death reaches all who were to start there.
      return;
    }
    const pending = slot.pendingStarts;
    slot.pendingStarts = [];
    let next = 0;
    const startInTurn = async (): Promise<void> => {
      while (next < pending.length) await this.#startBatch(slot, pending.slice(next, (next += START_BATCH)));
    };
    await Promise.all(Array.from({ length: START_CALLS }, startInTurn));
  }

  async #startBatch(slot: HostSlot, batch: readonly Worker[]): Promise<void> {
    // Some may have been stopped, and have left, while the host was starting.
    const workers = batch.filter((worker) => worker.host === slot);
    if (workers.length === 0) return;
    try {
      const results = await slot.host.startWorkers(workers.map(specOf));
      workers.forEach((worker, at) => {
        const result = results[at];
        if (result === undefined || worker.host !== slot) return;
        if ('error' in result) this.#listener.onStartFailed(worker, result.error);
        else this.#listener.onStarted(worker, result);
      });
    } catch (cause) {
      // Its death reaches all who were to start there.
      if (asGreenroomError(cause).code === 'host_lost') return;
      this.#log.error({ host_id: slot.host.hostId, ...describeError(cause) }, 'host did not start its workers in time');
      // Whoever is on the stack, or all that were starting: the death will tell.
      slot.kill('start_timeout', []);
    }
  }
}

/** False if it did not answer, or died meanwhile. */
async function isClosed({ host }: HostSlot): Promise<boolean> {
  try {
    await host.close();
    return true;
  } catch {
    return false;
  }
}

function specOf(worker: Worker): WorkerSpec {
  const { slot, workerId, config, state } = worker;
  return { slot, workerId, module: worker.actor.module, config, state, stateVersion: worker.store.stateVersion };
}

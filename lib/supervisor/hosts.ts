// The hosts of a runtime: a fixed number of shared ones, each replaced when it dies, and those that belong to one worker each, which come
// and go with it. Workers are started in batches, one call per host and turn of the loop. Who was on a host that died is told to the lifecycle, which decides what follows.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import type { Crash, Host, HostEvents, HostExit, HostFactory, StartedState, WorkerSpec } from '../host/host.ts';
import { DEAD_HOSTS_KEPT, KILL_DEADLINE_MS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { epochNow } from '../protocol/clock.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { HostDetail, HostView, Isolation } from '../protocol/views.ts';
import { hostDetail, hostView } from './certificates.ts';
import { HostSlot } from './host-slot.ts';
import { place } from './placement.ts';
import { backoffMs } from './restarts.ts';
import { Watchdog } from './watchdog.ts';
import type { Worker } from './worker.ts';

/** Where replies and emitted entries go; see HostEvents. */
export interface Inbound {
  reply: HostEvents['reply'];
  emitted(host: HostSlot, workerSlot: number, seq: number, at: number, data: Payload): void;
  /** See HostEvents. */
  dropped(host: HostSlot): void;
}

/** What hosts tell of: a started worker, one that could not start, and a death with everybody who was hit. */
export interface HostListener {
  onStarted(worker: Worker, started: StartedState): void;
  onStartFailed(worker: Worker, error: WireError): void;
  onDied(slot: HostSlot, exit: HostExit): void;
  /** Only that worker. */
  onCrashed(slot: HostSlot, worker: Worker, crash: Crash): void;
}

/** Workers that are started with one call: few enough that their first states, whatever they cost, fit into its deadline. */
const START_BATCH = 256;
/** Calls at a host at once, so that it does not idle while the answer to one is looked at (measured: 1.1 times the wakes). */
const START_CALLS = 2;

export interface HostsParts {
  readonly factory: HostFactory;
  readonly inbound: Inbound;
  readonly listener: HostListener;
  readonly limits: Limits;
  readonly log: Logger;
  readonly wheel: Wheel;
}

export class Hosts {
  readonly #factory: HostFactory;
  readonly #inbound: Inbound;
  readonly #listener: HostListener;
  readonly #log: Logger;
  readonly #wheel: Wheel;
  readonly #maxOwn: number;
  /** Shared hosts that there are to be. */
  #wanted = 0;
  /** Hosts that wait for the worker whose own host is being recycled. */
  readonly #spares = new Map<Worker, HostSlot>();
  readonly #slots: HostSlot[] = [];
  /** Killed, taken for dead, and not ended: native code that does not return. */
  readonly #quarantined = new Set<HostSlot>();
  /** The last ones that have ended, the oldest first. */
  readonly #gone = new Map<string, HostDetail>();
  #ownCount = 0;
  #launched = 0;
  #failedLaunches = 0;
  #isClosing = false;
  readonly #watchdog: Watchdog;
  readonly #relaunchTimers = new Set<WheelTimer>();
  /** Workers that wait because every host is dead or full. */
  #homeless: Worker[] = [];

  constructor({ factory, inbound, listener, limits, log, wheel }: HostsParts) {
    this.#factory = factory;
    this.#inbound = inbound;
    this.#listener = listener;
    this.#log = log;
    this.#wheel = wheel;
    this.#maxOwn = limits.maxOwnHosts;
    this.#watchdog = new Watchdog({ wheel, log, stuckAfterMs: limits.stuckAfterMs, slots: () => this.#slots });
  }

  /** Rejects with the cause if a host cannot start. */
  async open(count: number): Promise<void> {
    this.#wanted = count;
    for (let n = 0; n < count; n++) this.#launch('shared');
    try {
      await Promise.all(this.#slots.map((slot) => slot.host.ready));
    } catch (cause) {
      await this.close();
      throw cause;
    }
  }

  /** Gives the worker a host and has it started there; the listener hears how it went. */
  start(worker: Worker): void {
    const slot = worker.isolation === 'shared' ? this.#slots[place(this.#slots)] : this.#ownHost(worker);
    if (slot === undefined) {
      this.#homeless.push(worker);
      // How long that takes is up to other workers: whoever has created it is not held up.
      if (worker.isolation !== 'shared') setImmediate(() => worker.settleStart());
      return;
    }
    slot.seat(worker);
    if (slot.pendingStarts.push(worker) === 1) setImmediate(() => void this.#startPending(slot));
  }

  /** Workers that wait for a host of their own. */
  get countWaiting(): number {
    return this.#homeless.filter(({ isStarting, isolation }) => isStarting && isolation !== 'shared').length;
  }

  /** Undefined while there are as many as there may be. */
  #ownHost(worker: Worker): HostSlot | undefined {
    const spare = this.#spares.get(worker);
    this.#spares.delete(worker);
    if (spare?.isolation === worker.isolation && spare.isReady) return spare;
    if (spare !== undefined) this.onLeft(spare);
    if (this.#ownCount >= this.#maxOwn) return undefined;
    return this.#launch(worker.isolation);
  }

  /**
   * A host of the same kind, ready to take the place of one that is to be recycled; one of a single worker waits for that one, whatever
   * the bound of such hosts. Rejects with the cause if it cannot start.
   */
  async launchSpare(slot: HostSlot): Promise<HostSlot> {
    const worker = slot.owner;
    const spare = this.#launch(slot.isolation);
    await spare.host.ready;
    if (worker !== undefined) this.#spares.set(worker, spare);
    return spare;
  }

  /** The worker that a host was waiting for does not come any more, or has come. */
  releaseSpare(spare: HostSlot): void {
    for (const [worker, slot] of this.#spares) if (slot === spare) this.#spares.delete(worker);
    this.onLeft(spare);
  }

  /** A worker has left a host in an orderly way. One that was its own ends with that. */
  onLeft(slot: HostSlot): void {
    if (!slot.isOwn || slot.workerCount > 0 || slot.killOrder !== null || slot.status === 'dead') return;
    void this.end(slot);
  }

  /** Closes a host without workers. */
  async end(slot: HostSlot): Promise<void> {
    if (await isClosed(slot)) return;
    slot.kill('close', []);
  }

  /** A host to do something that any of them can do. Throws `runtime_unavailable`. */
  any(): Host {
    const slot = this.#slots.find(({ isOwn, isReady }) => !isOwn && isReady);
    if (slot === undefined) throw GreenroomError.of('runtime_unavailable', { message: 'No host is ready.' });
    return slot.host;
  }

  get slots(): readonly HostSlot[] {
    return this.#slots;
  }

  /** Workers that share a host have one, or get one soon. False when none could be launched: so many threads do not end that none is left. */
  get hasShared(): boolean {
    return this.#slots.some(({ isOwn }) => !isOwn);
  }

  /** Some host does not end, or gives no sign of life: native code in a thread keeps a process from ending. */
  get isHeldUp(): boolean {
    return this.#quarantined.size > 0 || this.#slots.some(({ sample }) => sample.silentMs > 0);
  }

  /** Those that live, and those that were killed and do not end. */
  views(): HostView[] {
    return [...this.#slots, ...this.#quarantined].map(hostView);
  }

  /** Of a host that lives, is quarantined, or is one of the last that have ended. */
  detail(hostId: string): HostDetail | undefined {
    const slot = [...this.#slots, ...this.#quarantined].find((candidate) => candidate.host.hostId === hostId);
    return slot === undefined ? this.#gone.get(hostId) : hostDetail(slot, null);
  }

  /** Ends all hosts: those in order whose workers have stopped, the others hard. Returns how many had to be killed. */
  async close(): Promise<number> {
    this.#isClosing = true;
    this.#watchdog.stop();
    for (const timer of this.#relaunchTimers) timer.cancel();
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

  #launch(isolation: Isolation): HostSlot {
    const inbound = this.#inbound;
    const hostId = `host-${++this.#launched}`;
    const host = this.#factory.launch(
      { hostId, isolation },
      {
        reply: (ticket, code, startedAt, endedAt, body, state) => {
          slot.handled++;
          inbound.reply(ticket, code, startedAt, endedAt, body, state);
        },
        emitted: (workerSlot, seq, at, data) => inbound.emitted(slot, workerSlot, seq, at, data),
        broken: () => slot.kill('link_fault', []),
        crashed: (workerSlot, crash) => this.#onCrashed(slot, workerSlot, crash),
        dropped: () => inbound.dropped(slot),
        logged: ({ level, fields, message }) => this.#log[level](fields, message),
      },
    );
    const slot = new HostSlot(host, isolation, () => this.#onKill(slot));
    this.#slots.push(slot);
    if (slot.isOwn) this.#ownCount++;
    host.ready.then(
      () => {
        this.#failedLaunches = 0;
        if (slot.status === 'starting') slot.status = 'ready';
      },
      (cause: unknown) => {
        this.#failedLaunches++;
        this.#log.error({ host_id: host.hostId, ...describeError(cause) }, 'host did not start');
        slot.kill('start_timeout', []);
      },
    );
    void host.exited.then((exit) => this.#onExit(slot, exit));
    void host.ended.then(() => this.#onEnded(slot));
    if (isolation === 'shared') this.#houseAll();
    return slot;
  }

  /** There may be room for those that wait. */
  #houseAll(): void {
    // Not those that were stopped while they waited; one that is to run its inputs before it stops needs a host.
    for (const worker of this.#homeless.splice(0))
      if (worker.isStarting || worker.status === 'stopping') this.start(worker);
  }

  /** One that does not end in time is taken for dead: its workers go on elsewhere, and nothing waits for it. */
  #onKill(slot: HostSlot): void {
    const deadline = this.#wheel.after(KILL_DEADLINE_MS, () => this.#quarantine(slot));
    void slot.host.ended.then(() => deadline.cancel());
    // It takes the longest of all that follows, so it begins first: who is on this host has somewhere to go when it has ended.
    if (!this.#isClosing && !slot.isOwn && this.#isShort) this.#relaunch();
  }

  #quarantine(slot: HostSlot): void {
    if (slot.status === 'dead') return;
    slot.status = 'quarantined';
    slot.killed?.onQuarantined();
    this.#quarantined.add(slot);
    this.#log.error(
      { host_id: slot.host.hostId, quarantined_hosts: this.#quarantined.size },
      'host quarantined: it was killed and does not end',
    );
    slot.host.cutOff();
  }

  /** Nothing of it runs any more. */
  #onEnded(slot: HostSlot): void {
    const wasQuarantined = this.#quarantined.delete(slot);
    if (wasQuarantined) {
      slot.killed?.onEnded();
      const tookMs = slot.killed?.certificate.tookMs;
      this.#log.warn({ host_id: slot.host.hostId, took_ms: tookMs }, 'quarantined host has ended');
    }
    slot.status = 'dead';
    this.#gone.set(slot.host.hostId, hostDetail(slot, epochNow()));
    for (const hostId of this.#gone.keys()) {
      if (this.#gone.size <= DEAD_HOSTS_KEPT) break;
      this.#gone.delete(hostId);
    }
  }

  #onExit(slot: HostSlot, exit: HostExit): void {
    if (slot.status !== 'quarantined') {
      slot.status = 'dead';
      slot.killed?.onEnded();
    }
    this.#slots.splice(this.#slots.indexOf(slot), 1);
    if (slot.isOwn) this.#ownCount--;
    // Whoever closes settles what was there.
    if (this.#isClosing && (exit.type === 'closed' || slot.killOrder?.reason === 'close')) return;
    // The replacement first, so that the workers of the dead host have somewhere to go.
    if (!this.#isClosing && !slot.isOwn && this.#isShort) this.#relaunch();
    this.#listener.onDied(slot, exit);
    if (!this.#isClosing && slot.isOwn) this.#houseAll();
  }

  #onCrashed(slot: HostSlot, workerSlot: number, crash: Crash): void {
    const worker = slot.workers[workerSlot];
    // It may have stopped meanwhile, as far as anybody here knows.
    if (worker !== undefined) this.#listener.onCrashed(slot, worker, crash);
  }

  /** One that is being recycled has its successor already; one that was killed gets it. */
  get #isShort(): boolean {
    const isNeeded = ({ isOwn, status, killOrder }: HostSlot): boolean =>
      !isOwn && status !== 'recycling' && killOrder === null;
    const shared = this.#slots.filter(isNeeded);
    return shared.length + this.#relaunchTimers.size < this.#wanted;
  }

  #relaunch(): void {
    if (this.#failedLaunches === 0) {
      this.#launch('shared');
      return;
    }
    const timer = this.#wheel.after(backoffMs(this.#failedLaunches + 1), () => {
      this.#relaunchTimers.delete(timer);
      this.#launch('shared');
    });
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
      const specs = workers.map(specOf);
      const results = await slot.host.startWorkers(specs);
      workers.forEach((worker, at) => {
        const result = results[at];
        // One that has crashed since may have got another place here.
        if (result === undefined || worker.host !== slot || worker.slot !== specs[at]?.slot) return;
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
  return { slot, workerId, module: worker.actor.module, config, state, stateVersion: worker.store.givenVersion };
}

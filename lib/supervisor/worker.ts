// The live record of one worker. Data and views only: what happens to it is decided by the lifecycle (its status, its host)
// and by the delivery (its inputs).

import { performance } from 'node:perf_hooks';
import type { WireError } from '../errors.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { StopAck, WorkerStatus, WorkerSummary, WorkerView } from '../protocol/views.ts';
import type { WorkerStore } from '../store/store.ts';
import type { Actor } from './catalog.ts';
import type { HostSlot } from './hosts.ts';
import type { InputOwner, InputRecord } from './input.ts';
import { Mailbox } from './mailbox.ts';
import { nextStatus } from './states.ts';
import type { WorkerEvent } from './states.ts';

/** A stop that was asked for; the first one counts, later ones get its acknowledgement. */
export interface Stopping {
  readonly drain: boolean;
  readonly reason: string | null;
  /** Inputs that ended otherwise than cancelled, and that were cancelled, since then. */
  drained: number;
  cancelled: number;
  refused: number;
  readonly ack: Promise<StopAck>;
  readonly resolve: (ack: StopAck) => void;
  timer: NodeJS.Timeout | null;
  isUnloading: boolean;
}

export class Worker implements InputOwner {
  readonly workerId: string;
  readonly actor: Actor;
  readonly displayName: string | null;
  readonly config: Payload;
  readonly createdAtMs: number;
  readonly store: WorkerStore;
  readonly mailbox: Mailbox<InputRecord>;

  readonly #inputIdPrefix: string;
  #status: WorkerStatus = 'starting';
  /** Where it lives; null while it has no host. */
  host: HostSlot | null = null;
  slot = -1;
  /** Its host has loaded it and takes inputs. */
  isLoaded = false;
  /** In line for a place in its host's window. */
  isBlocked = false;

  restarts = 0;
  /** Deaths that it may have caused, within the restart window; performance.now(). */
  deathsMs: readonly number[] = [];
  failure: WireError | null = null;
  restartTimer: NodeJS.Timeout | null = null;
  stopping: Stopping | null = null;
  /** Called once when the start at hand has succeeded or failed. */
  #startListeners: (() => void)[] = [];

  /** Inputs by idempotency key; made with the first key. */
  keys: Map<string, InputRecord> | null = null;
  /** Timers of `ctx.after`; made with the first one. */
  timers: Set<NodeJS.Timeout> | null = null;
  /** Moving average of how long an input runs. Unknown counts as slow: credits are lent to those who have shown that they are quick. */
  serviceMs = 1;

  constructor(actor: Actor, store: WorkerStore, inputIdPrefix: string) {
    const record = store.load();
    this.workerId = record.workerId;
    this.actor = actor;
    this.displayName = record.displayName;
    this.config = record.config;
    this.createdAtMs = record.createdAtMs;
    this.store = store;
    this.#inputIdPrefix = inputIdPrefix;
    this.mailbox = new Mailbox(actor.mailbox);
  }

  get kind(): string {
    return this.actor.kind;
  }

  inputId(seq: number): string {
    return this.#inputIdPrefix + String(seq);
  }

  get status(): WorkerStatus {
    return this.#status;
  }

  apply(event: WorkerEvent): void {
    this.#status = nextStatus(this.#status, event);
  }

  /** It is to be given a host, or has one that is loading it. */
  get isStarting(): boolean {
    return this.#status === 'starting' || this.#status === 'restarting';
  }

  /** Inputs may be handed to its host. */
  get takesInputs(): boolean {
    return this.isLoaded && (this.#status !== 'stopping' || this.stopping?.drain === true);
  }

  get state(): Payload | null {
    return this.store.load().state;
  }

  saveState(state: Payload): void {
    this.store.save({ ...this.store.load(), state });
  }

  /** Resolves when the start (or restart) at hand has ended either way; at once if there is none. */
  startSettled(): Promise<void> {
    if (this.#status !== 'starting') return Promise.resolve();
    return new Promise((resolve) => this.#startListeners.push(resolve));
  }

  /** Calls the listener once the start or restart at hand has ended either way; never if there is none. */
  onStartSettled(listener: () => void): void {
    if (this.isStarting) this.#startListeners.push(listener);
  }

  settleStart(): void {
    const listeners = this.#startListeners;
    this.#startListeners = [];
    for (const listener of listeners) listener();
  }

  clearTimers(): void {
    if (this.restartTimer !== null) clearTimeout(this.restartTimer);
    this.restartTimer = null;
    for (const timer of this.timers ?? []) clearTimeout(timer);
    this.timers = null;
  }

  summary(): WorkerSummary {
    const { workerId, kind, displayName, status, mailbox } = this;
    return {
      workerId,
      kind,
      displayName,
      status,
      createdAt: new Date(this.createdAtMs).toISOString(),
      mailbox: { messages: mailbox.messages, bytes: mailbox.bytes },
    };
  }

  view(): WorkerView {
    const running = this.runningInput();
    return {
      ...this.summary(),
      config: decode(this.config),
      hostId: this.host?.host.hostId ?? null,
      restarts: this.restarts,
      running: running && {
        inputId: running.inputId,
        ageMs: Date.now() - running.acceptedAtMs,
        attempt: running.attempt,
      },
      failure: this.failure,
      lastSequence: this.store.lastSequence,
    };
  }

  /** The input at the head of the line, once its host has it. */
  runningInput(): InputRecord | null {
    const { first } = this.mailbox;
    return first?.isLent === true ? first : null;
  }

  /** Whether the handler has been entered for an input that is at the host. Looks at shared memory, so it answers while the host is stuck, and after its death. */
  hasStarted(record: InputRecord): boolean {
    return this.host !== null && this.host.host.lastStarted(this.slot) === (record.seq | 0);
  }

  /** The death counts against it: it may have been the cause. */
  chargeDeath(recent: (deathsMs: readonly number[], nowMs: number) => number[]): void {
    const nowMs = performance.now();
    this.deathsMs = [...recent(this.deathsMs, nowMs), nowMs];
  }
}

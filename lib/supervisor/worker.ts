// The live record of one worker. Data and views only: what happens to it is decided by the lifecycle (its status, its host)
// and by the delivery (its inputs). There may be a million of them, so one that is idle is a few words: its mailbox is made
// with its first input, and what only a worker with a history has is in an object of its own.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { epochNow } from '../protocol/clock.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Isolation, PeerSummary, WorkerStatus, WorkerSummary, WorkerView } from '../protocol/views.ts';
import type { WheelTimer } from '../protocol/wheel.ts';
import type { Rest, StoredSummary, WorkerStore } from '../store/store.ts';
import type { Actor } from './catalog.ts';
import type { HostSlot } from './host-slot.ts';
import type { InputOwner, InputRecord } from './input.ts';
import { Mailbox } from './mailbox.ts';
import { higherTier } from './promotion.ts';
import { chainOf, deathViews } from './restarts.ts';
import type { PastDeath } from './restarts.ts';
import { nextStatus } from './states.ts';
import type { WorkerEvent } from './states.ts';
import type { Stopping } from './stopping.ts';

/** What most workers never have. As fields of its own these were 32 of the 390 bytes of an idle worker. */
interface History {
  restarts: number;
  deaths: readonly PastDeath[];
  failure: WireError | null;
  restartTimer: WheelTimer | null;
}

export class Worker implements InputOwner {
  readonly workerId: string;
  readonly actor: Actor;
  readonly store: WorkerStore;
  #mailbox: Mailbox<InputRecord> | null = null;
  #history: History | null = null;

  readonly #inputIdPrefix: string;
  #status: WorkerStatus;
  /** Where it lives; null while it has no host. */
  host: HostSlot | null = null;
  slot = -1;
  /** `here`: its host has loaded it and takes inputs. `renewing`: it gets no more of them, and starts again when those that it has have ended. `leaving`: its host is putting it away; it will be hibernated, or start on another one. */
  presence: 'away' | 'here' | 'renewing' | 'leaving' = 'away';
  /** In line for a place in its host's window. */
  isBlocked = false;
  stopping: Stopping | null = null;
  /** Inputs by idempotency key; made with the first key. */
  keys: Map<string, InputRecord> | null = null;
  /** Called once when the start at hand has succeeded or failed. */
  #startListeners: (() => void)[] | null = null;

  /** Counting it among its actor's workers is the caller's. */
  constructor(actor: Actor, store: WorkerStore, status: 'starting' | Rest, inputIdPrefix: string) {
    this.workerId = store.workerId;
    this.actor = actor;
    this.store = store;
    this.#inputIdPrefix = inputIdPrefix;
    this.#status = status;
    if (store.failure !== null) this.failure = store.failure;
  }

  get kind(): string {
    return this.actor.kind;
  }

  /** Throws `actor_not_found`, or `store_corrupt` if there is nothing that could be started. */
  requireActor(): void {
    if (this.failure?.code === 'store_corrupt') throw GreenroomError.of('store_corrupt');
    if (!this.actor.isMissing) return;
    throw GreenroomError.of('actor_not_found', {
      message: `This runtime has no actor of kind ${this.kind.slice(0, 128)}.`,
    });
  }

  inputId(seq: number): string {
    return this.#inputIdPrefix + String(seq);
  }

  /** What it runs on. */
  get isolation(): Isolation {
    const { isolation } = this.store;
    return isolation === null ? this.actor.isolation : higherTier(isolation, this.actor.isolation);
  }

  /** The worker that created it; null if it came from outside. */
  get parentId(): string | null {
    return this.store.parentId;
  }

  get displayName(): string | null {
    return this.store.displayName;
  }

  get config(): Payload {
    return this.store.config;
  }

  get state(): Payload | null {
    return this.store.givenState;
  }

  /** Of the version that its host has brought it to when it started. */
  saveState(state: Payload): void {
    this.store.saveState(state, this.store.givenVersion);
  }

  get mailbox(): Mailbox<InputRecord> {
    return (this.#mailbox ??= new Mailbox(this.actor.mailbox));
  }

  /** Inputs that have no outcome yet. */
  get inputs(): number {
    return this.#mailbox === null ? 0 : this.#mailbox.size;
  }

  /** Inputs that were accepted, or are about to be, and of whose end nobody has been told: the store may not have it yet. */
  get unsettled(): number {
    return this.#mailbox === null ? 0 : this.#mailbox.unsettled;
  }

  /** The newest of them. */
  get lastInput(): InputRecord | undefined {
    return this.#mailbox?.last ?? undefined;
  }

  /** Some are at its host, or about to be sent. Those that it has given back count as lent in the mailbox until that is recalled. */
  get hasLentInputs(): boolean {
    if (this.#mailbox !== null) for (const record of this.#mailbox.lentMessages()) if (record.isLent) return true;
    return false;
  }

  /** Those that are at its host, first to last. */
  *sentInputs(): Generator<InputRecord> {
    if (this.#mailbox !== null) for (const record of this.#mailbox.lentMessages()) if (record.isSent) yield record;
  }

  sentInput(seq: number): InputRecord | undefined {
    for (const record of this.sentInputs()) if (record.seq === seq) return record;
    return undefined;
  }

  /** It has an input of that number without an outcome. */
  hasInput(seq: number): boolean {
    if (this.#mailbox !== null) for (const record of this.#mailbox.allMessages()) if (record.seq === seq) return true;
    return false;
  }

  /** Moving average of how long an input runs. Kept with the mailbox: as a field it would cost every idle worker 24 bytes. */
  get serviceMs(): number {
    return this.mailbox.serviceMs;
  }

  set serviceMs(serviceMs: number) {
    this.mailbox.serviceMs = serviceMs;
  }

  // --- status ---

  get status(): WorkerStatus {
    return this.#status;
  }

  apply(event: WorkerEvent): void {
    const next = nextStatus(this.#status, event);
    if (next === this.#status) return;
    this.actor.population.move(this.#status, next);
    this.#status = next;
  }

  /** It is to be given a host, or has one that is loading it. */
  get isStarting(): boolean {
    return this.#status === 'starting' || this.#status === 'restarting';
  }

  /** On its host, with nothing to do. */
  get isIdle(): boolean {
    return this.#status === 'idle' && this.isLoaded && this.inputs === 0;
  }

  /** Its host has loaded it and has none of its inputs: it can leave, whatever waits. */
  get isBetweenInputs(): boolean {
    const isQuiet = this.#status === 'idle' || this.#status === 'running';
    return isQuiet && this.isLoaded && (this.#mailbox === null || this.#mailbox.lent === 0);
  }

  /** It runs nothing and would run an input now, or as soon as it is awake. */
  get isAtRest(): boolean {
    return this.#status === 'idle' || this.#status === 'hibernated';
  }

  /** Nothing is left to do for it, since `at` (clock of the runtime). */
  disengage(at: number): void {
    this.apply('disengaged');
    this.idleSince(at);
  }

  /** From then on it counts as idle. */
  idleSince(at: number): void {
    this.host?.restTimes.set(this.slot, at, this.actor.idleAfterMs);
  }

  /** On no host, with nothing under way or pending: all that is known of it is in the store, or given to it. */
  get isDormant(): boolean {
    const isResting = this.#status === 'hibernated' || this.#status === 'stopped' || this.#status === 'failed';
    const isQuiet = this.host === null && this.unsettled === 0 && this.#startListeners === null;
    return isResting && isQuiet && this.store.isSettled;
  }

  /** Its host has loaded it and takes inputs. */
  get isLoaded(): boolean {
    return this.presence === 'here';
  }

  /** Inputs may be handed to its host. */
  get takesInputs(): boolean {
    return this.isLoaded && (this.#status !== 'stopping' || this.stopping?.drain === true);
  }

  /** Resolves when the start (or restart) at hand has ended either way; at once if there is none. */
  startSettled(): Promise<void> {
    if (this.#status !== 'starting') return Promise.resolve();
    return new Promise((resolve) => (this.#startListeners ??= []).push(resolve));
  }

  /** Calls the listener once the start or restart at hand has ended either way; never if there is none. */
  onStartSettled(listener: () => void): void {
    if (this.isStarting) (this.#startListeners ??= []).push(listener);
  }

  settleStart(): void {
    const listeners = this.#startListeners;
    if (listeners === null) return;
    this.#startListeners = null;
    for (const listener of listeners) listener();
  }

  // --- what only some have ---

  /** Times that it came back after a host died. */
  get restarts(): number {
    return this.#history?.restarts ?? 0;
  }

  set restarts(restarts: number) {
    this.#needHistory().restarts = restarts;
  }

  /** Deaths that were held against it, as far as they still matter; the oldest first. */
  get deaths(): readonly PastDeath[] {
    return this.#history?.deaths ?? [];
  }

  set deaths(deaths: readonly PastDeath[]) {
    this.#needHistory().deaths = deaths;
  }

  /** Why its last start or host failed; null once it is up again. */
  get failure(): WireError | null {
    return this.#history?.failure ?? null;
  }

  set failure(failure: WireError) {
    this.#needHistory().failure = failure;
  }

  set restartTimer(timer: WheelTimer | null) {
    this.#needHistory().restartTimer = timer;
  }

  /** It is up again. */
  forgetFailure(): void {
    if (this.#history !== null) this.#history.failure = null;
  }

  forgetDeaths(): void {
    if (this.#history !== null) this.#history.deaths = [];
  }

  /** A restart that is to come does not. */
  clearRestart(): void {
    if (this.#history === null) return;
    this.#history.restartTimer?.cancel();
    this.#history.restartTimer = null;
  }

  #needHistory(): History {
    return (this.#history ??= { restarts: 0, deaths: [], failure: null, restartTimer: null });
  }

  // --- views ---

  summary(): WorkerSummary {
    const mailbox = { messages: this.#mailbox?.messages ?? 0, bytes: this.#mailbox?.bytes ?? 0 };
    return summaryOf(this.store, this.#status, mailbox);
  }

  view(): Omit<WorkerView, 'awake'> {
    const running = this.runningInput();
    return {
      ...this.summary(),
      config: decode(this.config),
      hostId: this.host?.host.hostId ?? null,
      isolation: this.isolation,
      parentId: this.parentId,
      restarts: this.restarts,
      running: running && {
        inputId: running.inputId,
        ageMs: epochNow() - running.acceptedAtMs,
        attempt: running.attempt,
      },
      failure: this.failure,
      deaths: this.deaths.length > 0 ? deathViews(this.deaths) : chainOf(this.failure),
      firstSequence: this.store.firstSequence,
      lastSequence: this.store.lastSequence,
    };
  }

  /** The input at the head of the line, once its host has it. */
  runningInput(): InputRecord | null {
    const first = this.#mailbox?.first;
    return first?.isSent === true ? first : null;
  }

  /** When the handler was entered for an input that is at the host, on the clock of the runtime; 0 if it was not. */
  startedAt(record: InputRecord): number {
    return this.host !== null && this.hasStarted(record) ? this.host.host.startedAt(this.slot) : 0;
  }

  /** The same once its handler has been entered. */
  startedInput(): InputRecord | null {
    const running = this.runningInput();
    return running !== null && this.hasStarted(running) ? running : null;
  }

  /** Whether the handler has been entered for an input that is at the host. Looks at shared memory, so it answers while the host is stuck, and after its death. */
  hasStarted(record: InputRecord): boolean {
    return this.host !== null && this.host.host.lastStarted(this.slot) === (record.seq | 0);
  }
}

/** Of a worker, loaded or not. */
export function summaryOf(
  { workerId, kind, displayName, createdAtMs }: Omit<StoredSummary, 'rest' | 'waiting'>,
  status: WorkerStatus,
  mailbox: WorkerSummary['mailbox'],
): WorkerSummary {
  const createdAt = new Date(createdAtMs).toISOString();
  return { workerId, origin: 'actor', kind, displayName, status, createdAt, mailbox };
}

/** As a listing has it. */
export function listed(one: Worker | StoredSummary | PeerSummary): WorkerSummary | PeerSummary {
  if (one instanceof Worker) return one.summary();
  return 'rest' in one ? summaryOf(one, one.rest, one.waiting) : one;
}

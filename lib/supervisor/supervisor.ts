// The supervisor: every command on workers, in one place, for the embedded API and the REST routes alike.
//
//   routes / embedded API
//        │ create deliver cancel stop restore delete …
//        ▼
//   Supervisor ── looks up the state table, the directory and the catalog, then asks
//        ├─▶ Lifecycle   start, death, restart, stop        ─▶ Hosts ─▶ a host per thread
//        └─▶ Delivery    mailbox, credits, outcomes, receipts ─────────▶ the same hosts
//
// It runs on the main thread and never runs user code: of an actor it uses only the schemas.

import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { Peers } from '../functions/peers.ts';
import type { HostFactory } from '../host/host.ts';
import type { Logger } from '../observe/log.ts';
import { monotonicMs } from '../protocol/clock.ts';
import type {
  ActorView,
  CancelAck,
  CloseReport,
  PeerSummary,
  PeerView,
  RuntimeView,
  StopAck,
  WorkerSummary,
  WorkerView,
} from '../protocol/views.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { Store, WorkerStore } from '../store/store.ts';
import type { Catalog } from './catalog.ts';
import { Admission } from './admission.ts';
import { CallChains } from './call-chains.ts';
import { Closing } from './closing.ts';
import { Creation } from './creation.ts';
import type { Created, CreateRequest } from './creation.ts';
import { DeadLetters } from './dead-letters.ts';
import { Delivery } from './delivery.ts';
import type { DeliverOptions } from './delivery.ts';
import { Directory } from './directory.ts';
import type { ListQuery } from './directory.ts';
import { Families } from './families.ts';
import { Hosts } from './hosts.ts';
import type { InputInfo, InputRecord } from './input.ts';
import { Lifecycle } from './lifecycle.ts';
import type { LifecycleEvents } from './lifecycle.ts';
import type { RoomListener } from './room.ts';
import { COMMANDS, requireEffect } from './states.ts';
import type { CancelRequest, Identity, SupervisorOptions } from './options.ts';
import { Recovery } from './recovery.ts';
import { Residence } from './residence.ts';
import { Telling } from './telling.ts';
import { readTranscript } from './transcripts.ts';
import type { EncodedPage, TranscriptRequest } from './transcripts.ts';
import type { StopRequest } from './stopping.ts';
import { listed, Worker } from './worker.ts';

export class Supervisor {
  readonly limits: Limits;
  readonly identity: Identity;
  readonly wheel: Wheel;
  readonly #startedAtMs = monotonicMs();
  readonly #catalog: Catalog;
  readonly #store: Store;
  readonly #directory: Directory<Worker>;
  readonly #peers: Peers;
  readonly #creation: Creation;
  readonly #lifecycle: Lifecycle;
  readonly #delivery: Delivery;
  readonly #admission: Admission;
  readonly #recovery: Recovery;
  /** Which workers wait for which. */
  readonly chains = new CallChains((workerId, seq) => this.#directory.get(workerId)?.sentInput(seq));
  /** What workers tell each other. */
  readonly telling: Telling;
  /** What is kept awake, and set for later. */
  readonly residence: Residence;
  /** Workers and those that they have created. */
  readonly families: Families;
  /** Inputs that are not delivered again. */
  readonly deadLetters: DeadLetters;
  #hosts: Hosts | null = null;
  readonly #log: Logger;
  readonly #closing: Closing;

  constructor(options: SupervisorOptions) {
    const { limits, catalog, store } = options;
    this.limits = limits;
    this.identity = options.identity;
    this.wheel = options.wheel;
    this.#catalog = catalog;
    this.#store = store;
    this.#log = options.log;
    this.#lifecycle = new Lifecycle(options, this.#lifecycleEvents());
    this.#peers = options.peers ?? new Peers();
    this.#directory = new Directory<Worker>(store, (stored) => this.#load(stored), this.#peers);
    this.deadLetters = new DeadLetters(options, this);
    this.#delivery = new Delivery(limits, store, this.#lifecycle, this.wheel, this.deadLetters);
    this.#creation = new Creation(limits, catalog, store, this.#directory, () => this.#requireRunning());
    this.#admission = new Admission(limits, this.#delivery, {
      unavailable: () => this.#closing.refusal,
      isKnown: (worker) => this.#directory.isLoaded(worker),
      hold: (worker) => this.#directory.hold(worker),
      anyHost: () => this.#requireHosts().any(),
    });
    const parts = { directory: this.#directory, delivery: this.#delivery, log: this.#log, wheel: this.wheel };
    this.telling = new Telling({ ...parts, admission: this.#admission });
    this.residence = new Residence({
      ...parts,
      options,
      lifecycle: this.#lifecycle,
      hosts: () => this.#requireHosts(),
      deliver: (worker, value) => this.#admission.value(worker, value, {}),
    });
    this.families = new Families({
      ...parts,
      admission: this.#admission,
      store,
      lifecycle: this.#lifecycle,
      view: (worker) => this.residence.view(worker),
      erase: (worker) => this.residence.erase(worker),
    });
    catalog.countStored(store.counts());
    this.#recovery = new Recovery(store.waiting(), { ...parts, residence: this.residence });
    this.#closing = new Closing({
      ...parts,
      limits,
      store,
      lifecycle: this.#lifecycle,
      hosts: () => this.#requireHosts(),
      stop: (worker, request) => this.families.stopAlone(worker, request),
      stopRest: () => {
        this.families.close();
        this.#recovery.stop();
        this.residence.close();
      },
    });
  }

  #lifecycleEvents(): LifecycleEvents {
    return {
      onLeft: (workerId) => this.residence.onLeft(workerId),
      onEnding: (worker) => {
        this.residence.timers.forget(worker);
        this.families.onEnding(worker);
      },
      onStopped: (worker) => this.families.onStopped(worker),
      onRetired: (worker) => this.families.onRetired(worker),
      onRestarting: (worker, death) => this.families.onRestarting(worker, death),
      onGaveUp: (worker, error) => this.families.onGaveUp(worker, error),
      onRested: (worker) => void this.residence.unload(worker),
      onUnclean: (worker, reason) => this.#closing.note(worker, reason),
    };
  }

  /** Starts the hosts. Rejects with the cause if one cannot start. */
  async open(factory: HostFactory, hostCount: number): Promise<void> {
    this.#hosts = new Hosts({
      factory,
      inbound: this.#delivery,
      listener: this.#lifecycle,
      limits: this.limits,
      log: this.#log,
      wheel: this.wheel,
    });
    this.#lifecycle.connect(this.#hosts, this.#delivery);
    this.deadLetters.open();
    await this.#hosts.open(hostCount);
    this.#recovery.step();
    this.residence.open();
  }

  get status(): 'running' | 'draining' | 'stopped' {
    return this.#closing.status;
  }

  get isReady(): boolean {
    return this.#closing.refusal === null && this.#hosts?.hasShared === true;
  }

  /** Why the store cannot write now; null while it can. */
  get storeTrouble(): GreenroomError | null {
    return this.#store.trouble;
  }

  // --- workers ---

  /** Resolves once the worker has started, or failed to. The same request again finds the same worker, whatever its status. */
  async create(
    request: CreateRequest,
    parentId: string | null = null,
  ): Promise<{ workerId: string; created: boolean }> {
    const { worker, created } = this.#creation.one(request, 'starting', parentId);
    if (created) this.#lifecycle.start(worker);
    await worker.startSettled();
    await this.#store.committed();
    return { workerId: worker.workerId, created };
  }

  /** Many workers, hibernated: each is started by its first input. An outcome per request, in order. */
  createAll(
    requests: Iterable<CreateRequest> | AsyncIterable<CreateRequest>,
  ): AsyncGenerator<Created, void, undefined> {
    return this.#creation.many(requests);
  }

  /** Throws `invalid_worker_id`, `worker_not_found`, or `unsupported_operation` if it is a peer, as every command does. */
  requireWorker(workerId: string): void {
    this.#directory.require(workerId);
  }

  /** The id of the worker that a call of an actor's function is for; see Creation.serving. */
  servingWorker(kind: string, workerId: string | null): string {
    return this.#creation.serving(kind, workerId).workerId;
  }

  /** Whether a worker has the id, or a kind has it as its name and so as the id of its serving worker. */
  hasName(name: string): boolean {
    return this.#directory.get(name) !== undefined || this.#catalog.has(name);
  }

  view(workerId: string): WorkerView {
    return this.residence.view(this.#directory.require(workerId));
  }

  /** Of a worker or of a peer. Throws `invalid_worker_id` or `worker_not_found`. */
  anyView(workerId: string): WorkerView | PeerView {
    const worker = this.#directory.get(workerId);
    return worker === undefined ? (this.#peers.view(workerId) ?? this.view(workerId)) : this.residence.view(worker);
  }

  /** Workers and peers. */
  list(query: ListQuery): { workers: (WorkerSummary | PeerSummary)[]; nextAfter: string | null } {
    // Looking for what does not exist would look at every worker there is.
    const { workers, nextAfter } = this.#directory.list(query, this.#catalog.hasAny(query));
    return { workers: workers.map(listed), nextAfter };
  }

  /** Resolves once it has started again, or failed to. Throws `worker_active` or `worker_stopping`. */
  async restore(workerId: string): Promise<WorkerView> {
    this.#requireRunning();
    const worker = this.#directory.require(workerId);
    requireEffect(COMMANDS.restore[worker.status], 'start');
    worker.requireActor();
    this.families.restore(worker);
    await worker.startSettled();
    await this.#store.committed();
    // It may have been put away meanwhile.
    return this.residence.view(this.#directory.get(workerId) ?? worker);
  }

  /** Resolves once it has stopped, its children before it. A second stop gets the acknowledgement of the first. */
  async stop(workerId: string, request: StopRequest): Promise<StopAck> {
    this.#requireOpen();
    const ack = await this.families.stop(this.#directory.require(workerId), request);
    await this.#store.committed();
    return ack;
  }

  /** The worker's last view; its children go with it. Throws `worker_active` unless all have ended or `force` is set, which stops them first. */
  async delete(workerId: string, request: { readonly force?: boolean | undefined }): Promise<WorkerView> {
    this.#requireOpen();
    const view = await this.families.delete(workerId, request.force === true);
    await this.#store.committed();
    return view;
  }

  /** Throws `invalid_worker_id`, `worker_not_found` or `transcript_trimmed`; see readTranscript. */
  transcript(workerId: string, request: TranscriptRequest): EncodedPage {
    return readTranscript(this.#directory.require(workerId), request);
  }

  // --- inputs ---

  /** Throws what a delivery would be refused with right now: for callers who can avoid receiving an input. */
  checkRoom(workerId: string): void {
    this.#admission.requireRoom(this.#directory.require(workerId), 0);
  }

  /** Accepts an untrusted, encoded input. A large one is parsed and validated by a host first, off the main loop. */
  deliverBytes(workerId: string, body: Uint8Array, options: DeliverOptions): InputRecord | Promise<InputRecord> {
    return this.#admission.bytes(this.#directory.require(workerId), body, options);
  }

  /** The same for an input of at most INLINE_PARSE_BYTES whose UTF-8, of `bytes`, has been decoded already. */
  deliverText(workerId: string, text: string, bytes: number, options: DeliverOptions): InputRecord {
    return this.#admission.text(this.#directory.require(workerId), text, bytes, options);
  }

  /**
   * Looks whether untrusted bytes are one well-formed JSON value that `parseUntrusted` would take. Up to INLINE_PARSE_BYTES at once;
   * larger ones on a host, and meanwhile they count against `maxTotalBytes`. Their size is the caller's to check. Throws or rejects
   * with `invalid_json`, `runtime_overloaded`, `runtime_unavailable` (no host is ready), `host_lost` or `timeout`.
   */
  checkPayload(bytes: Uint8Array): void | Promise<void> {
    return this.#admission.check(bytes);
  }

  /**
   * Whether an input of this size would be refused now for want of room and nothing else. Then `listener` stands in line, until
   * there is room when it asks again or it leaves, and is called whenever there may be some. Throws `worker_not_found`.
   */
  joinLine(workerId: string, bytes: number, key: string | undefined, listener: RoomListener): boolean {
    return this.#admission.joinLine(this.#directory.require(workerId), bytes, key, listener);
  }

  leaveLine(listener: RoomListener): void {
    this.#delivery.capacity.room.leave(listener);
  }

  /** Accepts a value of this process. */
  deliverValue(workerId: string, value: unknown, options: DeliverOptions): InputRecord {
    return this.#admission.value(this.#directory.require(workerId), value, options);
  }

  /** Throws `worker_not_found` or `input_not_found`. */
  input(workerId: string, inputId: string): InputInfo {
    const worker = this.#directory.require(workerId);
    const info = this.#delivery.find(worker, inputId);
    if (info === undefined) throw GreenroomError.of('input_not_found');
    return info;
  }

  /** Resolves when what it has removed is removed for good: it will not run after a crash either. */
  async cancel(workerId: string, request: CancelRequest): Promise<CancelAck> {
    const ack = this.cancelNow(workerId, request);
    if (ack.effect === 'removed') await this.#store.committed();
    return ack;
  }

  /** The same for somebody whom nobody waits for. */
  cancelNow(workerId: string, request: CancelRequest): CancelAck {
    this.#requireOpen();
    const worker = this.#directory.require(workerId);
    const { inputId } = request;
    // What has no outcome is found as its live record.
    return this.#delivery.cancelling.asked(
      worker,
      request,
      inputId === undefined ? null : this.input(workerId, inputId),
    );
  }

  // --- the whole ---

  actors(): ActorView[] {
    return this.#catalog.views();
  }

  async describe(): Promise<Omit<RuntimeView, 'functions' | 'sources'>> {
    return {
      ...this.identity,
      status: this.status,
      store: this.#store.kind,
      storage: this.#store.figures(),
      uptimeMs: Math.round(monotonicMs() - this.#startedAtMs),
      workers: { total: this.#directory.size, ...this.#catalog.counts() },
      remotes: { connected: this.#peers.remotes },
      hosts: this.#requireHosts().views(),
      mailbox: this.#delivery.capacity.load,
      limits: this.limits,
    };
  }

  /** Refuses new work at once, lets what was accepted run until the deadline, cancels the rest, ends the hosts. See Closing. */
  close(deadlineMs: number): Promise<CloseReport> {
    return this.#closing.close(deadlineMs);
  }

  /** What runs the workers. */
  get hosts(): Hosts {
    return this.#requireHosts();
  }

  // --- private ---

  #requireHosts(): Hosts {
    if (this.#hosts === null) throw new Error('the supervisor is not open');
    return this.#hosts;
  }

  /** For what is done while the runtime drains, too. */
  #requireOpen(): void {
    if (this.status === 'stopped') throw this.#closing.refusal ?? GreenroomError.of('runtime_unavailable');
  }

  #requireRunning(): void {
    const { refusal } = this.#closing;
    if (refusal !== null) throw this.#delivery.capacity.refuse(null, refusal);
  }

  /** A worker as the store has it. What a run before this one had begun is settled, and what waits there waits here. */
  #load(stored: WorkerStore): Worker {
    const worker = new Worker(this.#catalog.find(stored.kind), stored, stored.rest, this.#store.inputIdPrefix);
    this.#delivery.restore(worker);
    return worker;
  }
}

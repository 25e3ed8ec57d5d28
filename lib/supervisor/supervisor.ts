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

import { performance } from 'node:perf_hooks';
import { GreenroomError } from '../errors.ts';
import { SLICE_MS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { Peers } from '../functions/peers.ts';
import type { HostFactory } from '../host/host.ts';
import type { Logger } from '../observe/log.ts';
import type {
  ActorView,
  CancelAck,
  CloseReport,
  PeerSummary,
  PeerView,
  Receipt,
  RuntimeView,
  StopAck,
  WorkerSummary,
  WorkerView,
} from '../protocol/views.ts';
import type { Store } from '../store/store.ts';
import type { Catalog } from './catalog.ts';
import { Admission } from './admission.ts';
import { Creation } from './creation.ts';
import type { Created, CreateRequest } from './creation.ts';
import { Delivery } from './delivery.ts';
import type { DeliverOptions } from './delivery.ts';
import { Directory } from './directory.ts';
import type { ListQuery } from './directory.ts';
import { Hosts } from './hosts.ts';
import type { InputInfo, InputRecord } from './input.ts';
import { Lifecycle } from './lifecycle.ts';
import type { RoomListener } from './room.ts';
import { COMMANDS, requireEffect } from './states.ts';
import { startTimer } from './timers.ts';
import { readTranscript } from './transcripts.ts';
import type { EncodedPage, TranscriptRequest } from './transcripts.ts';
import type { StopRequest } from './stopping.ts';
import type { Worker } from './worker.ts';

export type { Created, CreateRequest } from './creation.ts';
export type { DeliverOptions } from './delivery.ts';
export type { ListQuery } from './directory.ts';
export type { InputInfo, InputRecord } from './input.ts';
export type { RoomListener } from './room.ts';
export type { StopRequest } from './stopping.ts';

export interface CancelRequest {
  /** Default: whatever is running. */
  readonly inputId?: string | undefined;
  readonly reason?: string | undefined;
}

/** What a runtime is called; chosen by its operator. */
export interface Identity {
  readonly runtimeId: string;
  readonly displayName: string | null;
  readonly version: string;
}

export interface SupervisorOptions {
  readonly identity: Identity;
  readonly limits: Limits;
  readonly catalog: Catalog;
  readonly store: Store;
  readonly log: Logger;
  readonly inputIdPrefix: string;
  /** A worker has left its host: it was stopped, could not start, or its host has died. */
  readonly onLeft?: (workerId: string) => void;
  /** What is listed beside the workers. Default: nothing. */
  readonly peers?: Peers;
}

export class Supervisor {
  readonly limits: Limits;
  readonly identity: Identity;
  readonly #startedAtMs = performance.now();
  readonly #catalog: Catalog;
  readonly #store: Store;
  readonly #directory: Directory<Worker>;
  readonly #peers: Peers;
  readonly #creation: Creation;
  readonly #lifecycle: Lifecycle;
  readonly #delivery: Delivery;
  readonly #admission: Admission;
  #hosts: Hosts | null = null;
  readonly #log: Logger;
  #status: 'running' | 'draining' | 'stopped' = 'running';

  constructor(options: SupervisorOptions) {
    this.limits = options.limits;
    this.identity = options.identity;
    this.#catalog = options.catalog;
    this.#store = options.store;
    this.#log = options.log;
    this.#lifecycle = new Lifecycle(options.limits, options.log, options.onLeft);
    this.#peers = options.peers ?? new Peers();
    this.#directory = new Directory<Worker>(this.#peers);
    this.#delivery = new Delivery(options.limits, options.inputIdPrefix, this.#lifecycle);
    const { limits, catalog, store } = options;
    this.#creation = new Creation(limits, catalog, store, this.#directory, options.inputIdPrefix, () =>
      this.#requireRunning(),
    );
    this.#admission = new Admission(limits, this.#delivery, {
      isRunning: () => this.#status === 'running',
      isKnown: (worker) => this.#directory.get(worker.workerId) === worker,
      anyHost: () => this.#requireHosts().any(),
    });
  }

  /** Starts the hosts. Rejects with the cause if one cannot start. */
  async open(factory: HostFactory, hostCount: number): Promise<void> {
    this.#hosts = new Hosts(factory, this.#delivery, this.#lifecycle, this.#log);
    this.#lifecycle.connect(this.#hosts, this.#delivery);
    await this.#hosts.open(hostCount);
  }

  get status(): 'running' | 'draining' | 'stopped' {
    return this.#status;
  }

  get isReady(): boolean {
    return this.#status === 'running';
  }

  // --- workers ---

  /** Resolves once the worker has started, or failed to. The same request again finds the same worker, whatever its status. */
  async create(request: CreateRequest): Promise<{ workerId: string; created: boolean }> {
    const { worker, created } = this.#creation.one(request, 'starting');
    if (created) this.#lifecycle.start(worker);
    await worker.startSettled();
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

  /** For what an actor asks for: it may have left its host since. Throws `worker_not_found` or `worker_stopped`. */
  requireOnHost(workerId: string): void {
    if (this.#directory.require(workerId).host === null) throw GreenroomError.of('worker_stopped');
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
    return this.#directory.require(workerId).view();
  }

  /** Of a worker or of a peer. Throws `invalid_worker_id` or `worker_not_found`. */
  anyView(workerId: string): WorkerView | PeerView {
    return this.#directory.get(workerId)?.view() ?? this.#peers.view(workerId) ?? this.view(workerId);
  }

  /** Workers and peers. */
  list(query: ListQuery): { workers: (WorkerSummary | PeerSummary)[]; nextAfter: string | null } {
    // Looking for what does not exist would look at every worker there is.
    const { workers, nextAfter } = this.#directory.list(query, this.#catalog.hasAny(query));
    return { workers: workers.map((one) => ('summary' in one ? one.summary() : one)), nextAfter };
  }

  /** Resolves once it has started again, or failed to. Throws `worker_active` or `worker_stopping`. */
  async restore(workerId: string): Promise<WorkerView> {
    this.#requireRunning();
    const worker = this.#directory.require(workerId);
    requireEffect(COMMANDS.restore[worker.status], 'start');
    this.#lifecycle.restore(worker);
    await worker.startSettled();
    return worker.view();
  }

  /** Resolves once it has stopped. A second stop gets the acknowledgement of the first. */
  async stop(workerId: string, request: StopRequest): Promise<StopAck> {
    const worker = this.#directory.require(workerId);
    if (COMMANDS.stop[worker.status] === 'join' && worker.stopping !== null) return worker.stopping.ack;
    return this.#lifecycle.stop(worker, request);
  }

  /** The worker's last view. Throws `worker_active` unless it has ended or `force` is set, which stops it first. */
  async delete(workerId: string, request: { readonly force?: boolean | undefined }): Promise<WorkerView> {
    const worker = this.#directory.require(workerId);
    const effect = COMMANDS.delete[worker.status];
    if (effect === 'worker_active' && request.force === true) await this.stop(workerId, { reason: 'delete' });
    else requireEffect(effect, 'delete');
    const view = worker.view();
    worker.clearTimers();
    this.#directory.delete(worker);
    worker.actor.population.remove(worker.status);
    worker.store.delete();
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
    this.#delivery.room.leave(listener);
  }

  /** Accepts an input that is a value of this process. */
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

  receipt(record: InputRecord): Receipt {
    const worker = record.owner as Worker;
    const position = record.outcome === null ? worker.mailbox.positionOf(record) : 0;
    return { workerId: worker.workerId, inputId: record.inputId, status: worker.status, position };
  }

  cancel(workerId: string, request: CancelRequest): CancelAck {
    const worker = this.#directory.require(workerId);
    const reason = request.reason ?? 'cancel';
    if (request.inputId === undefined) {
      const running = COMMANDS.cancel[worker.status] === 'abort' ? worker.runningInput() : null;
      if (running === null) return { workerId, status: worker.status, effect: 'none' };
      const effect = this.#delivery.cancel(worker, running, reason);
      return { workerId, status: worker.status, effect, inputId: running.inputId };
    }
    const info = this.input(workerId, request.inputId);
    const { inputId, outcome } = info;
    if (outcome !== null) return { workerId, status: worker.status, effect: 'ended', inputId, outcome };
    // What has no outcome is found as its live record.
    const effect = this.#delivery.cancel(worker, info as InputRecord, reason);
    return { workerId, status: worker.status, effect, inputId, ...(effect === 'removed' && { outcome: 'cancelled' }) };
  }

  /** An input of the worker's own making after a time. It waits for room, and is forgotten when the worker stops. */
  deliverLater(workerId: string, value: unknown, delayMs: number): void {
    const worker = this.#directory.require(workerId);
    startTimer(worker, value, delayMs, () => void this.deliverValue(workerId, value, {}), this.#log);
  }

  // --- the whole ---

  actors(): ActorView[] {
    return this.#catalog.views();
  }

  async describe(): Promise<Omit<RuntimeView, 'functions' | 'sources'>> {
    return {
      ...this.identity,
      status: this.#status,
      store: this.#store.kind,
      uptimeMs: Math.round(performance.now() - this.#startedAtMs),
      workers: { total: this.#directory.size, ...this.#catalog.counts() },
      remotes: { connected: this.#peers.remotes },
      hosts: await this.#requireHosts().views(),
      mailbox: this.#delivery.load,
      limits: this.limits,
    };
  }

  /** Refuses new work at once, lets what was accepted run until the deadline, cancels the rest, ends the hosts. */
  async close(deadlineMs: number): Promise<CloseReport> {
    if (this.#status !== 'running')
      throw GreenroomError.of('runtime_unavailable', { message: 'The runtime is closing.' });
    this.#status = 'draining';
    const before = { ...this.#delivery.counts };
    const killedBefore = this.#lifecycle.kills;
    await this.#stopAll(deadlineMs);
    const killedAtClose = await this.#requireHosts().close();
    this.#delivery.close();
    await this.#store.close();
    this.#status = 'stopped';
    const { finished, cancelled, refused } = this.#delivery.counts;
    return {
      finished: finished - before.finished,
      refused: refused - before.refused,
      cancelled: cancelled - before.cancelled,
      killed: this.#lifecycle.kills - killedBefore + killedAtClose,
    };
  }

  async #stopAll(deadlineMs: number): Promise<void> {
    const stops: Promise<unknown>[] = [];
    let sliceStartMs = Date.now();
    for (const worker of this.#directory.values()) {
      if (needsStop(worker)) stops.push(this.stop(worker.workerId, { drain: true, reason: 'close', deadlineMs }));
      else worker.clearTimers();
      if (Date.now() - sliceStartMs < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      sliceStartMs = Date.now();
    }
    await Promise.all(stops);
  }

  // --- private ---

  #requireHosts(): Hosts {
    if (this.#hosts === null) throw new Error('the supervisor is not open');
    return this.#hosts;
  }

  #requireRunning(): void {
    if (this.#status !== 'running') {
      this.#delivery.counts.refused++;
      throw GreenroomError.of('runtime_unavailable');
    }
  }
}

/** Of the others there is nothing to wait for and nothing to run: their hosts end anyway, so they need not be unloaded one by one. */
function needsStop(worker: Worker): boolean {
  if (worker.status === 'stopped' || worker.status === 'failed' || worker.status === 'hibernated') return false;
  return worker.status !== 'idle' || worker.inputs > 0 || worker.actor.definition.stopped !== undefined;
}

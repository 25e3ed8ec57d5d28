// A runtime as an embedding Backend sees it. It decides nothing: each call is one of the supervisor's, of the registry of functions, or of
// what lies outside.

import type { Channels } from './channels/channels.ts';
import { createChannel, openChannel } from './channels/open.ts';
import type { RuntimeChannel } from './channels/open.ts';
import type { ChannelOptions, ChannelRef } from './protocol/channel-ref.ts';
import type { ReadableOptions } from './channels/streams.ts';
import { GreenroomError } from './errors.ts';
import type { Readable, Writable } from 'node:stream';
import type { Peers } from './functions/peers.ts';
import type { Functions } from './functions/registry.ts';
import { functionView } from './functions/registry.ts';
import type { FunctionQuery } from './protocol/function-query.ts';
import type { Limits } from './limits.ts';
import type { Outside } from './outside.ts';
import type { HttpFunctionDocument } from './protocol/http-function.ts';
import { decode, encode, payloadBytes, requireSize } from './protocol/payload.ts';
import type { SourceOptions, SourceRequest } from './protocol/source-request.ts';
import type {
  ActorView,
  CloseReport,
  DeadLetterSummary,
  DeadLetterView,
  FunctionView,
  HostDetail,
  HostView,
  PeerSummary,
  PeerView,
  Receipt,
  RuntimeView,
  SourcePreview,
  SourceSummary,
  SourceView,
  WorkerSummary,
} from './protocol/views.ts';
import { requireTimeout } from './supervisor/asking.ts';
import type { DeadLettersQuery } from './supervisor/dead-letters.ts';
import { WorkerHandle } from './supervisor/handle.ts';
import type { ActorConfig, ActorShape } from './protocol/shapes.ts';
import type { SourcesQuery } from './sources/sources.ts';
import type { Supervisor } from './supervisor/supervisor.ts';
import type { CreateRequest } from './supervisor/creation.ts';
import type { ListQuery } from './supervisor/directory.ts';

/** How long `close` lets accepted inputs run unless the call says otherwise. */
const CLOSE_DEADLINE_MS = 10_000;

/** A request to create a worker, its config typed by the actor. */
export type ActorRequest<Actor extends ActorShape> = Omit<CreateRequest, 'config'> & {
  readonly config?: ActorConfig<Actor>;
};

export interface InvokeOptions {
  /** From now. Default `limits.invocationTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Aborting ends the wait with `cancelled`; a call of an actor's function is cancelled with it. */
  readonly signal?: AbortSignal | undefined;
  /** A JSON value that goes along. `worker_id` in it says which worker of an actor is meant. */
  readonly metadata?: unknown;
  /** W3C trace context, passed through. */
  readonly traceparent?: string | undefined;
  readonly baggage?: string | undefined;
}

/** What became of one request of `createAll`. */
export type CreateOutcome<Actor extends ActorShape = ActorShape> =
  | { readonly worker: WorkerHandle<Actor>; readonly error: null }
  | { readonly worker: null; readonly error: GreenroomError };

export class Runtime {
  /** For the REST routes; an embedding Backend has no need of it. */
  readonly supervisor: Supervisor;
  /** For the REST routes and the gateway, likewise. */
  readonly functions: Functions;
  readonly peers: Peers;
  readonly channels: Channels;

  readonly outside: Outside;

  /** Resolves once somebody has closed it. */
  readonly closed: Promise<CloseReport>;
  #tellClosed!: (report: CloseReport) => void;
  #closing: Promise<CloseReport> | null = null;

  constructor(parts: Pick<Runtime, 'supervisor' | 'functions' | 'peers' | 'channels' | 'outside'>) {
    this.supervisor = parts.supervisor;
    this.functions = parts.functions;
    this.peers = parts.peers;
    this.channels = parts.channels;
    this.outside = parts.outside;
    this.closed = new Promise((resolve) => (this.#tellClosed = resolve));
  }

  get runtimeId(): string {
    return this.supervisor.identity.runtimeId;
  }

  /**
   * Creates a worker, or finds the one that the same request created. Resolves once it has started, or failed to (see its
   * status). `runtime.create<typeof counter>(…)` types the config, and the handle's input and output.
   * Rejects with `actor_not_found`, `invalid_request`, `invalid_worker_id`, `worker_exists`, `payload_too_large`,
   * `runtime_overloaded` or `runtime_unavailable`.
   */
  async create<Actor extends ActorShape = ActorShape>(request: ActorRequest<Actor>): Promise<WorkerHandle<Actor>> {
    const { workerId } = await this.supervisor.create(request);
    return new WorkerHandle<Actor>(this.supervisor, workerId);
  }

  /**
   * Creates many workers and yields, in order, what became of each request; one that is refused does not stop the rest. The
   * same request again finds the same worker. A worker is made when its outcome is asked for, never ahead of it, and is
   * `hibernated`: it costs a few hundred bytes and no host until its first input starts it. The event loop gets its turns
   * meanwhile. Rejects only with what the requests themselves throw.
   */
  async *createAll<Actor extends ActorShape = ActorShape>(
    requests: Iterable<ActorRequest<Actor>> | AsyncIterable<ActorRequest<Actor>>,
  ): AsyncGenerator<CreateOutcome<Actor>, void, undefined> {
    for await (const { workerId, error } of this.supervisor.createAll(requests))
      yield error === null
        ? { worker: new WorkerHandle<Actor>(this.supervisor, workerId), error }
        : { worker: null, error };
  }

  /** A handle to a worker. Throws `worker_not_found`, and `unsupported_operation` for a remote or a group: it has no inputs. */
  worker<Actor extends ActorShape = ActorShape>(workerId: string): WorkerHandle<Actor> {
    this.supervisor.requireWorker(workerId);
    return new WorkerHandle<Actor>(this.supervisor, workerId);
  }

  /** What stands beside the workers: a remote, or a group. Throws `worker_not_found`. */
  peer(workerId: string): PeerView {
    const view = this.peers.view(workerId);
    if (view === undefined)
      throw GreenroomError.of('worker_not_found', { message: 'There is no remote or group of that id.' });
    return view;
  }

  /** All workers, remotes and groups that match, ascending by id. Told apart by `origin`. */
  *workers(query: Pick<ListQuery, 'status' | 'kind' | 'origin'> = {}): Generator<WorkerSummary | PeerSummary> {
    let after: string | undefined;
    do {
      const page = this.supervisor.list({ ...query, after });
      yield* page.workers;
      after = page.nextAfter ?? undefined;
    } while (after !== undefined);
  }

  actors(): ActorView[] {
    return this.supervisor.actors();
  }

  /**
   * Makes a channel, for more than a message can hold: a stream from one end to the other, wherever they are.
   * Throws `runtime_overloaded` or `runtime_unavailable`.
   */
  channel(options?: ChannelOptions): RuntimeChannel {
    return createChannel(this.channels, options);
  }

  /** The stream of an end that somebody has passed on. Throws `invalid_request`, `channel_not_found` or `channel_taken`. */
  openChannel(ref: ChannelRef<'read'>, options?: ReadableOptions): Readable;
  openChannel(ref: ChannelRef<'write'>): Writable;
  openChannel(ref: ChannelRef, options?: ReadableOptions): Readable | Writable;
  openChannel(ref: ChannelRef, options?: ReadableOptions): Readable | Writable {
    return openChannel(this.channels, ref, options);
  }

  /**
   * Calls a function, whoever serves it, and resolves to its value. Rejects with `function_not_found`, `worker_busy`, `timeout`,
   * `cancelled`, `payload_too_large`, `invocation_failed`, `invocation_stopped`, `invocation_failed_payload_too_large`, what the
   * function's own schema refuses (`invalid_input`), or the code that the function chose.
   */
  async invoke(functionId: string, payload?: unknown, options: InvokeOptions = {}): Promise<unknown> {
    const { timeoutMs = this.supervisor.limits.invocationTimeoutMs, metadata, ...rest } = options;
    const output = await this.functions.call(functionId, {
      payload: encodeSent(payload, this.supervisor.limits),
      metadata: metadata === undefined ? null : encodeSent(metadata, this.supervisor.limits),
      caller: { workerId: null },
      timeoutMs: requireTimeout(timeoutMs),
      ...rest,
    });
    return decode(output);
  }

  /** A page of the functions, ascending by id. */
  listFunctions(query: FunctionQuery = {}): { functions: FunctionView[]; nextAfter: string | null } {
    return this.functions.list(query);
  }

  /** Throws `function_not_found`. */
  function(functionId: string): FunctionView {
    return functionView(this.functions.require(functionId));
  }

  /**
   * Makes functions of a source: an OpenAPI document, an MCP server. With `dryRun` it only says which. Rejects with `invalid_request`,
   * `invalid_source`, `worker_exists`, `function_exists`, `runtime_overloaded`, `timeout`, `cancelled`, or as the source cannot be
   * reached; then nothing is left.
   */
  createSource(request: SourceRequest, options: SourceOptions & { readonly dryRun: true }): Promise<SourcePreview>;
  createSource(request: SourceRequest, options?: SourceOptions & { readonly dryRun?: false }): Promise<SourceView>;
  createSource(
    request: SourceRequest,
    { dryRun = false, signal }: SourceOptions & { readonly dryRun?: boolean } = {},
  ): Promise<SourcePreview | SourceView> {
    const { sources } = this.outside;
    const by = { isFromOperator: true, signal };
    return dryRun ? sources.preview(request, by) : sources.create(request, by);
  }

  /** A page of the sources, ascending by name. */
  listSources(query: SourcesQuery = {}): { sources: SourceSummary[]; nextAfter: string | null } {
    return this.outside.sources.list(query);
  }

  /** Throws `not_found`. */
  source(name: string): SourceView {
    return this.outside.sources.view(name);
  }

  /**
   * Reads a source again and applies what has changed in one step; calls under way finish on what they began with. Rejects with
   * `not_found`, or with what is wrong; then the functions that were there go on.
   */
  refreshSource(name: string, { signal }: SourceOptions = {}): Promise<SourceView> {
    return this.outside.sources.refresh(name, signal);
  }

  /** Rejects with `not_found`. */
  deleteSource(name: string): Promise<SourceView> {
    return this.outside.sources.delete(name);
  }

  /**
   * Registers a function that the runtime calls over HTTP, or replaces the one that was registered like this under the id. Rejects with
   * `invalid_request`, `function_exists`, `worker_exists` for its group, `url_validation_failed`, `secret_not_found`, `token_not_found`,
   * `api_key_not_found`, `payload_too_large`, `runtime_overloaded` or `cancelled`; then nothing has changed. It outlives the process in
   * the store; `runtime_unavailable` says that the store cannot write now: see BackendFunctions.register.
   */
  async registerFunction(
    functionId: string,
    document: HttpFunctionDocument,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<FunctionView> {
    return functionView((await this.outside.backend.register(functionId, document, options.signal)).registered);
  }

  /**
   * Rejects with `function_not_found`, `unsupported_operation` for a function that was not registered like that, and
   * `runtime_unavailable` while the store cannot write.
   */
  async unregisterFunction(functionId: string): Promise<FunctionView> {
    return functionView(await this.outside.backend.unregister(functionId));
  }

  /** A page of the inputs that are not delivered again (`poison_input`), ascending by id. Throws `invalid_request` for a limit that is none. */
  deadLetters(query: DeadLettersQuery = {}): { deadLetters: DeadLetterSummary[]; nextAfter: string | null } {
    return this.supervisor.deadLetters.list(query);
  }

  /** One of them, with its payload. Throws `input_not_found`. */
  deadLetter(inputId: string): DeadLetterView {
    const { summary, payload } = this.supervisor.deadLetters.get(inputId);
    return { ...summary, payload: decode(payload) };
  }

  /** Gives it to its worker as a new input, and forgets it. Rejects with `input_not_found`, or as `tell` does; then it is kept. */
  redeliver(inputId: string): Promise<Receipt> {
    return this.supervisor.deadLetters.redeliver(inputId);
  }

  /** Throws it away. Rejects with `input_not_found`. */
  discard(inputId: string): Promise<DeadLetterSummary> {
    return this.supervisor.deadLetters.discard(inputId);
  }

  /** What workers run on now. */
  hosts(): HostView[] {
    return this.supervisor.residence.hosts();
  }

  /** A host that is alive, or one of the last that have ended. Throws `not_found`. */
  host(hostId: string): HostDetail {
    return this.supervisor.residence.host(hostId);
  }

  /**
   * Replaces a host: a new one starts, the workers move to it between two of their inputs, and what runs after `limits.stopTimeoutMs` is
   * killed with the old one. Resolves when that has ended, with the last that is known of it; shared hosts are replaced one after the
   * other. Rejects with `not_found`, `unsupported_operation` if it is not `ready`, `runtime_unavailable` if no other host could be
   * started, or `host_lost` if it died before its turn.
   */
  async recycleHost(hostId: string): Promise<HostDetail> {
    const { residence } = this.supervisor;
    await residence.recycleHost(hostId);
    return residence.host(hostId);
  }

  async describe(): Promise<RuntimeView> {
    const { functions, outside } = this;
    return { ...(await this.supervisor.describe()), functions: functions.size, sources: outside.sources.counts };
  }

  /**
   * Refuses new work at once, lets what was accepted run for `deadlineMs` (default 10 s), cancels the rest, and kills what
   * does not end within `limits.cancelGraceMs` after that; with a durable store, what waits is kept for the next start. The process can then end by itself. The report names the workers that did not
   * end in an orderly way. Whoever closes again gets the report of the first close.
   */
  close(options: { readonly deadlineMs?: number | undefined } = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(options.deadlineMs ?? CLOSE_DEADLINE_MS);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<CloseReport> {
    const report = await this.supervisor.close(deadlineMs);
    this.channels.closeAll();
    await this.outside.close();
    // Before whoever closes it goes on.
    this.#tellClosed(report);
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Throws `invalid_input` or `payload_too_large`. Nothing is sent as null. */
function encodeSent(value: unknown, { maxMessageBytes }: Limits): string {
  const text = encode(value ?? null);
  requireSize(payloadBytes(text), maxMessageBytes, 'ask');
  return text;
}

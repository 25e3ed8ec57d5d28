// Package entry "greenroom/client": the typed client of a runtime over REST, with the verbs of the embedded API.
// For Backends only. It holds the runtime's credential, which may do everything: never ship it to a browser.
// Only what is safe to repeat is repeated: GETs, inputs with an idempotency key, and creates with a worker id.

import type { Readable } from 'node:stream';
import { GreenroomError } from '../errors.ts';
import { MAX_PAGE_ITEMS, MAX_WAIT_MS } from '../limits.ts';
import type { ChannelRef, ChannelRefs } from '../protocol/channel-ref.ts';
import type { HttpFunctionDocument } from '../protocol/http-function.ts';
import type { ActorConfig, ActorShape } from '../protocol/shapes.ts';
import type { SourceRequest } from '../protocol/source-request.ts';
import type {
  ActorView,
  CloseReport,
  DeadLetterSummary,
  DeadLetterView,
  FunctionView,
  HostDetail,
  HostView,
  PeerStatus,
  PeerSummary,
  PeerView,
  Receipt,
  RuntimeView,
  SourcePreview,
  SourceSummary,
  SourceView,
  WorkerStatus,
  WorkerSummary,
  WorkerView,
} from '../protocol/views.ts';
import { noun } from './answers.ts';
import { createChannel, download, upload } from './channel.ts';
import type { ChannelRequest, Uploaded, UploadSource } from './channel.ts';
import type { Answer } from './answers.ts';
import { discard, redeliver, viewDeadLetter } from './dead-letter.ts';
import { listHosts, recycleHost, viewHost } from './host.ts';
import { invoke } from './invoke.ts';
import { resolveOptions } from './options.ts';
import type { BatchInput, CallOptions, ClientOptions, InvokeOptions, TellAllOptions } from './options.ts';
import { createSource, deleteSource, previewSource, refreshSource, viewSource } from './source.ts';
import { ANY_WORKER, tellAll } from './tell-all.ts';
import type { TellResult } from './tell-all.ts';
import { Transport } from './transport.ts';
import { WorkerHandle } from './worker.ts';

export { GreenroomError } from '../errors.ts';
export type { ErrorCode } from '../errors.ts';
export type {
  ActorView,
  CloseReport,
  CancelAck,
  DeadLetterSummary,
  DeadLetterView,
  Durability,
  FunctionView,
  HostDetail,
  HostView,
  InputView,
  Outcome,
  PeerStatus,
  PeerSummary,
  PeerView,
  Receipt,
  RuntimeView,
  SourceChange,
  SourcePreview,
  SourceStatus,
  SourceSummary,
  SourceView,
  StopAck,
  StorageView,
  TranscriptEntry,
  WorkerStatus,
  WorkerSummary,
  WorkerView,
} from '../protocol/views.ts';
export type { HttpAuth, HttpFunctionDocument } from '../protocol/http-function.ts';
export type { ActorConfig, ActorInput, ActorOutput, ActorShape } from '../protocol/shapes.ts';
export type { ChannelRef, ChannelRefs } from '../protocol/channel-ref.ts';
export type { SourceRequest } from '../protocol/source-request.ts';
export type { ChannelRequest, Uploaded, UploadSource } from './channel.ts';
export type {
  AskOptions,
  BatchInput,
  CallOptions,
  ClientOptions,
  InvokeOptions,
  TellAllOptions,
  TellOptions,
  TranscriptOptions,
} from './options.ts';
export type { TellResult } from './tell-all.ts';
export type { WorkerHandle } from './worker.ts';

/** A drain is answered when the runtime has ended: beyond its deadline, cancelling and killing come before that. */
const DRAIN_SLACK_MS = 60_000;

/** Makes a client. Connects at the first call. Throws `invalid_option`. */
export function createClient(options: ClientOptions): Client {
  return new Client(new Transport(resolveOptions(options)));
}

export interface CreateRequest<Actor extends ActorShape = ActorShape> {
  readonly kind: Actor['kind'];
  /** With an id of its own the request may be repeated: the runtime answers with the same worker. Default: a new id. */
  readonly workerId?: string | undefined;
  readonly config?: ActorConfig<Actor> | undefined;
  readonly displayName?: string | undefined;
}

export interface WorkersQuery extends CallOptions {
  readonly status?: WorkerStatus | PeerStatus | undefined;
  /** Only workers of actors have one. */
  readonly kind?: string | undefined;
  readonly origin?: (WorkerSummary | PeerSummary)['origin'] | undefined;
}

export interface FunctionsQuery extends CallOptions {
  /** Part of an id or of a description. */
  readonly search?: string | undefined;
  /** Id or name of who serves them. */
  readonly worker?: string | undefined;
  /** Default false: without the runtime's own and those that are marked so. */
  readonly internal?: boolean | undefined;
}

export interface DeadLettersQuery extends CallOptions {
  readonly kind?: string | undefined;
  readonly workerId?: string | undefined;
}

class Client {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Creates a worker. `client.create<typeof counter>(…)` types its config, and the input and output of the handle. */
  async create<Actor extends ActorShape = ActorShape>(
    request: CreateRequest<Actor>,
    options: CallOptions = {},
  ): Promise<WorkerHandle<Actor>> {
    const { kind, workerId, config, displayName } = request;
    const body = this.#transport.encodeBody({ kind, worker_id: workerId, config, display_name: displayName });
    const answer = await this.#transport.request(
      { method: 'POST', path: '/v1/workers', body },
      options,
      workerId !== undefined,
    );
    return new WorkerHandle<Actor>(this.#transport, noun<WorkerView>(answer, 'worker').workerId);
  }

  /** A handle of a worker; asks nobody whether it exists. Throws `invalid_worker_id`. */
  worker<Actor extends ActorShape = ActorShape>(workerId: string): WorkerHandle<Actor> {
    return new WorkerHandle<Actor>(this.#transport, workerId);
  }

  /** What stands beside the workers: a remote, or a group. Rejects with `worker_not_found`. */
  async peer(workerId: string, options: CallOptions = {}): Promise<PeerView> {
    const path = `/v1/workers/${encodeURIComponent(workerId)}`;
    const view = noun<PeerView | WorkerView>(await this.#transport.request({ method: 'GET', path }, options), 'worker');
    if (view.origin !== 'actor') return view;
    throw GreenroomError.of('worker_not_found', { message: 'There is no remote or group of that id.' });
  }

  /**
   * All workers, remotes and groups, ascending by id, told apart by `origin`; read page by page: those that come and go meanwhile may
   * be missed. `timeoutMs` is for each page.
   */
  async *workers({ status, kind, origin, ...options }: WorkersQuery = {}): AsyncGenerator<
    WorkerSummary | PeerSummary,
    void,
    undefined
  > {
    for await (const page of this.#pages('/v1/workers', { status, kind, origin }, options))
      yield* noun<(WorkerSummary | PeerSummary)[]>(page, 'workers');
  }

  /**
   * Calls a function, whoever serves it, and resolves to its value; with `respondAsync` to undefined, once the runtime has taken the
   * call. Rejects with `function_not_found`, `timeout`, `cancelled`, or as the function fails. Repeats nothing.
   */
  async invoke(functionId: string, payload?: unknown, options: InvokeOptions = {}): Promise<unknown> {
    return invoke(this.#transport, functionId, payload, options);
  }

  /** The functions that can be called, ascending by id, read page by page. `timeoutMs` is for each page. */
  async *functions({ search, worker, internal, ...options }: FunctionsQuery = {}): AsyncGenerator<
    FunctionView,
    void,
    undefined
  > {
    const query = { search, worker, internal: internal === true ? 'true' : undefined };
    for await (const page of this.#pages('/v1/functions', query, options))
      yield* noun<FunctionView[]>(page, 'functions');
  }

  /** Rejects with `function_not_found`. */
  async function(functionId: string, options: CallOptions = {}): Promise<FunctionView> {
    const path = `/v1/functions/${encodeURIComponent(functionId)}`;
    return noun(await this.#transport.request({ method: 'GET', path }, options), 'function');
  }

  /**
   * Makes functions of a source: an OpenAPI document, an MCP server. With `dryRun` it only says which. A client that gives up leaves
   * nothing. Rejects with `invalid_request`, `invalid_source`, `worker_exists`, `function_exists`, `runtime_overloaded`, `timeout`, or
   * as the source cannot be reached. Repeats nothing. `timeoutMs` is by default as long as the runtime may take to read it.
   */
  createSource(request: SourceRequest, options: CallOptions & { readonly dryRun: true }): Promise<SourcePreview>;
  createSource(request: SourceRequest, options?: CallOptions & { readonly dryRun?: false }): Promise<SourceView>;
  createSource(
    request: SourceRequest,
    { dryRun = false, ...options }: CallOptions & { readonly dryRun?: boolean } = {},
  ): Promise<SourcePreview | SourceView> {
    const make = dryRun ? previewSource : createSource;
    return make(this.#transport, request, options);
  }

  /** All sources, ascending by name, read page by page. `timeoutMs` is for each page. */
  async *sources(options: CallOptions = {}): AsyncGenerator<SourceSummary, void, undefined> {
    for await (const page of this.#pages('/v1/sources', {}, options)) yield* noun<SourceSummary[]>(page, 'sources');
  }

  /** Rejects with `not_found`. */
  source(name: string, options: CallOptions = {}): Promise<SourceView> {
    return viewSource(this.#transport, name, options);
  }

  /** Has a source read again. Rejects with `not_found`, or with what is wrong; then the functions that were there go on. */
  refreshSource(name: string, options: CallOptions = {}): Promise<SourceView> {
    return refreshSource(this.#transport, name, options);
  }

  /** Rejects with `not_found`. Repeats nothing. */
  deleteSource(name: string, options: CallOptions = {}): Promise<SourceView> {
    return deleteSource(this.#transport, name, options);
  }

  /**
   * Registers a function that the runtime calls over HTTP, or replaces the one that was registered like this under the id. Rejects with
   * what is wrong, and then nothing has changed; see docs/functions.md.
   */
  async registerFunction(
    functionId: string,
    document: HttpFunctionDocument,
    options: CallOptions = {},
  ): Promise<FunctionView> {
    const path = `/v1/functions/${encodeURIComponent(functionId)}`;
    const body = this.#transport.encodeBody(document);
    return noun(await this.#transport.request({ method: 'PUT', path, body }, options, true), 'function');
  }

  /** Rejects with `function_not_found`, and `unsupported_operation` for a function that was not registered like that. */
  async unregisterFunction(functionId: string, options: CallOptions = {}): Promise<FunctionView> {
    const path = `/v1/functions/${encodeURIComponent(functionId)}`;
    return noun(await this.#transport.request({ method: 'DELETE', path }, options), 'function');
  }

  /** The inputs that are not delivered again, ascending by id, read page by page. `timeoutMs` is for each page. */
  async *deadLetters({ kind, workerId, ...options }: DeadLettersQuery = {}): AsyncGenerator<
    DeadLetterSummary,
    void,
    undefined
  > {
    for await (const page of this.#pages('/v1/dead-letters', { kind, worker_id: workerId }, options))
      yield* noun<DeadLetterSummary[]>(page, 'deadLetters');
  }

  /** One of them, with its payload. Rejects with `input_not_found`. */
  deadLetter(inputId: string, options: CallOptions = {}): Promise<DeadLetterView> {
    return viewDeadLetter(this.#transport, inputId, options);
  }

  /** Gives it to its worker as a new input, and forgets it. Rejects with `input_not_found`, or as a tell does; then it is kept. Repeats nothing. */
  redeliver(inputId: string, options: CallOptions = {}): Promise<Receipt> {
    return redeliver(this.#transport, inputId, options);
  }

  /** Throws it away. Rejects with `input_not_found`. Repeats nothing. */
  discard(inputId: string, options: CallOptions = {}): Promise<DeadLetterSummary> {
    return discard(this.#transport, inputId, options);
  }

  /**
   * Sends inputs to any workers in one request, while they come, and yields what became of each, in their order: its receipt, or the
   * error that refused it. Neither is gathered: who does not read holds the sending back. Throws when the batch as a whole ends early;
   * what has been yielded counts, what has not may have been accepted. Repeats nothing.
   */
  tellAll(
    inputs: Iterable<BatchInput> | AsyncIterable<BatchInput>,
    options: TellAllOptions = {},
  ): AsyncGenerator<TellResult, void, undefined> {
    return tellAll(this.#transport, ANY_WORKER, inputs, options);
  }

  /** Makes a channel, for more than a message can hold. It belongs to nobody, and ends when nobody uses it for `limits.channelIdleMs`. */
  channel(options: ChannelRequest = {}): Promise<ChannelRefs> {
    return createChannel(this.#transport, options);
  }

  /**
   * Streams into a channel and ends it. Resolves once the runtime has all of it; its reader may still be reading. A reader that
   * does not read holds it up. `timeoutMs` is for the whole of it, by default a day.
   * Rejects with `channel_not_found`, `channel_taken` or `channel_closed`.
   */
  upload(ref: ChannelRef<'write'>, source: UploadSource, options: CallOptions = {}): Promise<Uploaded> {
    return upload(this.#transport, ref, source, options);
  }

  /**
   * Streams out of a channel; resolves with its first bytes or its end. The stream fails if the channel does, so that half of it is
   * never taken for the whole. `timeoutMs` is for the whole of it, by default a day. Rejects as `upload` does.
   */
  download(ref: ChannelRef<'read'>, options: CallOptions = {}): Promise<Readable> {
    return download(this.#transport, ref, options);
  }

  /** The actors that the runtime has loaded, with the JSON Schemas of what they take and give. */
  async actors(options: CallOptions = {}): Promise<ActorView[]> {
    return noun(await this.#transport.request({ method: 'GET', path: '/v1/actors' }, options), 'actors');
  }

  /** What workers run on now. */
  hosts(options: CallOptions = {}): Promise<HostView[]> {
    return listHosts(this.#transport, options);
  }

  /** A host that is alive, or one of the last that have ended. Rejects with `not_found`. */
  host(hostId: string, options: CallOptions = {}): Promise<HostDetail> {
    return viewHost(this.#transport, hostId, options);
  }

  /**
   * Has a host replaced by a new one that its workers move to between two of their inputs. Resolves when that was ordered; `host` tells
   * when it has ended. Rejects with `not_found`, or `unsupported_operation` if it is not `ready`. Repeats nothing.
   */
  recycleHost(hostId: string, options: CallOptions = {}): Promise<HostDetail> {
    return recycleHost(this.#transport, hostId, options);
  }

  async describe(options: CallOptions = {}): Promise<RuntimeView> {
    return noun(await this.#transport.request({ method: 'GET', path: '/v1/runtime' }, options), 'runtime');
  }

  /**
   * Ends the runtime: it refuses new work, lets what was accepted run for `deadlineMs` (default 10 s), cancels the rest, kills what does not
   * end, and reports. `timeoutMs` is by default as long as that may take.
   */
  async drain({
    deadlineMs,
    ...options
  }: { deadlineMs?: number | undefined } & CallOptions = {}): Promise<CloseReport> {
    const body = this.#transport.encodeBody({ deadline_ms: deadlineMs });
    const longestMs = Math.min((deadlineMs ?? 0) + DRAIN_SLACK_MS, MAX_WAIT_MS);
    const exchange = { method: 'POST', path: '/v1/runtime/drain', body } as const;
    return noun(await this.#transport.request(exchange, options, false, longestMs), 'report');
  }

  async *#pages(
    path: string,
    given: Record<string, string | undefined>,
    options: CallOptions,
  ): AsyncGenerator<Answer, void, undefined> {
    const query = new URLSearchParams({ limit: String(MAX_PAGE_ITEMS) });
    for (const [name, value] of Object.entries(given)) if (value !== undefined) query.set(name, value);
    for (;;) {
      const answer = await this.#transport.request({ method: 'GET', path: `${path}?${query.toString()}` }, options);
      yield answer;
      const { nextAfter } = answer;
      if (typeof nextAfter !== 'string' || nextAfter === query.get('after')) return;
      query.set('after', nextAfter);
    }
  }

  /** Ends the client, not the runtime: what is pending rejects with `runtime_unavailable`; its inputs run on. Nothing of it keeps the process alive. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export type { Client };

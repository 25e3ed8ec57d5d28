// The composition root: the only file that knows which store, which hosts and which catalog a runtime is made of.
// `Runtime` and `WorkerHandle` are the face that an embedding Backend sees; they hold no state of their own.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { v7 as uuidv7 } from 'uuid';
import { Channels } from './channels/channels.ts';
import { createChannel, openChannel } from './channels/open.ts';
import type { RuntimeChannel } from './channels/open.ts';
import type { ChannelOptions, ChannelRef } from './protocol/channel-ref.ts';
import type { ReadableOptions } from './channels/streams.ts';
import { GreenroomError } from './errors.ts';
import type { Readable, Writable } from 'node:stream';
import { Groups } from './functions/groups.ts';
import { Peers } from './functions/peers.ts';
import { Functions, functionView } from './functions/registry.ts';
import type { FunctionQuery } from './functions/registry.ts';
import { InlineHosts } from './host/inline.ts';
import { HostPool } from './host/pool.ts';
import type { RuntimeServices } from './host/services.ts';
import { resolveLimits } from './limits.ts';
import type { Limits } from './limits.ts';
import { Outside } from './outside.ts';
import type { OutsideOptions } from './outside.ts';
import { silentLog } from './observe/log.ts';
import type { Logger } from './observe/log.ts';
import { ENGINE_NAME } from './protocol/function-ids.ts';
import { decode, encode, payloadBytes, requireSize } from './protocol/payload.ts';
import type {
  ActorView,
  CloseReport,
  FunctionView,
  PeerSummary,
  PeerView,
  RuntimeView,
  WorkerSummary,
} from './protocol/views.ts';
import { MemoryStore } from './store/memory.ts';
import { ActorChannels } from './supervisor/actor-channels.ts';
import { actorCalls } from './supervisor/actor-calls.ts';
import { registerActorFunctions } from './supervisor/actor-functions.ts';
import { requireTimeout } from './supervisor/asking.ts';
import { Catalog } from './supervisor/catalog.ts';
import { WorkerHandle } from './supervisor/handle.ts';
import type { ActorConfig, ActorShape } from './protocol/shapes.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import type { CreateRequest, ListQuery } from './supervisor/supervisor.ts';

export interface RuntimeOptions extends OutsideOptions {
  /** Folders (every module in them), paths of modules, or file URLs. */
  readonly actors: readonly (string | URL)[];
  /** Default `memory`: everything is gone when the process ends. */
  readonly store?: 'memory' | undefined;
  /** Threads that run workers; 0 runs them on the main thread, for tests and debugging. Default: one less than the cores, 1 to 8. */
  readonly hosts?: number | undefined;
  /** Default: a UUIDv7. */
  readonly runtimeId?: string | undefined;
  readonly displayName?: string | undefined;
  /** Each has a default; see limits.ts. */
  readonly limits?: Partial<Limits> | undefined;
  /** Default: says nothing. */
  readonly log?: Logger | undefined;
}

/** More threads than this gain nothing before the main thread is the limit. */
const MAX_HOSTS = 256;
const MAX_DEFAULT_HOSTS = 8;
/** How long `close` lets accepted inputs run unless the call says otherwise. */
const CLOSE_DEADLINE_MS = 10_000;

/** Starts a runtime. Rejects with `invalid_option`, `invalid_actor`, or the cause why a host cannot start. */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const limits = resolveLimits(options.limits);
  const hostCount = resolveHosts(options.hosts);
  const log = options.log ?? silentLog;
  const { maxTranscriptEntries: maxEntries, maxTranscriptBytes: maxBytes } = limits;
  // Unlike the ids of an earlier run, so that an old id finds nothing instead of another input.
  const inputIdPrefix = `${Date.now().toString(36)}${randomBytes(4).toString('hex')}-`;
  const channels = new Channels(limits);
  const actorChannels = new ActorChannels(channels);
  const peers = new Peers();
  const supervisor = new Supervisor({
    identity: {
      runtimeId: options.runtimeId ?? uuidv7(),
      displayName: options.displayName ?? null,
      version: readVersion(),
    },
    limits,
    catalog: await Catalog.load(options.actors, limits),
    store: new MemoryStore({ maxEntries, maxBytes }),
    log,
    inputIdPrefix,
    onLeft: (workerId) => actorChannels.closeOf(workerId),
    peers,
  });
  const functions: Functions = new Functions(
    new Groups({
      peers,
      version: supervisor.identity.version,
      isWorker: (name) => name === ENGINE_NAME || supervisor.hasName(name) || peers.isRemote(name),
      countOf: (group) => functions.countListed(group),
    }),
  );
  const checkPayload = (bytes: Uint8Array) => supervisor.checkPayload(bytes);
  const outside = new Outside(options, { functions, limits, log, checkPayload, version: supervisor.identity.version });
  registerActorFunctions(supervisor, functions);
  const services = actorCalls(supervisor, functions, actorChannels, log);
  const factory =
    hostCount === 0
      ? new InlineHosts({ inputIdPrefix, limits, services })
      : new HostPool({ maxHosts: hostCount, inputIdPrefix, limits, services });
  await supervisor.open(factory, Math.max(hostCount, 1));
  return new Runtime({ supervisor, functions, peers, channels, outside });
}

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

  constructor(parts: Pick<Runtime, 'supervisor' | 'functions' | 'peers' | 'channels' | 'outside'>) {
    this.supervisor = parts.supervisor;
    this.functions = parts.functions;
    this.peers = parts.peers;
    this.channels = parts.channels;
    this.outside = parts.outside;
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

  async describe(): Promise<RuntimeView> {
    return { ...(await this.supervisor.describe()), functions: this.functions.size };
  }

  /**
   * Refuses new work at once, lets what was accepted run for `deadlineMs` (default 10 s), cancels the rest, and kills what
   * does not end within `limits.cancelGraceMs` after that. The process can then end by itself.
   */
  async close(options: { readonly deadlineMs?: number } = {}): Promise<CloseReport> {
    const report = await this.supervisor.close(options.deadlineMs ?? CLOSE_DEADLINE_MS);
    this.channels.closeAll();
    await this.outside.close();
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.supervisor.status === 'running') await this.close();
  }
}

/** Loads an actor module in a host of its own and says what it is. Rejects with `invalid_actor`, whatever the module does. */
export async function checkActorModule(module: URL): Promise<{ kind: string; description: string | null }> {
  const limits = resolveLimits();
  const pool = new HostPool({ maxHosts: 1, inputIdPrefix: '', limits, services: NO_SERVICES });
  const host = pool.launch('check', { reply: () => undefined, emitted: () => undefined });
  try {
    await host.ready;
    return await host.inspect(module.href);
  } catch (thrown) {
    const { code } = thrown as GreenroomError;
    if (code === 'host_lost')
      throw GreenroomError.of('invalid_actor', {
        message: 'it makes the process exit when it is loaded',
        cause: thrown,
      });
    if (code === 'timeout')
      throw GreenroomError.of('invalid_actor', { message: `it is not loaded within ${limits.startTimeoutMs} ms` });
    throw thrown;
  } finally {
    host.kill(new Error('checked'));
    await host.exited;
    await pool.close();
  }
}

const refuse = (): never => {
  throw GreenroomError.of('runtime_unavailable', { message: 'A module that is being checked has no runtime.' });
};

const NO_SERVICES: RuntimeServices = {
  log: () => undefined,
  ask: refuse,
  tell: refuse,
  create: refuse,
  stop: refuse,
  invoke: refuse,
  after: refuse,
  createChannel: refuse,
  takeChannel: refuse,
  readChannel: refuse,
  writeChannel: refuse,
  endChannel: refuse,
};

/** Throws `invalid_input` or `payload_too_large`. Nothing is sent as null. */
function encodeSent(value: unknown, { maxMessageBytes }: Limits): string {
  const text = encode(value ?? null);
  requireSize(payloadBytes(text), maxMessageBytes, 'ask');
  return text;
}

function resolveHosts(given: number | undefined): number {
  const hosts = given ?? Math.min(Math.max(availableParallelism() - 1, 1), MAX_DEFAULT_HOSTS);
  if (!Number.isSafeInteger(hosts) || hosts < 0 || hosts > MAX_HOSTS) {
    throw GreenroomError.of('invalid_option', {
      message: `hosts must be a whole number from 0 to ${MAX_HOSTS}, not ${String(given)}`,
    });
  }
  return hosts;
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

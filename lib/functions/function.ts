// The contract of functions: a named unit `ns::name` that anything may call. Who serves it is its owner: a remote, the actors
// of a kind, the runtime itself, a group. One registry holds them all, and one suite (test/contract/functions.ts) is run by every owner.

import type { Payload } from '../protocol/payload.ts';

/** What a worker in the listings is: a local actor's, a process that connected, functions of a generated source, the runtime. */
export type Origin = 'actor' | 'remote' | 'group' | 'runtime';

/** Who asks. Comes from the session or the thread that the call arrived on, never from the call. */
export interface Caller {
  /** The id of the remote or of the actor's worker; null for a Backend. */
  readonly workerId: string | null;
  /** Number of the input that the actor's worker handles. */
  readonly inputSeq?: number | undefined;
}

/** How far a call has come, as its server counts. */
export interface CallProgress {
  readonly progress: number;
  readonly total?: number | undefined;
  readonly message?: string | undefined;
}

export interface FunctionCall {
  /** One JSON value, encoded, and known to be well-formed. */
  readonly payload: Payload;
  /** Encoded likewise; null if there is none. Remotes' handlers get it as their second argument. */
  readonly metadata: Payload | null;
  readonly caller: Caller;
  /** From now; then the caller is told `timeout` and the owner's slot is free. */
  readonly timeoutMs: number;
  /** W3C trace context, passed through as it came. */
  readonly traceparent?: string | undefined;
  readonly baggage?: string | undefined;
  /** Aborting ends the caller's wait with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** Told how far the call has come, by servers that say so: tools of MCP. Gives the call no more time. Must not throw. */
  readonly onProgress?: ((progress: CallProgress) => void) | undefined;
}

export interface FunctionSpec {
  readonly functionId: string;
  readonly description: string | null;
  /** JSON Schema; undefined where the owner gave none. */
  readonly requestFormat?: unknown;
  readonly responseFormat?: unknown;
  /** Whatever its owner says of it; `internal: true` hides it from listings. */
  readonly metadata?: unknown;
}

/** What the listings show as the worker of a function. */
export interface ListedWorker {
  /** Its id in the listings of workers; unique. */
  readonly ownerId: string;
  readonly origin: Origin;
  /** For people; null while it has not said one. */
  readonly name: string | null;
}

export interface FunctionServer {
  /**
   * Answers a call with one encoded JSON value, `null` for nothing. Settles within `timeoutMs`, whatever happens. Rejects with a
   * GreenroomError: `worker_busy` when its line is full, `timeout`, `cancelled`, `invocation_stopped`, `invocation_failed`,
   * `invocation_failed_payload_too_large`, or the code that the function chose.
   */
  serve(fn: RegisteredFunction, call: FunctionCall): Promise<Payload>;
}

/** Who registered a function, and alone may release it. As a rule it answers the calls too, and is shown as their worker. */
export interface FunctionOwner extends ListedWorker, FunctionServer {}

/** A function as it is registered. Frozen: another registration is another object, which is how a release knows its own. */
export interface RegisteredFunction extends FunctionSpec {
  readonly owner: FunctionOwner;
  /** Answers its calls: its owner, unless it registered something that the runtime calls in its stead. Shows nothing of itself. */
  readonly server: FunctionServer;
  /** Its owner, or the group that it belongs to. */
  readonly worker: ListedWorker;
}

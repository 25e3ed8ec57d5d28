// Everything that an author of actors needs, and nothing else: this module is loaded in every host.
// An actor is a behaviour; a worker is one running instance of it, with an id, a mailbox, a state and a transcript.

import type { Readable, Writable } from 'node:stream';
import type { GenericSchema, InferInput, InferOutput } from 'valibot';
import type { ChannelOptions, ChannelRef, ChannelRefs } from './protocol/channel-ref.ts';
import type { ReadableOptions } from './channels/streams.ts';
import type { MailboxLimits } from './limits.ts';
import type { EndedEvent } from './protocol/ended-event.ts';
import type { FunctionQuery } from './protocol/function-query.ts';
import type { Durability, FunctionView, Isolation, RestartPolicy, Strategy } from './protocol/views.ts';

export type { ChannelOptions, ChannelRef, ChannelRefs } from './protocol/channel-ref.ts';
export type { ReadableOptions } from './channels/streams.ts';
export type { MailboxLimits } from './limits.ts';
export type { EndedEvent } from './protocol/ended-event.ts';
export type { FunctionQuery } from './protocol/function-query.ts';
export type { FunctionView } from './protocol/views.ts';

/** What `receive` and `stopped` get beside the input: the worker's view of itself and of the runtime. */
export interface ActorContext<Config = unknown, State = unknown> {
  readonly workerId: string;
  /** Id of the input being handled; the last one handled, in `stopped`. */
  readonly inputId: string;
  /** 1 at first; higher when the input runs again because its worker, its host or the runtime ended under it (`onInterrupt: 'retry'`). */
  readonly attempt: number;
  readonly config: Config;
  /** Plain JSON. Saved after each completed input; an input that fails or is cancelled leaves it as it was. */
  state: State;
  /** Aborts when this input is to end: it is cancelled, runs for too long (`handlerTimeoutMs`), its worker is stopped, or has crashed. */
  readonly signal: AbortSignal;
  /** True once this input is cancelled. Works in a synchronous loop: it looks at memory shared with the supervisor. */
  readonly cancelled: boolean;
  /** Throws when this input is cancelled; call it in loops. */
  checkpoint(): void;
  /** Appends an `emitted` entry to the transcript, now. Throws `payload_too_large`, and `worker_busy` while 32 MiB of this host's entries are on their way. */
  emit(data: unknown): void;
  readonly log: ActorLog;
  /** Sends an input to a worker and waits for its outcome. Rejects with the same codes as an ask from outside, and with `call_cycle` where it would wait for itself. */
  ask(workerId: string, input: unknown, options?: { timeoutMs?: number }): Promise<unknown>;
  /** Sends an input to a worker; resolves to its input id once it is accepted. */
  tell(workerId: string, input: unknown): Promise<string>;
  /** Creates a worker, a child of this one; resolves to its id. Rejects with `worker_stopping` once this one is to stop. */
  create(request: { kind: string; workerId?: string; config?: unknown; displayName?: string }): Promise<string>;
  /** Stops a worker, and its children before it. Waits for that, unless it would be for itself: then the input it is handling ends first. */
  stop(workerId: string, options?: { drain?: boolean; reason?: string }): Promise<void>;
  /**
   * Has `ended` called once when that worker has stopped, failed or been deleted; at once if it has, or is not there. Not when it hibernates
   * or is restarted. Lasts until then, or until this worker ends, and not beyond the end of the process. Rejects with
   * `unsupported_operation` (an actor without `ended`, itself, or no worker) or `worker_busy` (more than 1,024 watches).
   */
  watch(workerId: string): Promise<void>;
  /** A notice that waits in the mailbox by now arrives all the same. */
  unwatch(workerId: string): Promise<void>;
  /**
   * Calls a function, whoever serves it. `timeoutMs`: default `limits.invocationTimeoutMs`. `metadata` is a JSON value beside the
   * payload; `worker_id` in it says which worker of an actor is meant. Rejects with `function_not_found`, or as the function does.
   */
  invoke(functionId: string, payload: unknown, options?: { timeoutMs?: number; metadata?: unknown }): Promise<unknown>;
  /**
   * A page of the functions that can be called, ascending by id, with their schemas. Rejects with `payload_too_large` when the page
   * is larger than a message may be, and with `invalid_request` for a limit that is none.
   */
  functions(query?: FunctionQuery): Promise<{ functions: FunctionView[]; nextAfter: string | null }>;
  /**
   * Sends an input to this worker after a time (ms, 0 to a day); it arrives through the mailbox, whether the worker is awake by then or not. With a durable
   * input it is set when that one completes, and outlives the process. Forgotten when the worker stops. Returns the name of the timer.
   * Throws `invalid_request`; an input that the actor does not take, and a timer beyond 1,024 of this worker, are logged and do nothing.
   */
  after(delayMs: number, input: unknown, options?: TimerOptions): string;
  /**
   * The same again and again: after each period (ms, 10 to a day), or at the times of a cron pattern of five fields, or six with seconds first.
   * While the input of the time before has no outcome, a time is skipped; after a pause, times that have passed come to one. Throws
   * `invalid_request` for a pattern that is none, or never comes.
   */
  every(every: number | string, input: unknown, options?: RepeatOptions): string;
  /** Takes a timer back, when the input completes; an input that it has sent already stays. Does nothing when there is none of that name. */
  cancelTimer(name: string): void;
  /**
   * Keeps this worker on its host though it is idle, for what is in its memory only: until the function that is returned is called,
   * the worker is stopped, its host dies, or is recycled. The reason, of 1 to 256 characters, is shown with the worker. Throws `invalid_request`; of
   * more than 64 at a time, those beyond are logged and do nothing.
   */
  keepAwake(reason: string): () => void;
  /**
   * Makes a channel, for more than a message can hold. It ends with this worker, unless its writer is through by then.
   * Rejects with `runtime_overloaded`.
   */
  channel(options?: ChannelOptions): Promise<ActorChannel>;
  /**
   * The stream of an end that somebody has passed on; writing a string sends one text message. It fails when this input is
   * cancelled, may outlive it otherwise, and ends with this worker. Rejects with `channel_not_found` or `channel_taken`.
   */
  openChannel(ref: ChannelRef<'read'>, options?: ReadableOptions): Promise<Readable>;
  openChannel(ref: ChannelRef<'write'>): Promise<Writable>;
  openChannel(ref: ChannelRef, options?: ReadableOptions): Promise<Readable | Writable>;
}

export interface TimerOptions {
  /** 1 to 128 of `A-Z a-z 0-9 . _ : -`; replaces this worker's timer of that name. Default: a new one. */
  readonly name?: string;
}

export interface RepeatOptions extends TimerOptions {
  /** Of a cron pattern: an IANA name, such as `Europe/Berlin`. Default `UTC`. */
  readonly timeZone?: string;
}

/** A new channel: pass one reference on, and open the other end. */
export interface ActorChannel extends ChannelRefs {
  readable(options?: ReadableOptions): Promise<Readable>;
  writable(): Promise<Writable>;
}

/** One JSON line in the runtime's log, with the worker's id. Never put a secret or an input into it. */
export interface ActorLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** Schemas by the name of the function that they belong to. */
type Schemas = Readonly<Record<string, GenericSchema>>;
type InputOf<Schema> = Schema extends GenericSchema ? InferInput<Schema> : unknown;
type OutputOf<Schema> = Schema extends GenericSchema ? InferOutput<Schema> : unknown;

/** What an actor serves beside its inputs: by name, each with a schema of its own. */
export type ActorFunctions<Inputs, Outputs, Config, State> = {
  readonly [Name in keyof Inputs]: {
    readonly description?: string;
    /** What a call must bring; anything else is refused with `invalid_input` and does not run. */
    readonly input: Inputs[Name];
    /** Handles one call, as `receive` handles an input: through the mailbox, one at a time, with the worker's state. */
    readonly run: (
      payload: OutputOf<Inputs[Name]>,
      ctx: ActorContext<Config, State>,
    ) => Name extends keyof Outputs ? InputOf<Outputs[Name]> | Promise<InputOf<Outputs[Name]>> : unknown;
  };
} & {
  readonly [Name in keyof Outputs]: {
    /** What `run` must return; anything else fails the call with `invalid_output`. Without it, any JSON. */
    readonly output?: Outputs[Name];
  };
};

/** When its workers come back after a death, and when they are given up. */
export interface RestartOptions {
  /**
   * `permanent` (default): after any death. `transient`: after an abnormal one only, which is all but an exit with code 0. `temporary`: never.
   * A worker that does not come back is `failed` after an abnormal death, and `stopped` after a normal one.
   */
  readonly policy?: RestartPolicy;
  /** Deaths within `withinMs` that it may survive, from 0; one more and it is `failed`, until it is restored. Default `limits.maxRestarts`. */
  readonly maxRestarts?: number;
  /** From 1. Default `limits.restartWindowMs`. */
  readonly withinMs?: number;
}

export interface ActorDefinition<
  ConfigSchema extends GenericSchema = GenericSchema,
  InputSchema extends GenericSchema = GenericSchema,
  OutputSchema extends GenericSchema = GenericSchema,
  State = unknown,
  Inputs extends Schemas = Schemas,
  Outputs = Schemas,
> {
  /** Name of the behaviour: 1 to 128 of `A-Z a-z 0-9 . _ : -`, unique in a runtime. */
  readonly kind: string;
  readonly description?: string;
  /** What `create` accepts as config. Without it, anything. */
  readonly config?: ConfigSchema;
  /** What the worker accepts; anything else is refused with `invalid_input` and does not run. */
  readonly input: InputSchema;
  /** What `receive` must return; anything else fails the input with `invalid_output`. */
  readonly output?: OutputSchema;
  /** Bounds of what waits in front of the worker; capacity 0 makes it turn-based. */
  readonly mailbox?: Partial<MailboxLimits>;
  /**
   * What its workers run on, with the same code. `shared` (default): a thread together with others. `dedicated`: a thread of its own for each.
   * `process`: a process of its own for each, for native code that blocks and memory that must be contained.
   */
  readonly isolation?: Isolation;
  /** A worker that has run out of memory, or blocked its host in native code, is moved one step up, for good: shared, dedicated, process. Default false. */
  readonly promote?: boolean;
  /**
   * How long a worker is idle before it hibernates: it leaves its host, runs `stopped`, keeps its state, and wakes with the next input. 0:
   * never; with a durable store such a worker is started again with the runtime. Default `limits.idleAfterMs`.
   */
  readonly idleAfterMs?: number;
  readonly restart?: RestartOptions;
  /**
   * Makes its workers supervisors of those that they create (`ctx.create`). When one of these dies, it is restarted: alone (`one_for_one`),
   * with all its siblings (`one_for_all`), or with those created after it (`rest_for_one`). When one has failed, its parent dies of it
   * (`child_failed`). Default: none; each child is restarted alone, and its failure is its own.
   */
  readonly strategy?: Strategy;
  /**
   * How long one input may run, from the start of its handler, before it is cancelled, and after `limits.cancelGraceMs` its host killed; it ends
   * as `failed` with `handler_timeout`, and does not run again. 0: as long as it takes. Default 0.
   */
  readonly handlerTimeoutMs?: number;
  /** With `onInterrupt: 'retry'`: deaths that an input may be running at; the last of so many ends it as `poison_input`. From 1. Default `limits.maxAttempts`. */
  readonly maxAttempts?: number;
  /** What becomes of the running input when its host dies, or its worker crashes: `unknown` ends it so (default), `retry` runs it again. */
  readonly onInterrupt?: 'unknown' | 'retry';
  /**
   * With a durable store: `durable` (default) acknowledges an input when it is on disk; `volatile` keeps it in memory only, for inputs that
   * may be lost with the process. An input may say otherwise.
   */
  readonly durability?: Durability;
  /** The first state of a worker; plain JSON. */
  readonly state?: (config: InferOutput<ConfigSchema>) => State;
  /**
   * Version of the state's shape, a whole number from 1; saved with the state. Raise it when a saved state no longer fits the
   * code. Default: the state has no versions, which counts as version 0.
   */
  readonly stateVersion?: number;
  /**
   * Makes a state of this version from a saved one of an older version, when a worker starts with one; pure, and not async. What it
   * returns is saved before the next input runs. If it throws (an ActorError's message is told), returns nothing, a promise, or what
   * is not JSON or too large, that worker is `failed` with `migration_failed`, its saved state untouched, until it is restored.
   * A saved state of a newer version fails so without a call.
   */
  readonly migrate?: (old: unknown, fromVersion: number) => NoInfer<State>;
  /** Handles one input; never runs twice at once for one worker. What it returns or throws is the outcome. */
  readonly receive: (
    input: InferOutput<InputSchema>,
    ctx: ActorContext<InferOutput<ConfigSchema>, State>,
  ) => InferInput<OutputSchema> | Promise<InferInput<OutputSchema>>;
  /**
   * Functions that anything may call as `kind::name`; a name is 1 to 64 of `A-Z a-z 0-9 . _ -`. A call goes to the worker that its
   * metadata names (`worker_id`), else to the one whose id is the kind, which the first call creates with an empty config.
   */
  readonly functions?: ActorFunctions<Inputs, Outputs, InferOutput<ConfigSchema>, State>;
  /** Handles the end of a worker that this one watches (`ctx.watch`), as `receive` handles an input: through the mailbox, one at a time. */
  readonly ended?: (event: EndedEvent, ctx: ActorContext<InferOutput<ConfigSchema>, State>) => unknown;
  /** Runs when the worker leaves its host in an orderly way: it is stopped, hibernates, moves, or the runtime closes; not when its host dies. At most `limits.stopTimeoutMs`. */
  readonly stopped?: (ctx: ActorContext<InferOutput<ConfigSchema>, State>) => void | Promise<void>;
}

/** Identity with inference: config, input, output, state and `ctx` are typed from the schemas, without annotations. */
export function defineActor<
  InputSchema extends GenericSchema,
  ConfigSchema extends GenericSchema = GenericSchema,
  OutputSchema extends GenericSchema = GenericSchema,
  State = undefined,
  Inputs extends Schemas = Schemas,
  Outputs = Schemas,
>(
  definition: ActorDefinition<ConfigSchema, InputSchema, OutputSchema, State, Inputs, Outputs>,
): ActorDefinition<ConfigSchema, InputSchema, OutputSchema, State, Inputs, Outputs> {
  return definition;
}

/** An actor's own, typed refusal: its code, message, retryable and details reach the caller unchanged. */
export class ActorError extends Error {
  override readonly name = 'ActorError';
  readonly code: string;
  readonly retryable: boolean;
  readonly details: Record<string, unknown> | undefined;

  /** @param code lower_snake_case; callers match on it */
  constructor(code: string, message: string, options: { retryable?: boolean; details?: Record<string, unknown> } = {}) {
    super(message);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details;
  }
}

// The contract between the supervisor and whatever runs workers: a thread of the pool, or the main thread itself.
// A host is one failure domain: when it dies, `exited` settles once, with the cause, and nothing else of it ever answers.

import type { WireError } from '../errors.ts';
import type { ErrorDescription, LogLevel } from '../observe/log.ts';
import type { Body, ControlFrame, ReplyCode, Ticket } from '../protocol/frames.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Isolation } from '../protocol/views.ts';

/** What a host needs to start a worker. `slot` is its place on that host, given by the supervisor. */
export interface WorkerSpec {
  readonly slot: number;
  readonly workerId: string;
  /** URL of the actor's module. */
  readonly module: string;
  readonly config: Payload;
  /** The last saved state; null for the first start. */
  readonly state: Payload | null;
  /** Version of the actor that it was saved by, 0 for one without versions. */
  readonly stateVersion: number;
}

/**
 * What is to be saved before the worker's first input runs: its first state, or a migrated one, with the version of the actor; null
 * if it has no state, or goes on with the saved one. Or why it could not start.
 */
export type StartResult = StartedState | { readonly error: WireError };

export interface StartedState {
  readonly state: Payload | null;
  readonly stateVersion: number;
}

export interface HostExit {
  /** `closed` in an orderly way, `killed` by the supervisor, `crashed` otherwise. */
  readonly type: 'closed' | 'killed' | 'crashed';
  readonly error: Error | null;
}

export interface HostStats {
  /** Since the last look, 0 to 1. */
  readonly utilization: number;
  readonly heapBytes: number;
}

/** A worker has crashed, and its host has not: something has failed that the worker had started and nothing of it waited for. */
export interface Crash {
  readonly cause: 'unhandled_rejection' | 'uncaught_exception';
  readonly error: ErrorDescription;
}

/** A line for the log: of `ctx.log`, of the host itself, or what an actor has printed. */
export interface LogLine {
  readonly level: Exclude<LogLevel, 'silent'>;
  /** Plain JSON values. */
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** What a host tells the supervisor. `ticket` is the very object that was sent. */
export interface HostEvents {
  reply(ticket: Ticket, code: ReplyCode, startedAt: number, endedAt: number, body: Body, state: Payload | null): void;
  emitted(workerSlot: number, seq: number, at: number, data: Payload): void;
  /** The host has dropped the worker, after all that is told of it before. It answers none of the worker's inputs any more. */
  crashed(workerSlot: number, crash: Crash): void;
  /** An input of a worker that has crashed takes no room any more. */
  dropped(): void;
  logged(line: LogLine): void;
}

export interface Host {
  readonly hostId: string;
  /** Resolves when the host can take workers; rejects with the cause if it dies or takes too long. */
  readonly ready: Promise<void>;
  /** Resolves, never rejects, when the host is gone. */
  readonly exited: Promise<HostExit>;
  /** False while as much is on its way to it as one host may hold (WINDOW_PER_HOST, WINDOW_BYTES_PER_HOST). */
  readonly hasRoom: boolean;
  startWorkers(specs: readonly WorkerSpec[]): Promise<StartResult[]>;
  /** Runs `stopped` of each after the inputs that the host still holds of it, and unloads it. Resolves when all are through. */
  stopWorkers(workerSlots: readonly number[]): Promise<void>;
  /** Parses and validates untrusted input off the main thread. Rejects with `invalid_json` or `invalid_input`. */
  validate(module: string, payload: Payload): Promise<void>;
  /** Looks whether untrusted bytes are one JSON value, off the main thread. Rejects with `invalid_json`. */
  checkJson(payload: Payload): Promise<void>;
  /** Loads a module and says what it is. Rejects with `invalid_actor`. */
  inspect(module: string): Promise<{ kind: string; description: string | null }>;
  send(workerSlot: number, ticket: Ticket): void;
  /** Overtakes inputs. See ControlFrame. */
  cancel(frame: ControlFrame): void;
  /** Low 32 bits of the seq of the input that the worker started last; readable after the death of the host too. */
  lastStarted(workerSlot: number): number;
  /** When it started that one, on the clock of the runtime; 0 if it has started none. */
  startedAt(workerSlot: number): number;
  /** Slot of the worker whose handler was on the stack when last heard of, -1 if none. */
  current(): number;
  stats(): Promise<HostStats>;
  /** Ends the host at once. Synchronous loops included; blocking native code only when it returns. */
  kill(cause: Error): void;
  /** Ends the host in an orderly way; call it when its workers have stopped. */
  close(): Promise<void>;
}

/** What is to be launched. `hostId` is given by the supervisor and never used twice. */
export interface HostLaunch {
  readonly hostId: string;
  readonly isolation: Isolation;
}

/** Makes hosts: of threads and processes, or on the main thread. */
export interface HostFactory {
  launch(launch: HostLaunch, events: HostEvents): Host;
  close(): Promise<void>;
}

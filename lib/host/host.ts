// The contract between the supervisor and whatever runs workers: a thread of the pool, or the main thread itself.
// A host is one failure domain: when it dies, `exited` settles once, with the cause, and nothing else of it ever answers.

import type { WireError } from '../errors.ts';
import type { LinkFault } from '../protocol/batches.ts';
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
  /** Why, in the words of endings.ts. */
  readonly error: Error | null;
}

/** Signs of life of a host, read without its help: it may be stuck. */
export interface HostPulse {
  /** Number of the last ping that it has answered; 0 before the first. */
  readonly beat: number;
  /** Changes with each input that is entered, and each look of a handler at whether it is cancelled. */
  readonly progress: number;
  /** For how long the handler on the stack has made none, if it has made none at all; 0 if it has, and where that is not known. */
  readonly quietMs: number;
  /** Event loop utilisation since the last look, 0 to 1. */
  readonly utilization: number;
  /** Of its JavaScript, when it answered last. */
  readonly heapBytes: number;
  /** Of Buffers and the like, when it answered last. */
  readonly externalBytes: number;
  /** CPU time of its thread since its start; null where that cannot be told (it can on Linux). */
  readonly cpuMs: number | null;
  /** The same and the time in which it was ready to run and got no CPU. */
  readonly wantedCpuMs: number | null;
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
  /** The wire has lost or changed what it was given: the host is to be killed. Without it, it is. */
  broken?(cause: LinkFault): void;
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
  /** Resolves, never rejects, when the host is gone, or cut off. */
  readonly exited: Promise<HostExit>;
  /** Resolves, never rejects, when nothing of it runs any more. */
  readonly ended: Promise<void>;
  /** Inputs that it may hold at a time. */
  readonly window: number;
  /** False while as much is on its way to it as one host may hold (`window`, WINDOW_BYTES_PER_HOST). */
  readonly hasRoom: boolean;
  /** Inputs that were sent and are not answered. */
  readonly inFlight: number;
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
  /** Asks for a sign of life. Returns the number that shows in the pulse when the host has come to it. */
  ping(): number;
  pulse(): HostPulse;
  /** Whether it answers an interrupt, within a moment: running JavaScript does, native code does not. Null where Node cannot ask. */
  interrupt(): Promise<boolean> | null;
  /** Ends the host at once. Synchronous loops included; blocking native code only when it returns. */
  kill(cause: Error): void;
  /** Takes a host that was killed and does not end for dead: `exited` resolves, and nothing of it is heard any more. */
  cutOff(): void;
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

// The shapes that callers see: of workers, inputs, receipts, transcripts and the runtime.
// In process they are camelCase; on the wire the same objects are snake_case (casing.ts).

import type { WireError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { HostView, Isolation } from './host-views.ts';

export { ISOLATIONS, HOST_STATUSES, VERDICTS } from './host-views.ts';
export type { Isolation, HostStatus, Verdict, HostView, HostDetail, KillCertificate } from './host-views.ts';
export { toCamelCase, toSnakeCase } from './casing.ts';

export const WORKER_STATUSES = [
  'starting',
  'idle',
  'running',
  'stopping',
  'stopped',
  'restarting',
  'failed',
  'hibernated',
] as const;
export type WorkerStatus = (typeof WORKER_STATUSES)[number];

export const OUTCOMES = ['completed', 'failed', 'cancelled', 'expired', 'unknown'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const ENTRY_TYPES = [
  'created',
  'input',
  'output',
  'emitted',
  'cancelled',
  'failed',
  'restarted',
  'killed',
  'promoted',
  'stopped',
] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

export const DURABILITIES = ['durable', 'volatile'] as const;
/** `durable`: acknowledged when it is on disk, if the store has one. `volatile`: kept in memory only. */
export type Durability = (typeof DURABILITIES)[number];

export const RESTART_POLICIES = ['permanent', 'transient', 'temporary'] as const;
export type RestartPolicy = (typeof RESTART_POLICIES)[number];

export const STRATEGIES = ['one_for_one', 'one_for_all', 'rest_for_one'] as const;
/** Which children of a worker are restarted when one of them dies: that one, all, or that one and those that were created after it. */
export type Strategy = (typeof STRATEGIES)[number];

/** RFC 3339 in UTC with milliseconds. */
export type Timestamp = string;

export interface WorkerSummary {
  workerId: string;
  origin: 'actor';
  kind: string;
  displayName: string | null;
  status: WorkerStatus;
  createdAt: Timestamp;
  /** Waiting inputs; the running one is not counted. */
  mailbox: { messages: number; bytes: number };
}

export interface WorkerView extends WorkerSummary {
  config: unknown;
  hostId: string | null;
  /** What it runs on; above what its actor says after a promotion. */
  isolation: Isolation;
  /** The worker that created it and that its end is told to; null for one that was created from outside. */
  parentId: string | null;
  /** Times that it came back after a host died. */
  restarts: number;
  running: { inputId: string; ageMs: number; attempt: number } | null;
  /** Why it is `failed` or `restarting`; null otherwise. */
  failure: WireError | null;
  /** The last deaths that were held against it, 16 at most, the oldest first; forgotten when it is restored. A death that it did not cause is not among them. */
  deaths: DeathView[];
  /** Why it does not hibernate; null while it does, and when it has stopped or failed. */
  awake: AwakeView | null;
  /** Sequences of the oldest transcript entry that is kept, and of the newest. */
  firstSequence: number;
  lastSequence: number;
}

/** One death of a worker. */
export interface DeathView {
  at: Timestamp;
  /** `exited`, `threw`, `start_failed`, `uncaught_exception`, or what its host was killed for (see KillCertificate). */
  cause: string;
  hostId: string | null;
}

/**
 * `inputs`: it has some to run. `kept`: its actor has asked for it. `channels`: it has some. `always`: its actor never hibernates.
 * `recent`: it has had something to do not long ago.
 */
export const AWAKE_REASONS = ['starting', 'stopping', 'inputs', 'kept', 'channels', 'always', 'recent'] as const;
export type AwakeReason = (typeof AWAKE_REASONS)[number];

export interface AwakeView {
  reasons: AwakeReason[];
  /** What its actor has given as reasons. */
  kept: string[];
  /** When it will, if nothing comes; null while something else than `recent` keeps it. */
  hibernatesAt: Timestamp | null;
}

export const PEER_STATUSES = ['connected', 'available', 'disconnected'] as const;
export type PeerStatus = (typeof PEER_STATUSES)[number];

/** A remote or a group in the listing of workers. */
export interface PeerSummary {
  workerId: string;
  origin: 'remote' | 'group';
  kind: null;
  displayName: string | null;
  status: PeerStatus;
  createdAt: Timestamp;
  /** Calls that wait for its answers, and their encoded bytes. */
  mailbox: { messages: number; bytes: number };
  /** How many functions it serves. */
  functions: number;
  /** What it says it runs on (`node`, `python`) and in which version; null while it has not said. */
  runtime: string | null;
  version: string | null;
  connectedAt: Timestamp;
  /** Calls that it is answering, and calls of its own that it waits for. */
  inFlight: number;
  /** Why it went; null while it is connected. */
  disconnectReason: string | null;
}

export interface PeerView extends PeerSummary {
  description: string | null;
  os: string | null;
  pid: number | null;
  isolation: string | null;
  /** Where its socket comes from. */
  address: string | null;
  /** Answers of it that nobody waited for: late, given twice, or never asked for. */
  lateResults: number;
  /** Registrations that were refused, the newest last. */
  refused: { functionId: string; code: string }[];
}

/** A function as callers see it. Formats are JSON Schema. */
export interface FunctionView {
  functionId: string;
  origin: 'actor' | 'remote' | 'group' | 'runtime';
  /** Who serves it. */
  workerId: string;
  workerName: string;
  description: string | null;
  requestFormat: unknown;
  responseFormat: unknown;
  metadata: unknown;
}

export const SOURCE_STATUSES = ['available', 'connecting', 'failed'] as const;
export type SourceStatus = (typeof SOURCE_STATUSES)[number];

/** What the last reading changed. */
export interface SourceChange {
  added: number;
  changed: number;
  removed: number;
  unchanged: number;
}

/** A source in the listing. Says nothing of where it is or how it is reached. */
export interface SourceSummary {
  name: string;
  type: string;
  title: string | null;
  /** `failed`: its last reading, or its connection, failed. The functions of the reading before go on. */
  status: SourceStatus;
  /** Code of what went wrong last; null while nothing is wrong. */
  error: string | null;
  functions: number;
  createdAt: Timestamp;
  /** When it was read last, with success. */
  refreshedAt: Timestamp | null;
  lastChange: SourceChange | null;
  /** How many operations are left out, or served without a part. */
  unmappedTotal: number;
}

export interface SourceView extends SourceSummary {
  /** The first of them. */
  unmapped: readonly UnmappedView[];
}

export interface UnmappedView {
  readonly operation: string;
  readonly reason: string;
  readonly isServed: boolean;
}

/** What a dry run would make. */
export interface SourcePreview {
  name: string;
  type: string;
  title: string | null;
  functions: readonly {
    functionId: string;
    description: string | null;
    requestFormat: unknown;
    responseFormat: unknown;
  }[];
  /** Schemas that are null here for want of room. */
  formatsOmitted: number;
  unmapped: readonly UnmappedView[];
  unmappedTotal: number;
}

/** What the sender of an accepted input gets. `position`: inputs that will run before it, the running one included. */
export interface Receipt {
  workerId: string;
  inputId: string;
  status: WorkerStatus;
  position: number;
  /** `durable`: it is on disk. `volatile`: it ends with the process, as all does without a durable store. */
  durability: Durability;
}

/** The outcome of an input, as its sender sees it. `output` with `completed`, `error` with every other outcome. */
export interface InputResult {
  inputId: string;
  outcome: Outcome;
  output?: unknown;
  error?: WireError;
  /** Absent when it never started, and when its host died before it could tell. */
  startedAt?: Timestamp;
  endedAt: Timestamp;
}

export interface InputView extends Omit<InputResult, 'outcome' | 'endedAt'> {
  workerId: string;
  status: 'waiting' | 'running' | 'ended';
  outcome?: Outcome;
  attempt: number;
  acceptedAt: Timestamp;
  endedAt?: Timestamp;
}

/** `effect`: `removed` it was waiting, `aborting` it was told to end, `ended` it had ended before, `none` nothing was running. */
export interface CancelAck {
  workerId: string;
  status: WorkerStatus;
  effect: 'none' | 'removed' | 'aborting' | 'ended';
  inputId?: string;
  outcome?: Outcome;
}

/** Given once the worker has stopped: inputs that still ran to their end, were cancelled, and were refused meanwhile. */
export interface StopAck {
  workerId: string;
  status: WorkerStatus;
  drained: number;
  cancelled: number;
  refused: number;
  /** Workers below it that were stopped with it, if there were any. */
  children?: number;
  reason?: string;
}

export interface TranscriptEntry {
  sequence: number;
  at: Timestamp;
  type: EntryType;
  inputId?: string;
  data: unknown;
}

export interface TranscriptPage {
  workerId: string;
  /** Sequence of the oldest entry that is kept. */
  firstSequence: number;
  items: TranscriptEntry[];
  /** Pass it as `after` to read on. */
  nextAfter: number;
  hasMore: boolean;
}

export interface ActorView {
  kind: string;
  description: string | null;
  inputSchema: unknown;
  configSchema: unknown;
  outputSchema: unknown;
  isolation: Isolation;
  /** Of its inputs, unless an input says otherwise. */
  durability: Durability;
  mailbox: { capacity: number; maxBytes: number };
  /** How long its workers are idle before they hibernate; 0 is never. */
  idleAfterMs: number;
  /** What it serves as functions, beside its inputs. */
  functions: { functionId: string; description: string | null; inputSchema: unknown; outputSchema: unknown }[];
}

/** An input that is not delivered again. */
export interface DeadLetterSummary {
  inputId: string;
  workerId: string;
  kind: string;
  /** Host deaths at which it was running. */
  attempts: number;
  bytes: number;
  error: WireError;
  acceptedAt: Timestamp;
  endedAt: Timestamp;
}

export interface DeadLetterView extends DeadLetterSummary {
  payload: unknown;
}

/** Sizes and speed of a durable store. */
export interface StorageView {
  fileBytes: number;
  /** What is not on disk yet. */
  pendingBytes: number;
  /** What is on disk, and not in its place yet. */
  journalBytes: number;
  /** Since the start. */
  commits: number;
  /** How long a commit takes, of the last thousand or so. */
  commitMs: { p50: number; p99: number };
}

export interface RuntimeView {
  runtimeId: string;
  displayName: string | null;
  version: string;
  status: 'running' | 'draining' | 'stopped';
  store: string;
  /** Null unless the store is durable. */
  storage: StorageView | null;
  uptimeMs: number;
  /** `total`, and one count per status that occurs. */
  workers: { total: number } & Partial<Record<WorkerStatus, number>>;
  hosts: HostView[];
  mailbox: { messages: number; bytes: number };
  /** How many functions are registered, the runtime's own included. */
  functions: number;
  /** Remotes that are connected. */
  remotes: { connected: number };
  sources: { total: number; failed: number };
  limits: Limits;
}

/** What `close` did with the inputs that were there, and how many hosts had to be killed. */
export interface CloseReport {
  finished: number;
  refused: number;
  cancelled: number;
  killed: number;
  /** Inputs without an outcome that a durable store keeps for the next start, as far as their workers were in memory. */
  kept: number;
  /** Workers that did not end in an orderly way, and why; the first of them. */
  unclean: { workerId: string; reason: string }[];
  /** How many that are. */
  uncleanTotal: number;
}

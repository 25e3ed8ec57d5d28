// Every bound in the product: a name with its unit, a default, a reason, and the checks that they fit together.
// What has no limit here has no limit in the code either, and that is a defect.

import { GreenroomError } from './errors.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bounds that an operator may set; all are whole numbers greater than zero. */
export interface Limits {
  /** The largest message on every hop, in both directions, in encoded bytes. Default 16 MiB. */
  readonly maxMessageBytes: number;
  /** Memory for all inputs that are accepted and not yet ended: INPUT_COPIES times their bytes, and INPUT_OVERHEAD_BYTES for each. Default 512 MiB. */
  readonly maxTotalBytes: number;
  /** How many workers the runtime holds. Default 1,000,000. */
  readonly maxWorkers: number;
  /** From a cancel (a stop without drain, the end of `handlerTimeoutMs`) to the kill of the host, if the handler does not end. Default 5 s. */
  readonly cancelGraceMs: number;
  /** How long `ask` waits unless the call says otherwise; starts when the input is accepted. Default 30 s. */
  readonly askTimeoutMs: number;
  /** How long a stop with drain may take before what is left is cancelled, `stopped` may take, and what runs on a host that is recycled may go on. Default 30 s. */
  readonly stopTimeoutMs: number;
  /** How long a host may take to start, or to load and start workers. Default 10 s. */
  readonly startTimeoutMs: number;
  /** Receipts of ended inputs that are kept. Default 8,192. */
  readonly maxReceipts: number;
  /** Bytes of outputs kept with those receipts. Default 64 MiB. */
  readonly maxReceiptBytes: number;
  /** Age at which the receipt of an ended input is forgotten. Default 10 min. */
  readonly receiptTtlMs: number;
  /** Receipts with an idempotency key that are kept. Default 16,384. */
  readonly maxIdempotencyKeys: number;
  /** Age at which an idempotency key is forgotten, from the end of its input. Default 24 h. */
  readonly idempotencyTtlMs: number;
  /** Transcript entries kept per worker, two for each input. Default 256: what is kept is what the garbage collector copies. */
  readonly maxTranscriptEntries: number;
  /** Transcript bytes kept per worker; the newest entry is always kept. Default 1 MiB. */
  readonly maxTranscriptBytes: number;
  /** Age of a transcript's entries from which they are dropped; the newest entry is always kept. Default 14 days. */
  readonly maxTranscriptAgeMs: number;
  /** How long a worker is idle before it leaves its host and hibernates, unless its actor says otherwise; 0 is never. Default 60 s. */
  readonly idleAfterMs: number;
  /** Rough memory of the workers that are loaded from a durable store; above it those that have been idle longest hibernate early. Default 128 MiB. */
  readonly maxLoadedBytes: number;
  /** Restarts of one worker that are allowed within restartWindowMs, unless its actor says otherwise; one more death and it is `failed`. Default 5. */
  readonly maxRestarts: number;
  /** The window in which restarts are counted, unless the actor says otherwise. Default 60 s. */
  readonly restartWindowMs: number;
  /** Deaths that an input may be running at, unless its actor says otherwise; the last of so many ends it as `poison_input`. Default 3. */
  readonly maxAttempts: number;
  /** Dead letters that are kept; the oldest go first. Default 1,024. */
  readonly maxDeadLetters: number;
  /** Bytes of their inputs; the oldest go first. Default 64 MiB. */
  readonly maxDeadLetterBytes: number;
  /** How long a host may give no sign of life before it is killed: a loop that never ends, a wait that blocks, native code. A handler that awaits does give one, and so does one that calls `ctx.checkpoint()`. Default 30 s. */
  readonly stuckAfterMs: number;
  /** Hosts that belong to one worker each (`isolation: 'dedicated'` or `'process'`); a worker beyond it waits for a place. Default 64. */
  readonly maxOwnHosts: number;
  /** JavaScript heap of a host that workers share. Above four fifths it is recycled, above all of it killed. Default 4 GiB. */
  readonly sharedHeapBytes: number;
  /** The same for a thread that belongs to one worker. Default 1 GiB. */
  readonly dedicatedHeapBytes: number;
  /** The same for a process that belongs to one worker. Default 1 GiB. */
  readonly processHeapBytes: number;
  /** Memory outside the heap (Buffers) of one host. Above four fifths it is recycled, above all of it killed. Default 1 GiB. */
  readonly hostExternalBytes: number;
  /** Age at which a host is recycled; 0 is never. Default 0. */
  readonly hostMaxAgeMs: number;
  /** Inputs handled after which a host is recycled; 0 is never. Default 0. */
  readonly hostMaxInputs: number;
  /** The largest frame that a peer's socket reads; one above maxMessageBytes and up to this is refused with an answer, a larger one costs the connection. Default 2 x maxMessageBytes, at least 64 KiB above it. */
  readonly maxFrameBytes: number;
  /** How long a call of a function may take before its caller is told `timeout` and its slot is free. Default 30 s. */
  readonly invocationTimeoutMs: number;
  /** Calls that one remote may have to answer, and that it may have made, at a time. Default 1,024. */
  readonly maxCallsInFlight: number;
  /** Remotes that may be connected. Default 5,000. */
  readonly maxRemotes: number;
  /** Functions that one remote may register. Default 4,096. */
  readonly maxFunctionsPerRemote: number;
  /** Channels that may be open. Default 4,096. */
  readonly maxChannels: number;
  /** How long a channel may be without a message, or an end without a taker, before it is closed. Default 5 min. */
  readonly channelIdleMs: number;
  /** Requests that one function over HTTP may have under way. Default 128. */
  readonly maxHttpCallsPerFunction: number;
  /** Requests that may be under way to one origin (scheme, host and port), and so its connections. Default 256. */
  readonly maxHttpCallsPerOrigin: number;
  /** Sources of functions. Default 256. */
  readonly maxSources: number;
  /** Functions of one source; as many over HTTP may be registered without one. Default 4,096. */
  readonly maxFunctionsPerSource: number;
  /** The largest document of a source, with all that it refers to. Default 32 MiB. */
  readonly maxSourceBytes: number;
}

export const DEFAULT_LIMITS: Limits = Object.freeze({
  maxMessageBytes: 16 * MiB,
  maxTotalBytes: 512 * MiB,
  maxWorkers: 1_000_000,
  cancelGraceMs: 5_000,
  askTimeoutMs: 30_000,
  stopTimeoutMs: 30_000,
  startTimeoutMs: 10_000,
  maxReceipts: 8_192,
  maxReceiptBytes: 64 * MiB,
  receiptTtlMs: 10 * 60_000,
  maxIdempotencyKeys: 16_384,
  idempotencyTtlMs: 24 * 3_600_000,
  maxTranscriptEntries: 256,
  maxTranscriptBytes: 1 * MiB,
  maxTranscriptAgeMs: 14 * 24 * 3_600_000,
  idleAfterMs: 60_000,
  maxLoadedBytes: 128 * MiB,
  maxRestarts: 5,
  restartWindowMs: 60_000,
  maxAttempts: 3,
  maxDeadLetters: 1_024,
  maxDeadLetterBytes: 64 * MiB,
  stuckAfterMs: 30_000,
  maxOwnHosts: 64,
  sharedHeapBytes: 4_096 * MiB,
  dedicatedHeapBytes: 1_024 * MiB,
  processHeapBytes: 1_024 * MiB,
  hostExternalBytes: 1_024 * MiB,
  hostMaxAgeMs: 0,
  hostMaxInputs: 0,
  maxFrameBytes: 32 * MiB,
  invocationTimeoutMs: 30_000,
  maxCallsInFlight: 1_024,
  maxRemotes: 5_000,
  maxFunctionsPerRemote: 4_096,
  maxChannels: 4_096,
  channelIdleMs: 5 * 60_000,
  maxHttpCallsPerFunction: 128,
  maxHttpCallsPerOrigin: 256,
  maxSources: 256,
  maxFunctionsPerSource: 4_096,
  maxSourceBytes: 32 * MiB,
});

/** Bounds of one actor's mailbox: what waits in front of the worker; the running input is not counted. */
export interface MailboxLimits {
  /** Waiting inputs. 0 makes the worker turn-based: it accepts an input only while it is idle. Default 1,024. */
  readonly capacity: number;
  /** Encoded bytes of the waiting inputs. At least maxMessageBytes. Default 64 MiB. */
  readonly maxBytes: number;
}

export const DEFAULT_MAILBOX: MailboxLimits = Object.freeze({ capacity: 1_024, maxBytes: 64 * MiB });

// --- fixed bounds: part of the contract or of the design, not for operators ---

/** What one waiting input costs in memory beside its bytes: the record, its asker, and the collector's room for them (measured: 1,400 to 1,700 bytes of RSS). */
export const INPUT_OVERHEAD_BYTES = 1_536;
/** How often its bytes are held: with the supervisor, and in its host or in the transcript. */
export const INPUT_COPIES = 2;
/** Inputs of one worker that its host may hold, however long each takes. */
export const CREDITS_PER_WORKER = 64;
/** The same for a worker that gets through them within a slice: it must not run dry while the next ones are on their way (measured: 1.6 times the asks to one worker). */
export const CREDITS_PER_QUICK_WORKER = 1_024;
/** Bytes of one worker's inputs at its host; a single larger input still travels alone. */
export const CREDIT_BYTES_PER_WORKER = 1 * MiB;
/** Inputs at one host, all workers together: bounds what a dying host can hold and what a port's invisible line can grow to. */
export const WINDOW_PER_HOST = 16_384;
/** Encoded bytes at one host before it gets no further input; one input may exceed it, since it has to travel. */
export const WINDOW_BYTES_PER_HOST = 64 * MiB;
/** Inputs, or replies, gathered before they leave in the middle of a turn, so that both threads work at once (measured: +40 % asks). */
export const BATCH_FRAMES = 128;
/** Payloads up to this length travel joined; the host holds them parsed, which takes several times their size. */
export const SHORT_PAYLOAD_CHARS = 1_024;
/** Encoded bytes gathered for one host before they leave in the middle of a turn. */
export const BATCH_BYTES = 1 * MiB;
/** Workers that one host can run: the size of its shared progress table (4 bytes each, untouched pages cost nothing). */
export const WORKERS_PER_HOST = 1_048_576;
/** How long a host handles inputs before it gives its event loop a turn. */
export const SLICE_MS = 5;
/** Inputs up to this size are parsed and validated on the main thread; larger ones in the worker's host, so that the main loop never stalls. */
export const INLINE_PARSE_BYTES = 64 * KiB;
/** Nesting depth of a JSON message. */
export const MAX_JSON_DEPTH = 128;
/** Characters of a worker id; the grammar is `A-Z a-z 0-9 . _ : -`. */
export const MAX_WORKER_ID_CHARS = 128;
/** Characters of an idempotency key. */
export const MAX_IDEMPOTENCY_KEY_CHARS = 255;
/** Characters of a reason that a caller gives with stop or cancel. */
export const MAX_REASON_CHARS = 1_024;
/** Characters of a display name. */
export const MAX_DISPLAY_NAME_CHARS = 256;
/** Characters that travel of a message or details of an actor's error; the rest is cut. */
export const MAX_ERROR_CHARS = 8_192;
/** Pages of the REST API: items of one listing. */
export const MAX_PAGE_ITEMS = 1_000;
/** Longest `Prefer: wait`, longest deadline of an input, longest ask, in ms: a day. */
export const MAX_WAIT_MS = 24 * 3_600_000;
/** How long whoever has sent an input waits for a durable store to take it. A commit takes milliseconds; this is for a disk that hangs. */
export const ACCEPT_TIMEOUT_MS = 30_000;
/** The longest that a timer of Node can run; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Log lines of one host that may be on their way to the log; more are counted and dropped. */
export const LOG_LINES_IN_FLIGHT = 256;
/** What the workers of one host have emitted and the runtime has not taken yet; above it `ctx.emit` throws `worker_busy`. */
export const EMITTED_BYTES_PER_HOST = 33_554_432;
/** Of the fields of one line as JSON; of longer ones only the names are written. */
export const LOG_LINE_CHARS = 65_536;
/** Requests of one host's actors (`ctx.ask`, `ctx.tell`, …) that may be pending; more are refused with `worker_busy`. */
export const SERVICE_CALLS_IN_FLIGHT = 4_096;
/** Timers (`ctx.after`) that one worker may have pending. */
export const TIMERS_PER_WORKER = 1_024;
/** Workers that one worker may watch (`ctx.watch`) at a time. */
export const WATCHES_PER_WORKER = 1_024;
/** Inputs that one durable input may tell to others, and timers that it may set, before it has completed; and their bytes. */
export const EFFECTS_PER_INPUT = 4_096;
export const EFFECT_BYTES_PER_INPUT = 64 * MiB;
/** Reasons to stay awake (`ctx.keepAwake`) that one worker may have at a time. */
export const KEEP_AWAKE_REASONS = 64;
/** Characters of such a reason. */
export const MAX_KEEP_AWAKE_CHARS = 256;
/** How often the watchdog looks at each host. */
export const WATCH_EVERY_MS = 250;
/** How long a host that was killed may take to end; then it is quarantined: native code that does not return cannot be killed. */
export const KILL_DEADLINE_MS = 500;
/** Part of a host's memory bounds above which it is recycled. */
export const SOFT_MEMORY_PERCENT = 80;
/** Hosts that are gone and are still listed, with how they ended. */
export const DEAD_HOSTS_KEPT = 64;
/** First and longest pause before a restart; it doubles in between. */
export const RESTART_BACKOFF_MS = 20;
export const MAX_RESTART_BACKOFF_MS = 5_000;

/** How far the largest frame that is read lies above the largest message at least: room for the frame of a message that is just too large. */
export const FRAME_MARGIN_BYTES = 64 * KiB;
/** Bytes that one channel buffers before its writer has to wait; one message may exceed it. */
export const CHANNEL_BUFFER_BYTES = 1 * MiB;
/** Messages that one channel buffers: the default, and the most that may be asked for. */
export const CHANNEL_MESSAGES = 64;
export const MAX_CHANNEL_MESSAGES = 1_024;
/** Characters of a function id. */
export const MAX_FUNCTION_ID_CHARS = 256;
/** Remotes that have gone and are still listed, with the reason. */
export const LOST_PEERS_KEPT = 256;
/** For how long. */
export const LOST_PEERS_KEPT_MS = 10 * 60_000;
/** How long one reading of a source may take, whoever waits for it. */
export const SOURCE_READ_TIMEOUT_MS = 60_000;
/** What a registration may hold beside its id: description, formats and metadata. */
export const MAX_REGISTRATION_BYTES = 256 * KiB;

/** Where 0 means never. */
const MAY_BE_ZERO: ReadonlySet<string> = new Set(['idleAfterMs', 'hostMaxAgeMs', 'hostMaxInputs']);

/** The least that a limit may be. */
export function leastOf(name: string): 0 | 1 {
  return MAY_BE_ZERO.has(name) ? 0 : 1;
}

/** Fills in the defaults and refuses what is not a whole number above zero, or does not fit together. Throws `invalid_option`. */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  const limits: Limits = { ...DEFAULT_LIMITS, ...derived(given.maxMessageBytes), ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) throw invalid(name, 'is not a limit');
    requireWhole(name, value, leastOf(name));
    // No timer waits for that.
    if (name === 'maxTranscriptAgeMs') continue;
    if (name.endsWith('Ms') && value > MAX_TIMER_MS) throw invalid(name, `must be at most ${MAX_TIMER_MS}`);
  }
  requireAtLeast('maxTotalBytes', limits.maxTotalBytes, 'maxMessageBytes', limits.maxMessageBytes);
  const leastFrameBytes = limits.maxMessageBytes + FRAME_MARGIN_BYTES;
  requireAtLeast('maxFrameBytes', limits.maxFrameBytes, `maxMessageBytes + ${FRAME_MARGIN_BYTES}`, leastFrameBytes);
  if (limits.askTimeoutMs > MAX_WAIT_MS) throw invalid('askTimeoutMs', `must be at most ${MAX_WAIT_MS}`);
  return Object.freeze(limits);
}

/** Limits whose default follows from another. */
function derived(maxMessageBytes: unknown): Partial<Limits> {
  if (typeof maxMessageBytes !== 'number') return {};
  return { maxFrameBytes: Math.max(2 * maxMessageBytes, maxMessageBytes + FRAME_MARGIN_BYTES) };
}

/** The mailbox of one actor, checked against the runtime's limits. Throws `invalid_option`. */
export function resolveMailbox(given: Partial<MailboxLimits> | undefined, limits: Limits): MailboxLimits {
  const maxBytes = Math.max(DEFAULT_MAILBOX.maxBytes, limits.maxMessageBytes);
  const mailbox: MailboxLimits = { ...DEFAULT_MAILBOX, maxBytes, ...given };
  requireWhole('mailbox.capacity', mailbox.capacity, 0);
  requireWhole('mailbox.maxBytes', mailbox.maxBytes, 1);
  requireAtLeast('mailbox.maxBytes', mailbox.maxBytes, 'maxMessageBytes', limits.maxMessageBytes);
  return Object.freeze(mailbox);
}

function requireWhole(name: string, value: unknown, least: number): void {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
    throw invalid(name, `must be a whole number of at least ${least}, not ${String(value)} (${typeof value})`);
  }
}

function requireAtLeast(name: string, value: number, otherName: string, other: number): void {
  if (value < other) throw invalid(name, `is ${value}, but must be at least ${otherName} (${other})`);
}

function invalid(name: string, problem: string): GreenroomError {
  return GreenroomError.of('invalid_option', { message: `${name} ${problem}`, details: { option: name } });
}

// What the client is told: where the runtime is, with which credential, and how long and how much a call may take.
// Also what callers give with single calls. Checked here, before anything is sent; no message quotes a credential.

import { readFile } from 'node:fs/promises';
import { GreenroomError } from '../errors.ts';
import { DEFAULT_LIMITS, MAX_IDEMPOTENCY_KEY_CHARS, MAX_WAIT_MS } from '../limits.ts';
import { DURABILITIES } from '../protocol/views.ts';
import type { Durability } from '../protocol/views.ts';

/** For Backends only: the token is the runtime's credential and may do everything. Never put it where a browser can read it. */
export interface ClientOptions {
  /** `http:` or `https:`; a path in it is put in front of every route. */
  readonly url: string | URL;
  /** The runtime's bearer token. Give this or `tokenFile`. */
  readonly token?: string | undefined;
  /** A file that holds the token. Read at the first call, and again after the runtime refused what it held. */
  readonly tokenFile?: string | URL | undefined;
  /** How long one call may take, its retries included, unless the call says otherwise. Default 30 s. */
  readonly timeoutMs?: number | undefined;
  /** The largest message, encoded; checked before it is sent. Should be the runtime's own limit. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** Asks that wait at the runtime at the same time; each holds a connection. Further ones wait in line. Default 128. */
  readonly connections?: number | undefined;
}

export interface ResolvedOptions {
  readonly origin: string;
  /** Path in front of every route, without a slash at its end. */
  readonly basePath: string;
  readonly token: string | undefined;
  readonly tokenFile: string | URL | undefined;
  readonly timeoutMs: number;
  readonly maxMessageBytes: number;
  readonly connections: number;
}

/** What every call takes. */
export interface CallOptions {
  /** From now to the answer, retries included. Default: the client's. */
  readonly timeoutMs?: number | undefined;
  /** Stops waiting: the call rejects with `cancelled` and the signal's reason as its cause. */
  readonly signal?: AbortSignal | undefined;
}

export interface AskOptions extends CallOptions {
  /** Makes repeating safe: the runtime accepts one input per key. With it the client repeats refused and broken attempts by itself. */
  readonly idempotencyKey?: string | undefined;
  /** `durable`: acknowledged when it is on disk, if the runtime has a durable store. `volatile`: kept in memory only. Default: as the actor says. */
  readonly durability?: Durability | undefined;
}

export interface TranscriptOptions extends CallOptions {
  /** A sequence. Default 0. */
  readonly after?: number | undefined;
  /** Goes on with the oldest entry that is kept, instead of throwing `transcript_trimmed`. Default false. */
  readonly skipTrimmed?: boolean | undefined;
}

export interface TellOptions extends AskOptions {
  /** The input expires if it has not started by then. Default: never. */
  readonly deadlineMs?: number | undefined;
}

export interface InvokeOptions extends CallOptions {
  /** A JSON value that goes along in a header, so at most a few KiB of it. `worker_id` in it says which worker of an actor is meant. */
  readonly metadata?: unknown;
  /** Does not wait for the value: the outcome is a line in the runtime's log. Default false. */
  readonly respondAsync?: boolean | undefined;
}

/** One input of a batch across workers. */
export interface BatchInput {
  readonly workerId: string;
  readonly input: unknown;
  /** Makes repeating safe: the runtime accepts one input per worker and key. */
  readonly idempotencyKey?: string | undefined;
  /** The input expires if it has not started by then, from its acceptance. Default: the batch's. */
  readonly deadlineMs?: number | undefined;
  /** Default: the batch's. */
  readonly durability?: Durability | undefined;
}

export interface TellAllOptions {
  /** The longest that the runtime may take for the next receipt while it owes one, on top of `waitMs`. Default: the client's timeout. */
  readonly timeoutMs?: number | undefined;
  /** How long the runtime lets an input wait for room before it refuses it; 0: not at all. Default: the runtime's, 10 s. */
  readonly waitMs?: number | undefined;
  /** Each input expires if it has not started by then, from its acceptance. Default: never. */
  readonly deadlineMs?: number | undefined;
  /** Of each input that does not say otherwise. Default: as its actor says. */
  readonly durability?: Durability | undefined;
  /** Ends the batch: it throws `cancelled`. What was accepted stays accepted. */
  readonly signal?: AbortSignal | undefined;
}

// --- checks ---

const DEFAULT_CONNECTIONS = 128;
const OPTION_NAMES = new Set(['url', 'token', 'tokenFile', 'timeoutMs', 'maxMessageBytes', 'connections']);

/** Fills in the defaults. Throws `invalid_option` and names the option. */
export function resolveOptions(given: ClientOptions): ResolvedOptions {
  for (const name of Object.keys(given))
    if (!OPTION_NAMES.has(name)) throw invalid(name, 'is not an option of the client');
  const { token, tokenFile } = given;
  if ((token === undefined) === (tokenFile === undefined))
    throw invalid('token', 'or tokenFile must be given, and not both');
  return Object.freeze({
    ...resolveUrl(given.url),
    token: token === undefined ? undefined : requireToken(token, 'token'),
    tokenFile,
    timeoutMs: requireWhole('timeoutMs', given.timeoutMs ?? DEFAULT_LIMITS.askTimeoutMs, MAX_WAIT_MS),
    maxMessageBytes: requireWhole(
      'maxMessageBytes',
      given.maxMessageBytes ?? DEFAULT_LIMITS.maxMessageBytes,
      Number.MAX_SAFE_INTEGER,
    ),
    connections: requireWhole('connections', given.connections ?? DEFAULT_CONNECTIONS, 65_535),
  });
}

/** Throws `invalid_option`; the message never quotes the file or its path. */
export async function readTokenFile(file: string | URL): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw invalid('tokenFile', 'cannot be read', cause);
  }
  return requireToken(text.trim(), 'tokenFile');
}

/** Refuses what cannot travel in a header. The message never quotes the token. */
function requireToken(token: string, name: 'token' | 'tokenFile'): string {
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalid(name, 'must hold visible ASCII characters only, at least one');
  return token;
}

/** A whole number from 1 to `max`. Throws `invalid_option`. */
function requireWhole(name: string, value: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > max)
    throw invalid(name, `must be a whole number from 1 to ${max}`);
  return value;
}

/** A time of one call: above 0, at most a day. Throws `invalid_request`, as the embedded API does. */
export function requireMs(name: string, ms: number): number {
  if (ms > 0 && ms <= MAX_WAIT_MS) return ms;
  throw GreenroomError.of('invalid_request', { message: `${name} must be above 0 and at most ${MAX_WAIT_MS}.` });
}

/** Refuses keys that a header cannot carry. Throws `invalid_request`. */
export function requireIdempotencyKey(key: string): string {
  if (key.length <= MAX_IDEMPOTENCY_KEY_CHARS && /^[\x20-\x7e]+$/.test(key) && key.trim() === key) return key;
  const message = `idempotencyKey must be 1 to ${MAX_IDEMPOTENCY_KEY_CHARS} printable ASCII characters, no space at its ends.`;
  throw GreenroomError.of('invalid_request', { message });
}

/** Throws `invalid_request`. */
export function requireDurability(durability: Durability): Durability {
  if (DURABILITIES.includes(durability)) return durability;
  throw GreenroomError.of('invalid_request', { message: `durability must be ${DURABILITIES.join(' or ')}.` });
}

function resolveUrl(given: string | URL): { origin: string; basePath: string } {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw invalid('url', 'must be an http: or https: URL');
  if (url.username !== '' || url.password !== '')
    throw invalid('url', 'must not hold a credential; use token or tokenFile');
  if (url.search !== '' || url.hash !== '') throw invalid('url', 'must not have a query or a fragment');
  return { origin: url.origin, basePath: url.pathname.replace(/\/+$/, '') };
}

function invalid(name: string, problem: string, cause?: unknown): GreenroomError {
  return GreenroomError.of('invalid_option', { message: `${name} ${problem}.`, cause });
}

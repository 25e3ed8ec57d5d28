// The headers that steer an input or a call: how long the caller waits, when the input is no longer wanted, and the key
// under which a repeated request is the same input.

import type { IncomingHttpHeaders } from 'node:http';
import { GreenroomError } from '../errors.ts';
import { MAX_IDEMPOTENCY_KEY_CHARS, MAX_WAIT_MS } from '../limits.ts';
import { DURABILITIES } from '../protocol/views.ts';
import type { Durability } from '../protocol/views.ts';
import type { DeliverOptions } from '../supervisor/options.ts';

const MAX_WAIT_SECONDS = MAX_WAIT_MS / 1000;
const NO_OPTIONS: DeliverOptions = Object.freeze({});

/** Throws `invalid_request`, naming the header. */
export function deliverOptionsOf(headers: IncomingHttpHeaders): DeliverOptions {
  const deadline = headers['greenroom-deadline-ms'];
  const key = headers['idempotency-key'];
  const durability = headers['greenroom-durability'];
  if (deadline === undefined && key === undefined && durability === undefined) return NO_OPTIONS;
  return {
    ...(deadline !== undefined && { deadlineMs: requireDeadlineMs(String(deadline), 'greenroom-deadline-ms') }),
    ...(key !== undefined && { idempotencyKey: requireIdempotencyKey(String(key), 'idempotency-key') }),
    ...(durability !== undefined && { durability: requireDurability(String(durability), 'greenroom-durability') }),
  };
}

/** `path` is what a refusal names: the header, or the member of a line. */
export function requireDeadlineMs(text: string, path: string): number {
  const ms = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (ms < 1 || ms > MAX_WAIT_MS) throw invalid(path, `expected a whole number from 1 to ${MAX_WAIT_MS}`);
  return ms;
}

export function requireIdempotencyKey(text: string, path: string): string {
  if (!/^[\x20-\x7e]+$/.test(text) || text.length > MAX_IDEMPOTENCY_KEY_CHARS) {
    throw invalid(path, `expected 1 to ${MAX_IDEMPOTENCY_KEY_CHARS} printable ASCII characters`);
  }
  return text;
}

export function requireDurability(text: string, path: string): Durability {
  const found = DURABILITIES.find((durability) => durability === text);
  if (found === undefined) throw invalid(path, `expected ${DURABILITIES.join(' or ')}`);
  return found;
}

function invalid(path: string, message: string): GreenroomError {
  return GreenroomError.of('invalid_request', { details: { issues: [{ path, message }] } });
}

const WAIT = /^wait\s*=\s*(?:(\d+(?:\.\d+)?)|"(\d+(?:\.\d+)?)")$/i;
const WAIT_NAME = /^wait\s*(?:=|$)/i;

/**
 * Seconds of `Prefer: wait` (RFC 7240), at most MAX_WAIT_MS; undefined when it is absent or malformed, since preferences that
 * cannot be honoured are ignored. Of several the first counts. Fractions are tolerated.
 */
export function waitSecondsOf(prefer: string | string[] | undefined): number | undefined {
  if (prefer === undefined) return undefined;
  for (const preference of split(String(prefer), ',')) {
    const [first = ''] = split(preference, ';');
    const token = first.trim();
    if (!WAIT_NAME.test(token)) continue;
    const match = WAIT.exec(token);
    return match === null ? undefined : Math.min(Number(match[1] ?? match[2]), MAX_WAIT_SECONDS);
  }
  return undefined;
}

/** Whether `Prefer` has `respond-async` (RFC 7240): the caller does not wait for the outcome. */
export function prefersAsync(prefer: string | string[] | undefined): boolean {
  if (prefer === undefined) return false;
  return split(String(prefer), ',').some((preference) => {
    const [token = ''] = split(preference, ';');
    return token.trim().toLowerCase() === 'respond-async';
  });
}

/** Splits outside quoted strings, in one pass: the header is the client's, and may be as long as all headers together. */
function split(text: string, separator: string): string[] {
  if (!text.includes(separator)) return [text];
  const parts: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\\' && isQuoted) at++;
    else if (char === '"') isQuoted = !isQuoted;
    else if (char === separator && !isQuoted) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

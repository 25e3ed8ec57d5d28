// What a remote is told: where the runtime is, with which credential, and how large a frame may be. The rest is the SDK's.
// Checked before anything is connected; no message quotes a credential.

import type { InitOptions } from 'iii-sdk';
import { GreenroomError } from '../errors.ts';
import { DEFAULT_LIMITS, MAX_WAIT_MS } from '../limits.ts';

export interface RemoteOptions extends InitOptions {
  /** The bearer token of the runtime or of a credential of its gateway. Default: none is sent. */
  readonly token?: string;
  /** The largest frame, encoded; calls, results and registrations above it are not sent. Should be the runtime's own limit. Default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** OpenTelemetry. Default off: the SDK opens a socket of its own for it, and sends no credential on that one. */
  readonly otel?: NonNullable<InitOptions['otel']>;
}

export interface ResolvedOptions {
  readonly address: string;
  readonly maxMessageBytes: number;
  readonly init: InitOptions;
}

/** Throws `invalid_option` and names the option. */
export function resolveOptions(address: string | URL, given: RemoteOptions): ResolvedOptions {
  const { token, maxMessageBytes = DEFAULT_LIMITS.maxMessageBytes, headers = {}, ...init } = given;
  if (!Number.isSafeInteger(maxMessageBytes) || maxMessageBytes < 1)
    throw invalid('maxMessageBytes', 'must be a whole number above 0');
  requireTimeoutMs('invocationTimeoutMs', init.invocationTimeoutMs);
  return {
    address: resolveAddress(address),
    maxMessageBytes,
    init: {
      otel: { enabled: false },
      // Without telemetry there is nothing to report with, and the SDK would warn of that at every connection.
      enableMetricsReporting: init.otel !== undefined,
      ...init,
      headers: token === undefined ? headers : { ...headers, authorization: bearer(token, headers) },
    },
  };
}

/** A timer of Node that is told anything else fires at once. Throws `invalid_option`. */
export function requireTimeoutMs(name: string, ms: number | undefined): void {
  if (ms !== undefined && !(ms > 0 && ms <= MAX_WAIT_MS))
    throw invalid(name, `must be above 0 and at most ${MAX_WAIT_MS}`);
}

/** Refuses what cannot travel in a header. */
function bearer(token: string, headers: Record<string, string>): string {
  if (Object.keys(headers).some((name) => name.toLowerCase() === 'authorization'))
    throw invalid('token', 'and the header authorization cannot both be given');
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalid('token', 'must hold visible ASCII characters only, at least one');
  return `Bearer ${token}`;
}

/** The SDK makes the addresses of channels by appending to it, so that it can have neither a query nor a slash at its end. */
function resolveAddress(given: string | URL): string {
  const url = URL.canParse(String(given)) ? new URL(given) : undefined;
  if (url === undefined || (url.protocol !== 'ws:' && url.protocol !== 'wss:'))
    throw invalid('address', 'must be a ws: or wss: URL');
  if (url.username !== '' || url.password !== '') throw invalid('address', 'must not hold a credential; use token');
  if (url.search !== '' || url.hash !== '') throw invalid('address', 'must not have a query or a fragment');
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function invalid(name: string, problem: string): GreenroomError {
  return GreenroomError.of('invalid_option', { message: `${name} ${problem}.`, details: { option: name } });
}

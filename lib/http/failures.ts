// What goes wrong between us and a server, in the words of the table of errors. None of them says where the request went: an address, a
// path or the cause of a failed look-up would tell a caller what the network behind the runtime looks like.

import { GreenroomError } from '../errors.ts';
import { BUSY_RETRY_MS } from './bounds.ts';

/** `details.reason` of `http_request_failed`. */
export type FailureReason = 'refused' | 'reset' | 'tls' | 'timeout' | 'lookup' | 'other';

const MESSAGES: Readonly<Record<FailureReason, string>> = {
  refused: 'The server refused the connection.',
  reset: 'The connection broke off before the server answered.',
  tls: 'The connection could not be secured: the certificate is not trusted, or TLS failed.',
  timeout: 'The request took longer than it may.',
  lookup: 'The name of the server could not be looked up.',
  other: 'The connection could not be made.',
};

const REASONS: Readonly<Record<string, FailureReason>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  UND_ERR_SOCKET: 'reset',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  ENOTFOUND: 'lookup',
  EAI_AGAIN: 'lookup',
  EAI_FAIL: 'lookup',
  EPROTO: 'tls',
  CERT_HAS_EXPIRED: 'tls',
  CERT_NOT_YET_VALID: 'tls',
  CERT_REVOKED: 'tls',
  CERT_SIGNATURE_FAILURE: 'tls',
  CERT_UNTRUSTED: 'tls',
  CERT_REJECTED: 'tls',
  CERT_CHAIN_TOO_LONG: 'tls',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls',
  UNABLE_TO_GET_ISSUER_CERT: 'tls',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
  HOSTNAME_MISMATCH: 'tls',
  INVALID_CA: 'tls',
  INVALID_PURPOSE: 'tls',
};
/** The last is an assertion of undici's own: a status below 100. */
const NO_HTTP: ReadonlySet<unknown> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'ERR_ASSERTION',
]);
/** How deep an error may be wrapped for its code still to be found. */
const MAX_WRAPPERS = 4;

export function requestFailed(reason: FailureReason, cause?: unknown): GreenroomError {
  return GreenroomError.of('http_request_failed', { message: MESSAGES[reason], details: { reason }, cause });
}

export function responseFailed(message?: string, cause?: unknown): GreenroomError {
  return GreenroomError.of('http_response_failed', { ...(message !== undefined && { message }), cause });
}

/** What undici, or the connector under it, failed with. `isAnswered`: the head of the answer had come. */
export function failureOf(thrown: unknown, isAnswered: boolean): GreenroomError {
  const chain = [...wrapped(thrown)];
  const ours = chain.find((error) => error instanceof GreenroomError);
  if (ours !== undefined) return ours;
  const codes = chain.map(({ code }) => (typeof code === 'string' ? code : ''));
  if (codes.some((code) => code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED'))
    return GreenroomError.of('invocation_stopped', {
      message: 'The runtime has ended its connections.',
      cause: thrown,
    });
  if (codes.includes('UND_ERR_MAX_ORIGINS_REACHED'))
    return GreenroomError.of('runtime_overloaded', {
      message: 'The runtime has connections to as many servers as it may.',
      details: { retry_after_ms: BUSY_RETRY_MS },
    });
  if (isAnswered || chain.some(isNoHttp)) return responseFailed(undefined, thrown);
  const reason = codes.map(reasonOf).find((found) => found !== undefined);
  return requestFailed(reason ?? 'other', thrown);
}

interface Thrown {
  readonly code?: unknown;
  readonly name?: unknown;
  readonly message?: unknown;
}

function* wrapped(thrown: unknown): Generator<Thrown> {
  let error = thrown;
  for (let depth = 0; depth < MAX_WRAPPERS && typeof error === 'object' && error !== null; depth++) {
    yield error;
    const { errors, cause } = error as { errors?: unknown[]; cause?: unknown };
    error = errors?.[0] ?? cause;
  }
}

function reasonOf(code: string): FailureReason | undefined {
  if (Object.hasOwn(REASONS, code)) return REASONS[code];
  return /^ERR_(?:TLS|SSL)_/.test(code) ? 'tls' : undefined;
}

/**
 * What came is no answer: not HTTP, lengths that contradict each other, headers above what is read, or an upgrade or a `100 Continue` that
 * nobody asked for.
 */
function isNoHttp({ code, name, message }: Thrown): boolean {
  if (name === 'HTTPParserError' || NO_HTTP.has(code)) return true;
  // undici has no code of its own for these.
  return code === 'UND_ERR_SOCKET' && (message === 'bad response' || message === 'bad upgrade');
}

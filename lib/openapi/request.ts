// The request that an operation and a payload make together. What the operator has set stands above what a caller gives, and credentials
// stand above both.

import type { HttpRequest } from '../http/exchange.ts';
import { isTraceparent } from '../http/headers.ts';
import type { OpenReader } from './files.ts';
import type { Operation } from './operation.ts';
import { writeParameters } from './parameters.ts';
import type { GivenParameters } from './parameters.ts';
import { credentialsOf } from './security.ts';
import type { SecurityParts } from './security.ts';
import type { Pair } from './styles.ts';
import { openBody } from './written-body.ts';
import type { WrittenBody } from './written-body.ts';

export interface RequestParts extends SecurityParts {
  /** Of the settings. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of one request. */
  readonly timeoutMs: number;
  readonly openReader: OpenReader;
}

/** Some APIs answer nobody without a name. */
const NAME = 'greenroom';
/** What the client inflates. */
const ENCODINGS = 'gzip, deflate, br';

/**
 * Throws `invalid_input`, what a missing variable throws, or what opening a channel throws. Channels are opened
 * last: who sends the request lets go of its body.
 */
export function requestOf(
  operation: Operation,
  given: { readonly parameters: GivenParameters; readonly body: WrittenBody | null },
  parts: RequestParts,
  traceparent: string | undefined,
): HttpRequest {
  const written = writeParameters(operation, given.parameters);
  const credentials = credentialsOf(operation, parts);
  const url = urlOf(operation.baseUrl, written.path, [
    ...without(written.query, credentials.query),
    ...credentials.query,
  ]);
  const headers = new Map<string, string>([
    ['user-agent', NAME],
    ['accept-encoding', ENCODINGS],
  ]);
  if (operation.accepts.length > 0) headers.set('accept', operation.accepts.join(', '));
  for (const [name, value] of written.headers) headers.set(name, value);
  for (const [name, value] of Object.entries(parts.headers)) headers.set(name.toLowerCase(), value);
  if (traceparent !== undefined && isTraceparent(traceparent)) headers.set('traceparent', traceparent);
  const cookies = [...without(written.cookies, credentials.cookies), ...credentials.cookies];
  if (cookies.length > 0) headers.set('cookie', cookies.map(([name, value]) => `${name}=${value}`).join('; '));
  if (given.body !== null) headers.set('content-type', given.body.contentType);
  for (const [name, value] of credentials.headers) headers.set(name, value);
  const body = given.body === null ? null : openBody(given.body, parts.openReader);
  return {
    method: operation.method,
    url,
    reach: 'public',
    headers: Object.fromEntries(headers),
    body,
    timeoutMs: parts.timeoutMs,
  };
}

/** A caller cannot put a second key beside the one that is configured. */
function without(given: readonly Pair[], names: readonly Pair[]): Pair[] {
  return given.filter(([name]) => !names.some(([taken]) => taken === name));
}

function urlOf(baseUrl: string, path: string, query: readonly Pair[]): URL {
  const url = new URL(baseUrl + path);
  url.search = query.map(([name, value]) => `${name}=${value}`).join('&');
  return url;
}

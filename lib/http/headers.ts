// The headers of a request: ours, those of the definition in their place or beside them, and last those that prove who asks. Whatever
// would change how the message is framed, or where it goes, is refused when the function is registered.

import { invalidRequest } from '../protocol/issues.ts';
import { MAX_HEADERS, MAX_HEADERS_BYTES } from './bounds.ts';

export type Headers = Record<string, string>;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** Those of one connection, and those that say how long a message is or whom it is for. */
const REFUSED = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'content-length',
]);

/** Whether a text can be the name of a header, or of a cookie. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Why a header of this name may not be sent; null when it may. */
export function nameProblem(name: string): string | null {
  if (!isToken(name)) return 'expected the name of a header';
  const lower = name.toLowerCase();
  return REFUSED.has(lower) || lower.startsWith('proxy-') ? 'this header may not be set' : null;
}

/** Whether a text can be the value of a header: one line, of the characters that a header has. */
export function isHeaderValue(value: string): boolean {
  return VALUE.test(value);
}

/** What is sent on; another text than the standard has is dropped. */
export function isTraceparent(text: string): boolean {
  return TRACEPARENT.test(text);
}

/** Headers of a definition, under lower-case names. Throws `invalid_request`, which names the header and never shows its value. */
export function requireHeaders(given: Readonly<Record<string, string>>): Headers {
  const headers = new Map<string, string>();
  let bytes = 0;
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase();
    const problem =
      nameProblem(name) ??
      (headers.has(lower) ? 'this header is there twice' : null) ??
      (isHeaderValue(value) ? null : 'expected one line of text in Latin-1');
    if (problem !== null) throw invalidRequest(`headers.${name.slice(0, MAX_SHOWN_CHARS)}`, problem);
    headers.set(lower, value);
    bytes += name.length + value.length;
  }
  if (headers.size > MAX_HEADERS) throw invalidRequest('headers', `expected at most ${MAX_HEADERS} headers`);
  if (bytes > MAX_HEADERS_BYTES) throw invalidRequest('headers', `expected at most ${MAX_HEADERS_BYTES} bytes`);
  return Object.fromEntries(headers);
}

/** The id of a function as a header: what ASCII does not have is percent-encoded, and so is the percent sign then. */
export function asHeaderValue(text: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text)) return text;
  return text.replace(/[^\x21-\x24\x26-\x7e]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

/** Characters of a name that an error repeats. */
const MAX_SHOWN_CHARS = 64;

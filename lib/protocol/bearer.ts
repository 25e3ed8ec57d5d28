// `Authorization: Bearer`, as the REST routes and the sockets of the gateway read it: which of the known tokens was presented.
// Compared in constant time, over all of them and for any length, so that neither a token nor its place can be told from a clock.

import { timingSafeEqual } from 'node:crypto';

/** A token above this length is refused at the start; a presented one above it is wrong. */
export const MAX_TOKEN_BYTES = 512;
const TOKEN = new RegExp(`^[\\x21-\\x7e]{1,${MAX_TOKEN_BYTES}}$`);
const SCHEME = 'bearer ';
const LENGTH_BYTES = 4;

/** The index of the token that the header holds; -1 for no header, another scheme, or a token that is not known. */
export type BearerCheck = (authorization: string | undefined) => number;

/** What a header can carry: 1 to 512 visible ASCII characters. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value);
}

/**
 * All tokens are laid into buffers of one fixed size, with their lengths in front. That costs less than hashing them, and
 * nothing is allocated per request. Each token must satisfy `isToken`.
 */
export function createBearerCheck(tokens: readonly string[]): BearerCheck {
  const expected = tokens.map((token) => lay(token, Buffer.alloc(LENGTH_BYTES + MAX_TOKEN_BYTES)));
  const presented = Buffer.alloc(LENGTH_BYTES + MAX_TOKEN_BYTES);
  return (authorization) => {
    if (authorization === undefined || authorization.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return -1;
    lay(authorization.slice(SCHEME.length), presented);
    let found = -1;
    for (const [index, token] of expected.entries()) if (timingSafeEqual(presented, token)) found = index;
    return found;
  };
}

/** Headers arrive as latin1: one byte per character. */
function lay(token: string, into: Buffer): Buffer {
  into.fill(0);
  into.writeUInt32LE(token.length, 0);
  into.write(token, LENGTH_BYTES, MAX_TOKEN_BYTES, 'latin1');
  return into;
}

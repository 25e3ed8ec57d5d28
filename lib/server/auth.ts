// Who may command the runtime: whoever holds the token, or whom the Backend lets through. There is no third way:
// serving without either is refused when the routes are registered. Nothing in a request can widen what it may do.

import { timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { GreenroomError } from '../errors.ts';
import { MAX_TOKEN_BYTES } from './bounds.ts';

export interface AuthOptions {
  /** The bearer token: 1 to 512 visible ASCII characters. */
  readonly token?: string;
  /** Instead of a token, for a Backend with its own credentials. Only `true` lets a request through. */
  readonly authenticate?: (request: FastifyRequest) => boolean;
}

export type Authenticate = (request: FastifyRequest) => boolean;

/** Throws `invalid_option` unless exactly one of the two is given. */
export function createAuthenticate({ token, authenticate }: AuthOptions): Authenticate {
  if ((token === undefined) === (authenticate === undefined)) {
    throw GreenroomError.of('invalid_option', {
      message: 'Give either `token` or `authenticate`: the runtime is not served without a credential.',
    });
  }
  // A promise is truthy; an `async` function passed by mistake must not let everybody in.
  if (authenticate !== undefined) return (request) => authenticate(request) === true;
  return createTokenCheck(token ?? '');
}

const SCHEME = 'bearer ';
const LENGTH_BYTES = 4;

/**
 * Compares in constant time for any length: both tokens are laid into buffers of one fixed size, with their lengths in
 * front. That costs less than hashing both, and nothing is allocated per request.
 */
function createTokenCheck(token: string): Authenticate {
  if (!/^[\x21-\x7e]+$/.test(token) || token.length > MAX_TOKEN_BYTES) {
    throw GreenroomError.of('invalid_option', {
      message: `\`token\` must be 1 to ${MAX_TOKEN_BYTES} visible ASCII characters.`,
    });
  }
  const expected = Buffer.alloc(LENGTH_BYTES + MAX_TOKEN_BYTES);
  const presented = Buffer.alloc(LENGTH_BYTES + MAX_TOKEN_BYTES);
  lay(token, expected);
  return (request) => {
    const header = request.headers.authorization;
    if (header === undefined || header.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return false;
    lay(header.slice(SCHEME.length), presented);
    return timingSafeEqual(presented, expected);
  };
}

/** Headers arrive as latin1: one byte per character. */
function lay(token: string, into: Buffer): void {
  into.fill(0);
  into.writeUInt32LE(token.length, 0);
  into.write(token, LENGTH_BYTES, MAX_TOKEN_BYTES, 'latin1');
}

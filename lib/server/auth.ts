// Who may command the runtime: whoever holds the token, or whom the Backend lets through. There is no third way:
// serving without either is refused when the routes are registered. Nothing in a request can widen what it may do.

import type { FastifyRequest } from 'fastify';
import { GreenroomError } from '../errors.ts';
import { createBearerCheck, isToken, MAX_TOKEN_BYTES } from '../protocol/bearer.ts';

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
  if (!isToken(token)) {
    throw GreenroomError.of('invalid_option', {
      message: `\`token\` must be 1 to ${MAX_TOKEN_BYTES} visible ASCII characters.`,
    });
  }
  const check = createBearerCheck([token]);
  return (request) => check(request.headers.authorization) === 0;
}

// An error as a peer gets it: the codes that the worker protocol spells in its own way, and no `details` object around what they tell.
// The only place where an error of the table becomes one of the wire; a stack never crosses, nor what stands behind `internal`.

import { GreenroomError } from '../errors.ts';
import { MAX_ERROR_CHARS } from '../limits.ts';
import type { ErrorBody } from './remote-frames.ts';

/** What clients of the protocol match on; every other code is the same on both sides. */
const WIRE_CODES: ReadonlyMap<string, string> = new Map([
  ['forbidden', 'FORBIDDEN'],
  ['unauthorized', 'AUTH_ERROR'],
  ['not_found', 'NOT_FOUND'],
  ['invalid_request', 'INVALID_ARGUMENTS'],
]);

/** Codes that a peer may choose: words that cannot be taken for anything else. */
const PEER_CODE = /^[A-Za-z][A-Za-z0-9_.:-]{0,63}$/;

/** Names that a detail may not take: those of the body itself, and those under which clients show a stack. */
const RESERVED = new Set(['code', 'message', 'stack', 'stacktrace']);

export function toErrorBody(error: GreenroomError): ErrorBody {
  // Whoever made it may have put a cause into its message; peers get the row of the table.
  const { code, message, details = {} } = error.code === 'internal' ? GreenroomError.of('internal') : error;
  return {
    ...Object.fromEntries(Object.entries(details).filter(([name]) => !RESERVED.has(name))),
    code: WIRE_CODES.get(code) ?? code,
    message: message.slice(0, MAX_ERROR_CHARS),
  };
}

/** Whether a peer may answer with the code. `internal` is a defect of the runtime, and told to its operator. */
export function isPeerCode(code: string): boolean {
  return PEER_CODE.test(code) && code !== 'internal';
}

// The one table of errors. Every error that leaves Greenroom, in process or over a wire, is a row of it,
// or carries a code that an actor chose for itself (see ActorError in actor.ts).
// Callers match on `code`: messages are for people and may change, class identity does not survive a wire.

import { ERRORS } from './error-table.ts';

export { ERRORS } from './error-table.ts';

export type ErrorCode = keyof typeof ERRORS;

/** The JSON shape of an error on every wire; the value of `error` in the REST envelope. */
export interface WireError {
  code: string;
  message: string;
  retryable: boolean;
  details?: Record<string, unknown>;
}

export interface ErrorOptions {
  /** Replaces the row's message. Never put a path, a stack, a token or a payload in it. */
  message?: string;
  /** Replaces the row's status: `worker_busy` is 409 for turn-based workers. */
  status?: number;
  details?: Record<string, unknown>;
  /** Kept in process for debugging; never crosses a wire. */
  cause?: unknown;
}

/** HTTP status of an error whose code an actor chose: the request was fine, the actor declined. */
const ACTOR_CODE_STATUS = 422;

export class GreenroomError extends Error {
  override readonly name = 'GreenroomError';
  readonly code: ErrorCode | (string & {});
  readonly status: number;
  readonly retryable: boolean;
  readonly details: Record<string, unknown> | undefined;

  private constructor(wire: WireError, status: number, cause: unknown) {
    // A refusal is an answer, not an accident: under overload its stack would cost more than the acceptance of an input.
    const { stackTraceLimit } = Error;
    if (wire.code !== 'internal') Error.stackTraceLimit = 0;
    super(wire.message, cause === undefined ? undefined : { cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.code = wire.code;
    this.status = status;
    this.retryable = wire.retryable;
    this.details = wire.details;
  }

  /** An error of the table. */
  static of(code: ErrorCode, options: ErrorOptions = {}): GreenroomError {
    const { status, retryable, message } = ERRORS[code];
    const wire = {
      code,
      message: options.message ?? message,
      retryable,
      ...(options.details && { details: options.details }),
    };
    return new GreenroomError(wire, options.status ?? status, options.cause);
  }

  /** What arrived over a wire, as an error again. */
  static fromWire(wire: WireError, status?: number): GreenroomError {
    return new GreenroomError(
      wire,
      status ?? (isErrorCode(wire.code) ? ERRORS[wire.code].status : ACTOR_CODE_STATUS),
      undefined,
    );
  }

  toWire(): WireError {
    const { code, message, retryable, details } = this;
    return details === undefined ? { code, message, retryable } : { code, message, retryable, details };
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** Anything that was thrown, as an error of the table: what is not ours becomes `internal` and keeps its cause in process. */
export function asGreenroomError(thrown: unknown): GreenroomError {
  return thrown instanceof GreenroomError ? thrown : GreenroomError.of('internal', { cause: thrown });
}

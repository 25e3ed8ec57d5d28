// What calls of a remote reject with. They are the SDK's own InvocationError, so that code written for it goes on working, with
// what the SDK drops: whether repeating may help, and the details. Match on `code`; the codes are those of ERRORS.md.

import { InvocationError } from 'iii-sdk';
import { ERRORS, isErrorCode } from '../errors.ts';
import { isObject } from '../protocol/payload.ts';
import type { ErrorCode } from '../errors.ts';

export const TOO_LARGE = 'invocation_failed_payload_too_large';

interface RemoteErrorInit {
  readonly code: string;
  readonly message: string;
  readonly functionId?: string | undefined;
  readonly retryable?: boolean | undefined;
  readonly details?: Record<string, unknown> | undefined;
  readonly cause?: unknown;
}

/** A call that failed: here, on its way, at the runtime or at the worker that served it. */
export class RemoteError extends InvocationError {
  /** Whether the same call may succeed later without being changed. */
  readonly retryable: boolean;
  /** What the runtime said beside code and message; undefined for nothing. */
  readonly details: Record<string, unknown> | undefined;

  constructor({ code, message, functionId, retryable, details, cause }: RemoteErrorInit) {
    super({ code, message, ...(functionId !== undefined && { function_id: functionId }) });
    this.name = 'RemoteError';
    this.retryable = retryable ?? (isErrorCode(code) && ERRORS[code].retryable);
    this.details = details;
    if (cause !== undefined) this.cause = cause;
  }

  /** An error of the table. */
  static of(code: ErrorCode, init: Partial<RemoteErrorInit> = {}): RemoteError {
    return new RemoteError({ ...init, code, message: init.message ?? ERRORS[code].message });
  }
}

/** A frame that is larger than `maxMessageBytes`; it has not been sent. */
export class PayloadTooLargeError extends RemoteError {
  declare readonly code: typeof TOO_LARGE;
  /** Of the whole encoded frame, in UTF-8. */
  readonly payloadBytes: number;
  readonly limitBytes: number;

  constructor(payloadBytes: number, limitBytes: number, functionId?: string) {
    super({
      code: TOO_LARGE,
      message: tooLargeMessage(payloadBytes, limitBytes),
      functionId,
      details: { payload_bytes: payloadBytes, limit_bytes: limitBytes },
    });
    this.name = 'PayloadTooLargeError';
    this.payloadBytes = payloadBytes;
    this.limitBytes = limitBytes;
  }
}

export function tooLargeMessage(payloadBytes: number, limitBytes: number): string {
  return `The frame has ${payloadBytes} bytes, the limit is ${limitBytes}. Send less, or send the data through a channel.`;
}

/** The error of a frame, as the runtime or another remote wrote it. Whatever it is, something with a code comes back. */
export function fromWire(body: unknown, functionId: string): Error {
  if (body instanceof Error) return body;
  const { code, message, retryable, details, ...beside } = isObject(body) ? body : {};
  if (typeof code !== 'string' || typeof message !== 'string') {
    return RemoteError.of('invocation_failed', { functionId, message: 'The function failed and did not say why.' });
  }
  // A stack of another process helps nobody here, and shows its paths.
  delete beside['stacktrace'];
  const all = { ...beside, ...(isObject(details) && details) };
  return new RemoteError({
    code,
    message,
    functionId,
    retryable: typeof retryable === 'boolean' ? retryable : undefined,
    details: Object.keys(all).length === 0 ? undefined : all,
  });
}

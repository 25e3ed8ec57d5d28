// What goes wrong between the runtime and an MCP server, as errors of the table. What a server says is passed on, cut to a bound; what the
// library or the system says is not, since it may name addresses and paths.

import {
  InsufficientScopeError,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
} from '@modelcontextprotocol/client';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import { MAX_ERROR_CHARS } from '../limits.ts';
import { invocationTooLarge } from '../protocol/payload.ts';
import { BUSY_RETRY_MS } from './bounds.ts';

/** The code of the answer that stands in for one that is too large; no server has a reason to use it. */
export const TOO_LARGE = -32_198;
const FORBIDDEN = 403;
const INVALID_PARAMS = -32_602;
const ENDED: ReadonlySet<SdkErrorCode> = new Set([SdkErrorCode.ConnectionClosed, SdkErrorCode.NotConnected]);
const NEEDS_A_USER: ReadonlySet<SdkErrorCode> = new Set([
  SdkErrorCode.UnsupportedResultType,
  SdkErrorCode.InputRequiredRoundsExceeded,
  SdkErrorCode.CapabilityNotSupported,
]);

/** Why a request had no result. `limitBytes` is that of one message. */
export function toFailure(thrown: unknown, limitBytes: number): GreenroomError {
  if (thrown instanceof GreenroomError) return thrown;
  if (thrown instanceof SdkHttpError) return httpFailure(thrown.status, thrown);
  if (thrown instanceof InsufficientScopeError) return httpFailure(FORBIDDEN, thrown);
  if (thrown instanceof SdkError) return sdkFailure(thrown);
  if (thrown instanceof ProtocolError) return protocolFailure(thrown, limitBytes);
  // The library wraps what the network and its own parsers throw in plain errors.
  const { cause } = (thrown ?? {}) as { cause?: unknown };
  if (cause instanceof GreenroomError) return cause;
  if (thrown instanceof SyntaxError || (thrown as Error | null)?.name === 'ZodError') return invalidResponse(thrown);
  return asGreenroomError(thrown);
}

function httpFailure(status: number | undefined, cause: Error): GreenroomError {
  return GreenroomError.of('http_error', {
    message: `The MCP server answered with status ${status}.`,
    details: { status },
    cause,
  });
}

function sdkFailure(thrown: SdkError): GreenroomError {
  const cause = (thrown as { cause?: unknown }).cause;
  if (cause instanceof GreenroomError) return cause;
  if (thrown.code === SdkErrorCode.RequestTimeout) {
    return GreenroomError.of('timeout', { message: 'The MCP server did not answer in time.', cause: thrown });
  }
  if (ENDED.has(thrown.code)) return GreenroomError.of('invocation_stopped', { cause: thrown });
  if (!NEEDS_A_USER.has(thrown.code)) return invalidResponse(thrown);
  return GreenroomError.of('unsupported_operation', {
    message: 'The MCP server asks for something that only a client with a user can give.',
    cause: thrown,
  });
}

function protocolFailure(thrown: ProtocolError, limitBytes: number): GreenroomError {
  if (thrown.code === TOO_LARGE) {
    const { payload_bytes: bytes } = (thrown.data ?? {}) as { payload_bytes?: unknown };
    return invocationTooLarge(Number(bytes), limitBytes);
  }
  const isRefused = thrown.code === INVALID_PARAMS;
  return GreenroomError.of(isRefused ? 'deserialization_error' : 'invocation_failed', {
    message: thrown.message.slice(0, MAX_ERROR_CHARS),
    details: { rpc_code: thrown.code },
    cause: thrown,
  });
}

function invalidResponse(cause: unknown): GreenroomError {
  return GreenroomError.of('invalid_response', {
    message: 'The MCP server answered with something that is not of the protocol.',
    cause,
  });
}

/** There is no connection, and one is being made. */
export function notConnected(): GreenroomError {
  return GreenroomError.of('worker_busy', {
    message: 'The MCP server is not connected; a connection is being made.',
    details: { retry_after_ms: BUSY_RETRY_MS },
  });
}

/** There is no connection, and none is being made. */
export function givenUp(): GreenroomError {
  return GreenroomError.of('worker_failed', {
    message: 'The process of the MCP server has ended too often; refresh the source to start it again.',
  });
}

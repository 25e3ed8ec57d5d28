// What came back, judged: an answer of the runtime, one of its errors, or something that no runtime says.
// Everything ends as a decoded object or as a GreenroomError with a code of the table; nothing of undici's gets out but as a cause.

import { errors } from 'undici';
import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';

/** One object with one noun at its top. */
export type Answer = Record<string, unknown>;

/** The value below one noun of an answer. What it looks like inside is the runtime's word; client and runtime share the types. */
export function noun<T>(answer: Answer, name: string): T {
  const value = answer[name];
  if (value === undefined || value === null) throw unexpected(`The answer has no ${name}.`);
  return value as T;
}

export function decodeAnswer(text: string, statusCode: number): Answer {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw unexpected(`The answer, with status ${statusCode}, is not JSON.`, cause);
  }
  if (typeof answer !== 'object' || answer === null)
    throw unexpected(`The answer, with status ${statusCode}, is not an object.`);
  return answer as Answer;
}

export function errorOf(answer: Answer, statusCode: number, askedPauseMs: number | undefined): GreenroomError {
  const error = answer['error'];
  if (!isWireError(error)) return unexpected(`The answer, with status ${statusCode}, is not an error of Greenroom.`);
  if (askedPauseMs === undefined || error.details?.['retry_after_ms'] !== undefined)
    return GreenroomError.fromWire(error, statusCode);
  return GreenroomError.fromWire({ ...error, details: { ...error.details, retry_after_ms: askedPauseMs } }, statusCode);
}

export function isWireError(error: unknown): error is WireError {
  if (typeof error !== 'object' || error === null) return false;
  const { code, message, retryable, details } = error as Partial<Record<keyof WireError, unknown>>;
  return (
    typeof code === 'string' &&
    typeof message === 'string' &&
    typeof retryable === 'boolean' &&
    (details === undefined || (typeof details === 'object' && details !== null))
  );
}

export function connectionError(cause: unknown): GreenroomError {
  if (cause instanceof GreenroomError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return unexpected('The answer is larger than the limit.', cause);
  if (cause instanceof errors.HTTPParserError) return unexpected('The answer is not HTTP.', cause);
  return GreenroomError.of('runtime_unavailable', { message: 'The connection to the runtime failed.', cause });
}

export function unexpected(message: string, cause?: unknown): GreenroomError {
  return GreenroomError.of('internal', cause === undefined ? { message } : { message, cause });
}

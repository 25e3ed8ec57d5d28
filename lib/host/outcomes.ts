// What a handler returned or threw, in the form in which it leaves the host: encoded once, measured once, typed.

import * as v from 'valibot';
import type { ActorDefinition } from '../actor.ts';
import { ERRORS, GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { INLINE_PARSE_BYTES, MAX_ERROR_CHARS } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import { payloadBytes, requireSize, surelyFits } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';

/** Whether a handler's result is still to come. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** The encoded output. Throws `invalid_output` or `payload_too_large`. A handler that returns nothing outputs null. */
export function encodeOutput(definition: ActorDefinition, value: unknown, limitBytes: number): Payload {
  if (definition.output !== undefined && !v.is(definition.output, value)) throw GreenroomError.of('invalid_output');
  const text = encodeJson(value ?? null);
  if (surelyFits(text, Math.min(limitBytes, INLINE_PARSE_BYTES))) return text;
  const bytes = requireSize(payloadBytes(text), limitBytes, 'result');
  // Large outputs leave as bytes: moved to the main thread without a copy, and from there to a socket as they are.
  return bytes > INLINE_PARSE_BYTES ? new TextEncoder().encode(text) : text;
}

/** The encoded state. Throws `invalid_output` or `payload_too_large`. */
export function encodeState(state: unknown, limitBytes: number): string {
  const text = encodeJson(state ?? null);
  if (!surelyFits(text, limitBytes)) requireSize(payloadBytes(text), limitBytes, 'state');
  return text;
}

function encodeJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw GreenroomError.of('invalid_output', { cause });
  }
  if (text === undefined) throw GreenroomError.of('invalid_output');
  return text;
}

/** A code that an author chose: lower_snake_case. Codes of the system (`ENOENT`) tell callers nothing they may know. */
const AUTHOR_CODE = /^[a-z][a-z0-9_]{0,63}$/;

/**
 * What was thrown, as it reaches the caller. An error with a code of its own keeps code, message, retryable and details;
 * of anything else the caller learns only that the actor failed, and `report` gets a safe description for the log.
 */
export function failureOf(thrown: unknown, report: (fields: Record<string, unknown>) => void): WireError {
  const chosen = chosenError(thrown);
  if (chosen !== null) return chosen;
  report(describeError(thrown));
  const { message: generic, retryable: again } = ERRORS.actor_error;
  return { code: 'actor_error', message: generic, retryable: again };
}

/** What the author chose to say; null if nothing, or if the thrown object throws in turn when it is looked at. */
function chosenError(thrown: unknown): WireError | null {
  try {
    if (typeof thrown !== 'object' || thrown === null) return null;
    const { code, message, retryable, details } = thrown as Record<string, unknown>;
    if (typeof code !== 'string' || !AUTHOR_CODE.test(code)) return null;
    return withDetails(
      { code, message: String(message).slice(0, MAX_ERROR_CHARS), retryable: retryable === true },
      details,
    );
  } catch {
    return null;
  }
}

/** Details travel if they are a JSON object of bounded size; a promise to carry them must not break the error itself. */
function withDetails(wire: WireError, details: unknown): WireError {
  if (typeof details !== 'object' || details === null || Array.isArray(details)) return wire;
  try {
    const text = JSON.stringify(details);
    if (text.length > MAX_ERROR_CHARS) return { ...wire, details: { truncated: true } };
    const plain: unknown = JSON.parse(text);
    // A `toJSON` may have made something else of it: a Date becomes a string.
    if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) return wire;
    return { ...wire, details: plain as Record<string, unknown> };
  } catch {
    return { ...wire, details: { unencodable: true } };
  }
}

/** Of a handler that was told to end, or of an input that had not started. */
export function cancelledError(reason: string | null): WireError {
  return GreenroomError.of('cancelled', reason === null ? {} : { details: { reason } }).toWire();
}

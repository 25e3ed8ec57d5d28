// What an answer means for the caller of a function: by its status, and by whether it is JSON. The JSON travels on as it came.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import { INLINE_PARSE_BYTES, MAX_ERROR_CHARS } from '../limits.ts';
import { isPeerCode } from '../protocol/error-body.ts';
import { parseUntrusted, untrustedText } from '../protocol/json.ts';
import { hasMark } from '../protocol/members.ts';
import { isObject } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { MAX_STATUS_TEXT_CHARS } from './bounds.ts';
import type { HttpAnswer } from './exchange.ts';

/** Checks large JSON off the main thread. Rejects with `invalid_json` or `runtime_overloaded`. */
export type CheckPayload = (bytes: Uint8Array) => void | Promise<void>;

/** Throws or rejects with `invalid_response`, `http_error`, the code that the server chose, or what `checkPayload` rejects with. */
export function toPayload(answer: HttpAnswer, checkPayload: CheckPayload): Payload | Promise<Payload> {
  const { status, body } = answer;
  if (status >= 400) throw chosenError(answer);
  if (body.length === 0) return 'null';
  const json = hasMark(body, 0, body.length) ? body.subarray(3) : body;
  const other = (thrown: unknown): Payload => otherThanJson(status, thrown);
  try {
    if (json.length > INLINE_PARSE_BYTES) return Promise.resolve(checkPayload(json)).then(() => json, other);
    const text = untrustedText(json);
    parseUntrusted(text);
    return text;
  } catch (thrown) {
    return other(thrown);
  }
}

/** Of a redirect that nobody follows, a page for people is expected. */
function otherThanJson(status: number, thrown: unknown): Payload {
  const error = asGreenroomError(thrown);
  if (error.code !== 'invalid_json') throw error;
  if (status < 200 || status > 299) return 'null';
  throw GreenroomError.of('invalid_response', { details: { status } });
}

/** What the server says in JSON under `error`, or else its status line. */
function chosenError(answer: HttpAnswer): GreenroomError {
  const { code, message } = errorIn(answer.body);
  const isCode = typeof code === 'string' && isPeerCode(code);
  if (!isCode && typeof message !== 'string') return statusError(answer);
  const chosen = isCode ? code : 'http_error';
  const { status } = answer;
  return GreenroomError.fromWire(
    {
      code: chosen,
      message: typeof message === 'string' ? message.slice(0, MAX_ERROR_CHARS) : statusLine(answer),
      retryable: false,
      details: { status },
    },
    // Whatever code the server chose, it says nothing about the request to the runtime.
    chosen === 'http_error' || chosen === 'invocation_failed' ? 502 : 422,
  );
}

/** The status of an answer as an error, whatever its body says. */
export function statusError(answer: HttpAnswer): GreenroomError {
  return GreenroomError.of('http_error', { message: statusLine(answer), details: { status: answer.status } });
}

function errorIn(body: Buffer): { code?: unknown; message?: unknown } {
  // A larger one is no error of a machine; it is not parsed here.
  if (body.length === 0 || body.length > INLINE_PARSE_BYTES) return {};
  try {
    const value = parseUntrusted(hasMark(body, 0, body.length) ? body.subarray(3) : body);
    return isObject(value) && isObject(value['error']) ? value['error'] : {};
  } catch {
    // A page for people, most likely: the status line is all that can be said.
    return {};
  }
}

function statusLine({ status, statusText }: HttpAnswer): string {
  const text = statusText.replace(/[^\x20-\x7e]/g, '').slice(0, MAX_STATUS_TEXT_CHARS);
  return `HTTP ${status} ${text}`.trimEnd();
}

// What an API answered, as the value of a function: JSON as it came, text as a string, everything else in base64.

import { TextDecoder } from 'node:util';
import { GreenroomError } from '../errors.ts';
import type { HttpAnswer } from '../http/exchange.ts';
import { invocationTooLarge, payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import { isJson } from './parameters.ts';

export interface ResponseParts {
  readonly maxBytes: number;
  /** Looks whether untrusted bytes are one JSON value; large ones off the main thread. Rejects with `invalid_json`. */
  checkPayload(bytes: Uint8Array): void | Promise<void>;
  /** Of an answer that says what went wrong, status 400 and above. */
  errorOf(answer: HttpAnswer): GreenroomError;
}

const NOTHING = 'null';
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Rejects with what `errorOf` makes, `invalid_response`, or `invocation_failed_payload_too_large`. */
export async function valueOf(answer: HttpAnswer, parts: ResponseParts): Promise<Payload> {
  const { status, headers, body } = answer;
  if (status >= 400) throw parts.errorOf(answer);
  if (body.byteLength === 0) return NOTHING;
  const contentType = headers['content-type'] ?? 'application/octet-stream';
  // A redirect is not followed; whatever it says beside is of use only as JSON.
  if (status < 200 || status >= 300) return jsonOf(body, contentType, parts).catch(() => NOTHING);
  const value = isJson(contentType) ? await jsonOf(body, contentType, parts) : otherOf(body, contentType);
  const bytes = payloadBytes(value);
  if (bytes > parts.maxBytes) throw invocationTooLarge(bytes, parts.maxBytes);
  return value;
}

/** The text as it came. */
async function jsonOf(body: Buffer, contentType: string, parts: ResponseParts): Promise<Payload> {
  const decoder = decoderOf(contentType);
  if (decoder === null) throw invalidResponse();
  const isUtf8 = decoder.encoding === 'utf-8';
  const unmarked = isUtf8 && body.subarray(0, MARK.length).equals(MARK) ? body.subarray(MARK.length) : body;
  const bytes = isUtf8 ? unmarked : Buffer.from(decoder.decode(body));
  try {
    await parts.checkPayload(bytes);
  } catch (error) {
    throw (error as { code?: unknown }).code === 'invalid_json' ? invalidResponse(error) : error;
  }
  return bytes.byteLength <= INLINE_PARSE_BYTES ? bytes.toString() : bytes;
}

function otherOf(body: Buffer, contentType: string): string {
  const decoder = /^text\//i.test(contentType) ? decoderOf(contentType) : null;
  if (decoder !== null) return JSON.stringify(decoder.decode(body));
  return JSON.stringify({ content_type: contentType, base64: body.toString('base64') });
}

/** UTF-8 unless it says otherwise; null for a charset that is not known. What is broken in it becomes U+FFFD. */
function decoderOf(contentType: string): TextDecoder | null {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset);
  } catch {
    // Whoever asked gets the bytes, and the media type that says what they are.
    return null;
  }
}

function invalidResponse(cause?: unknown): GreenroomError {
  return GreenroomError.of('invalid_response', { cause });
}

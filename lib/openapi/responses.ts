// What an API answered, as the value of a function: JSON as it came, text as a string, everything else in base64.

import { TextDecoder } from 'node:util';
import type { HttpAnswer } from '../http/exchange.ts';
import { toPayload } from '../http/response.ts';
import type { CheckPayload } from '../http/response.ts';
import { invocationTooLarge, payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { isJson, kindOf } from './media-types.ts';

export interface ResponseParts {
  readonly maxBytes: number;
  readonly checkPayload: CheckPayload;
}

/** Rejects with what `toPayload` does, or `invocation_failed_payload_too_large`. */
export async function valueOf(answer: HttpAnswer, { maxBytes, checkPayload }: ResponseParts): Promise<Payload> {
  const { status, headers, body } = answer;
  const contentType = headers['content-type'] ?? 'application/octet-stream';
  const isValue = status >= 200 && status < 300 && body.byteLength > 0;
  // A redirect is not followed; whatever it says beside is of use only as JSON.
  if (!isValue || isJson(contentType)) return toPayload(inUtf8(answer, contentType), checkPayload);
  const value = otherOf(body, contentType);
  const bytes = payloadBytes(value);
  if (bytes > maxBytes) throw invocationTooLarge(bytes, maxBytes);
  return value;
}

/** JSON in another charset is rare, and against its standard. */
function inUtf8(answer: HttpAnswer, contentType: string): HttpAnswer {
  const decoder = decoderOf(contentType);
  if (decoder === null || decoder.encoding === 'utf-8') return answer;
  return { ...answer, body: Buffer.from(decoder.decode(answer.body)) };
}

function otherOf(body: Buffer, contentType: string): string {
  const text = kindOf(contentType) === 'text' ? textOf(body, contentType) : null;
  return JSON.stringify(text ?? { content_type: contentType, base64: body.toString('base64') });
}

/** Null when it cannot be told: XML and the like may say their charset within, and are not damaged. */
function textOf(body: Buffer, contentType: string): string | null {
  try {
    return decoderOf(contentType, !/^text\//i.test(contentType))?.decode(body) ?? null;
  } catch {
    // Not of its charset: whoever asked gets the bytes.
    return null;
  }
}

/** UTF-8 unless it says otherwise; null for a charset that is not known. Unless `fatal`, what is broken becomes U+FFFD. */
function decoderOf(contentType: string, fatal = false): TextDecoder | null {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset, { fatal });
  } catch {
    // Whoever asked gets the bytes, and the media type that says what they are.
    return null;
  }
}

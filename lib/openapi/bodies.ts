// The body of a request, as the media type of the operation says. JSON is sent as the caller wrote it: numbers that no double holds arrive
// whole, and a large body is not parsed at all.

import { GreenroomError } from '../errors.ts';
import { isObject } from '../protocol/payload.ts';
import { requireFile } from './files.ts';
import type { OpenReader } from './files.ts';
import { hasStyle, joined, writeMultipart } from './multipart.ts';
import type { WrittenBody } from './multipart.ts';
import type { OperationBody } from './operation.ts';
import { encodeReserved, encodeStrictly, invalidAt, pairsOf, textOf } from './styles.ts';

/** The body of a payload. */
export interface GivenBody {
  /** One JSON value, as it came. */
  readonly bytes: Uint8Array;
  /** The same, parsed. */
  value(): unknown;
}

/** Null: no body. Throws `invalid_input`, or what opening a channel throws. */
export function writeBody(body: OperationBody | null, given: GivenBody | null, open: OpenReader): WrittenBody | null {
  if (given === null) {
    if (body?.required === true) throw invalidAt('body', 'required');
    return null;
  }
  if (body === null) throw invalidAt('body', 'unknown key');
  switch (body.kind) {
    case 'json':
      return { contentType: body.contentType, body: given.bytes };
    case 'form':
      return { contentType: body.contentType, body: Buffer.from(formOf(body, requireObject(given.value()))) };
    case 'multipart':
      return writeMultipart(body, requireObject(given.value()), open);
    case 'text':
      return { contentType: concrete(body.contentType, 'text/plain'), body: Buffer.from(requireText(given.value())) };
    case 'binary':
      return writeBinary(body, given.value(), open);
    default:
      // A kind of a newer reader.
      body.kind satisfies never;
      throw GreenroomError.of('unsupported_operation', { message: 'Bodies of this media type cannot be sent.' });
  }
}

function writeBinary(body: OperationBody, value: unknown, open: OpenReader): WrittenBody {
  const { content, contentType } = requireFile(value, 'body');
  const fallback = concrete(body.contentType, 'application/octet-stream');
  return { contentType: contentType ?? fallback, body: joined([content], open) };
}

/** A range of media types says what may be sent, not what is. */
function concrete(contentType: string, fallback: string): string {
  return contentType.includes('*') ? fallback : contentType;
}

function requireObject(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw invalidAt('body', 'expected an object');
  return value;
}

function requireText(value: unknown): string {
  if (typeof value !== 'string') throw invalidAt('body', 'expected a string');
  return value;
}

// --- forms ---

function formOf(body: OperationBody, value: Record<string, unknown>): string {
  return Object.entries(value)
    .flatMap(([name, each]) => fieldsOf(name, each, body))
    .join('&');
}

/** With a style, as in a query. Without one as HTML forms do it: a list as a field for each, an object as JSON. */
function fieldsOf(name: string, value: unknown, body: OperationBody): string[] {
  if (value === null || value === undefined) return [];
  const encoding = Object.hasOwn(body.encoding, name) ? body.encoding[name] : undefined;
  const path = `body.${name}`;
  if (hasStyle(encoding)) {
    const { style = 'form', explode = style === 'form', allowReserved = false } = encoding ?? {};
    const encode = allowReserved ? encodeReserved : encodeStrictly;
    return pairsOf({ name, style, explode }, value, encode, path).map(([key, text]) => `${key}=${text}`);
  }
  const isJsonWanted = encoding?.contentType?.includes('json') === true;
  const values: readonly unknown[] = Array.isArray(value) && !isJsonWanted ? value : [value];
  return values
    .map((each, index) => {
      if (isJsonWanted || isObject(each)) return JSON.stringify(each);
      return textOf(each, values.length > 1 ? `${path}.${index}` : path);
    })
    .map((text) => new URLSearchParams([[name, text]]).toString());
}

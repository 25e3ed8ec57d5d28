// The body of a request, as the media type of the operation says. JSON is sent as the caller wrote it: numbers that no double holds arrive
// whole.

import { GreenroomError } from '../errors.ts';
import { isObject } from '../protocol/payload.ts';
import { requireFile } from './files.ts';
import { hasStyle, writeMultipart } from './multipart.ts';
import type { OperationBody } from './operation.ts';
import type { GivenParameters } from './parameters.ts';
import { encodeReserved, encodeStrictly, invalidAt, pairsOf, textOf } from './styles.ts';
import type { PayloadSchema } from './validation.ts';
import { BodyWriter } from './written-body.ts';
import type { BodyChunk, WrittenBody } from './written-body.ts';

/** The body of a payload. */
export interface GivenBody {
  /** One JSON value, as it came. */
  readonly bytes: Uint8Array;
  /** The same, parsed. */
  value(): unknown;
}

/** What a payload is checked against and its body written with. */
export interface BodyParts {
  readonly schema: PayloadSchema;
  readonly body: OperationBody | null;
  /** Of the body as it is sent. */
  readonly maxBytes: number;
}

/** Null: no body. Throws `invalid_input`; `invalid_source` when the schema cannot be used. */
export function checkedBody(
  parts: BodyParts,
  parameters: GivenParameters,
  given: GivenBody | null,
): WrittenBody | null {
  parts.schema.check(given === null ? parameters : { ...parameters, body: given.value() });
  return writeBody(parts.body, given, parts.maxBytes);
}

/** Null: no body. Throws `invalid_input`. */
export function writeBody(body: OperationBody | null, given: GivenBody | null, maxBytes: number): WrittenBody | null {
  if (given === null) {
    if (body?.required === true) throw invalidAt('body', 'required');
    return null;
  }
  if (body === null) throw invalidAt('body', 'unknown key');
  switch (body.kind) {
    case 'json':
      return { contentType: body.contentType, chunks: [given.bytes] };
    case 'form':
      return writeForm(body, requireObject(given.value()), maxBytes);
    case 'multipart':
      return writeMultipart(body, requireObject(given.value()), maxBytes);
    case 'text':
      return written(body.contentType, requireText(given.value()), maxBytes);
    case 'binary':
      return writeBinary(body, given.value(), maxBytes);
    default:
      // A kind of a newer reader.
      body.kind satisfies never;
      throw GreenroomError.of('unsupported_operation', { message: 'Bodies of this media type cannot be sent.' });
  }
}

function writeBinary(body: OperationBody, value: unknown, maxBytes: number): WrittenBody {
  const { content, contentType } = requireFile(value, 'body');
  return written(contentType ?? body.contentType, content, maxBytes);
}

function written(contentType: string, content: string | BodyChunk, maxBytes: number): WrittenBody {
  const writer = new BodyWriter(maxBytes);
  writer.add(content);
  return writer.end(contentType);
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

function writeForm(body: OperationBody, value: Record<string, unknown>, maxBytes: number): WrittenBody {
  const writer = new BodyWriter(maxBytes);
  let between = '';
  for (const [name, each] of Object.entries(value)) {
    for (const field of fieldsOf(name, each, body)) {
      writer.add(between + field);
      between = '&';
    }
  }
  return writer.end(body.contentType);
}

/** With a style, as in a query. Without one as HTML forms do it: a list as a field for each, an object as JSON. */
function* fieldsOf(name: string, value: unknown, body: OperationBody): Generator<string, void, undefined> {
  if (value === null || value === undefined) return;
  const encoding = Object.hasOwn(body.encoding, name) ? body.encoding[name] : undefined;
  const path = `body.${name}`;
  if (hasStyle(encoding)) {
    const { style = 'form', explode = style === 'form', allowReserved = false } = encoding ?? {};
    const encode = allowReserved ? encodeReserved : encodeStrictly;
    for (const [key, text] of pairsOf({ name, style, explode }, value, encode, path)) yield `${key}=${text}`;
    return;
  }
  const isJsonWanted = encoding?.contentType?.includes('json') === true;
  const values: readonly unknown[] = Array.isArray(value) && !isJsonWanted ? value : [value];
  for (const [index, each] of values.entries()) {
    const text =
      isJsonWanted || isObject(each)
        ? JSON.stringify(each)
        : textOf(each, values.length > 1 ? `${path}.${index}` : path);
    yield new URLSearchParams([[name, text]]).toString();
  }
}

// Reads request bodies as bytes; nothing is parsed here. What is refused is refused as early as its headers allow:
// type, encoding and declared size before a byte is read, an undeclared size at the byte that is one too many.
// Bodies that are being read count against the runtime's total bound, since no mailbox holds them yet.

import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { requireValid } from '../protocol/issues.ts';
import { parseUntrusted } from '../protocol/json.ts';
import { payloadTooLarge } from '../protocol/payload.ts';
import { OVERLOAD_RETRY_MS } from './bounds.ts';

type Done = (error: Error | null, body?: Buffer | null) => void;

export class BodyReader {
  readonly #limits: Limits;
  /** Bytes of all bodies that have begun to arrive and are not complete. */
  #pendingBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Counts bytes of a body that is read otherwise, until they are released; false, and not counted, if they are too many. */
  hold(bytes: number): boolean {
    if (this.#pendingBytes + bytes > this.#limits.maxTotalBytes) return false;
    this.#pendingBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#pendingBytes -= bytes;
  }

  /** A content type parser of Fastify. The body is null when there is none. */
  readonly parse = (request: FastifyRequest, payload: Readable, done: Done): void => {
    const declared = request.headers['content-length'];
    const declaredBytes = declared === undefined ? undefined : Number(declared);
    if (declaredBytes === 0) return done(null, null);
    const refusal = this.#refusal(request, declaredBytes);
    // Whether a chunked body has a byte at all is not known yet: an empty one needs no content type.
    if (refusal !== undefined && declaredBytes !== undefined) return done(refusal);
    this.#read(payload, declaredBytes ?? 0, refusal, done);
  };

  #refusal(request: FastifyRequest, declaredBytes: number | undefined): GreenroomError | undefined {
    const type = request.headers['content-type'];
    if (type !== 'application/json' && !isJsonType(type)) return GreenroomError.of('unsupported_media_type');
    if (isEncoded(request)) return encodingRefusal();
    if (declaredBytes !== undefined && declaredBytes > this.#limits.maxMessageBytes) {
      return payloadTooLarge(declaredBytes, this.#limits.maxMessageBytes, 'http');
    }
    return undefined;
  }

  #read(payload: Readable, declaredBytes: number, refusal: GreenroomError | undefined, done: Done): void {
    const { maxMessageBytes, maxTotalBytes } = this.#limits;
    const chunks: Buffer[] = [];
    // A large body of a known size is laid out as it arrives: putting 16 MiB together at the end would stall the loop. The
    // memory that is set aside costs nothing before it is written to.
    const whole = declaredBytes > INLINE_PARSE_BYTES ? Buffer.allocUnsafeSlow(declaredBytes) : null;
    let bytes = 0;
    let isDone = false;
    const finish = (error: GreenroomError | null): void => {
      if (isDone) return;
      isDone = true;
      this.#pendingBytes -= bytes;
      // The `error` listener stays: a body that is cut short after its refusal must not crash the process.
      payload.removeListener('data', take).removeListener('end', end).removeListener('close', cut);
      if (error !== null) done(error);
      else if (whole !== null) done(null, whole.subarray(0, bytes));
      else done(null, bytes === 0 ? null : chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes));
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      this.#pendingBytes += chunk.length;
      if (refusal !== undefined) finish(refusal);
      else if (bytes > maxMessageBytes) finish(tooLargeAtLeast(maxMessageBytes));
      else if (this.#pendingBytes > maxTotalBytes) finish(overloaded(maxTotalBytes));
      else if (whole === null) chunks.push(chunk);
      else chunk.copy(whole, bytes - chunk.length);
    };
    const end = (): void => finish(null);
    const cut = (): void => {
      if (!isDone) finish(GreenroomError.of('invalid_request', { message: 'The body ended early.' }));
    };
    payload.on('data', take).on('end', end).on('error', cut).on('close', cut);
  }
}

/** The body of a command against a strict schema; no body is an empty object. Throws `invalid_json` or `invalid_request`. */
export function bodyOf<S extends v.GenericSchema>(request: FastifyRequest, schema: S): v.InferOutput<S> {
  const value = request.body instanceof Uint8Array ? parseUntrusted(request.body) : {};
  // An object schema would take an array for an object without keys.
  if (Array.isArray(value)) throw invalidBody('expected an object');
  return requireValid(schema, value, 'invalid_request');
}

/** A content type parser for batches: hands the body on as a stream. */
export function parseBatch(
  request: FastifyRequest,
  payload: Readable,
  done: (error: Error | null, body?: Readable) => void,
): void {
  if (!isBatchType(request.headers['content-type'])) {
    done(GreenroomError.of('unsupported_media_type', { message: 'The body of a batch must be application/x-ndjson.' }));
  } else if (isEncoded(request)) done(encodingRefusal());
  else done(null, payload);
}

/** For commands that take no body. */
export function requireNoBody(request: FastifyRequest): void {
  if (request.body instanceof Uint8Array) throw invalidBody('this command takes no body');
}

function invalidBody(message: string): GreenroomError {
  return GreenroomError.of('invalid_request', { details: { issues: [{ path: '', message }] } });
}

const JSON_TYPE = /^application\/(?:[\w!#$&^.+-]+\+)?json\s*(?:;|$)/i;
const OTHER_CHARSET = /;\s*charset=(?!"?utf-8"?\s*(?:;|$))/i;

/** JSON on the wire is UTF-8; another charset would be decoded wrongly, so it is refused. */
function isJsonType(type: string | undefined): boolean {
  return type !== undefined && JSON_TYPE.test(type) && !OTHER_CHARSET.test(type);
}

const BATCH_TYPE = /^application\/(?:x-ndjson|ndjson|jsonl)\s*(?:;|$)/i;

/** One JSON value per line, in UTF-8. */
export function isBatchType(type: string | undefined): boolean {
  return type !== undefined && BATCH_TYPE.test(type) && !OTHER_CHARSET.test(type);
}

function isEncoded({ headers }: FastifyRequest): boolean {
  const encoding = headers['content-encoding'];
  return encoding !== undefined && encoding.toLowerCase() !== 'identity';
}

function encodingRefusal(): GreenroomError {
  return GreenroomError.of('unsupported_media_type', {
    message: 'A content encoding is not supported: send the body as it is.',
  });
}

/** The size of a chunked body is not known when it is cut. */
function tooLargeAtLeast(limitBytes: number): GreenroomError {
  return GreenroomError.of('payload_too_large', {
    details: { payload_bytes: null, limit_bytes: limitBytes, hop: 'http' },
  });
}

export function overloaded(boundBytes: number): GreenroomError {
  return GreenroomError.of('runtime_overloaded', {
    details: { max_bytes: boundBytes, retry_after_ms: OVERLOAD_RETRY_MS },
  });
}

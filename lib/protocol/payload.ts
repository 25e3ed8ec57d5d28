// A payload is one JSON value in its encoded form: text, or UTF-8 bytes where it arrived as bytes and is large.
// It is encoded once by whoever produces it, measured here, passed on untouched, and decoded once by whoever uses it.

import { GreenroomError } from '../errors.ts';

export type Payload = string | Uint8Array;

/** Where a payload was too large; reported as `details.hop`. */
export type Hop = 'http' | 'ask' | 'config' | 'emit' | 'result' | 'state' | 'client' | 'channel';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Encoded size in bytes: what travels, not what it costs in memory. */
export function payloadBytes(payload: Payload): number {
  return typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength;
}

/** Whether a text is certainly within a limit, without measuring it (50 ns): a character takes at most three bytes in UTF-8. */
export function surelyFits(text: string, limitBytes: number): boolean {
  return 3 * text.length <= limitBytes;
}

/** Encodes a value. Throws for what JSON cannot hold (undefined, functions, cycles, BigInt): `invalid_input`, unless told otherwise. */
export function encode(value: unknown, code: 'invalid_input' | 'invalid_output' = 'invalid_input'): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw GreenroomError.of(code, { message: 'The value cannot be encoded as JSON.', cause });
  }
  if (text === undefined) throw GreenroomError.of(code, { message: 'The value cannot be encoded as JSON.' });
  return text;
}

/** Decodes a payload. Throws `invalid_json`; the message never quotes the payload. */
export function decode(payload: Payload): unknown {
  try {
    return JSON.parse(payloadText(payload));
  } catch (cause) {
    throw GreenroomError.of('invalid_json', { cause });
  }
}

/** The text of a payload; throws a TypeError when bytes are not UTF-8. */
export function payloadText(payload: Payload): string {
  return typeof payload === 'string' ? payload : decoder.decode(payload);
}

/** Refuses a payload above the limit, before it is sent; returns its size. */
export function requireSize(bytes: number, limitBytes: number, hop: Hop): number {
  if (bytes > limitBytes) throw payloadTooLarge(bytes, limitBytes, hop);
  return bytes;
}

export function payloadTooLarge(bytes: number, limitBytes: number, hop: Hop): GreenroomError {
  return GreenroomError.of('payload_too_large', {
    details: { payload_bytes: bytes, limit_bytes: limitBytes, hop },
  });
}

/** The same of a message that belongs to the call of a function: who sent it and who waits for it are both told so. */
export function invocationTooLarge(bytes: number, limitBytes: number): GreenroomError {
  return GreenroomError.of('invocation_failed_payload_too_large', {
    message: `The message has ${bytes} bytes, the limit is ${limitBytes}. Send larger data through a channel.`,
    details: { payload_bytes: bytes, limit_bytes: limitBytes },
  });
}

/** One JSON text around a payload, which is put in as it is. */
export function splice(head: string, payload: Payload, tail: string): Payload {
  if (typeof payload === 'string') return head + payload + tail;
  return Buffer.concat([Buffer.from(head), payload, Buffer.from(tail)]);
}

/** Whether a value is what JSON calls an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

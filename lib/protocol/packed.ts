// Texts that are kept and seldom read: deflated from a size on, which is a tenth of the memory for JSON Schemas and documents. Small ones
// stay as they are.

import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';

/** Shorter ones would gain less than the object costs that holds the bytes. */
const MIN_PACKED_CHARS = 1_024;
/** Nine tenths of what the default gains, in a third of the time. */
const LEVEL = 3;

export type PackedText = string | Uint8Array;

/** For a thread that may be held up. */
export function packText(text: string): PackedText {
  return text.length < MIN_PACKED_CHARS ? text : exact(deflateRawSync(text, { level: LEVEL }));
}

export function unpackText(packed: PackedText): string {
  return typeof packed === 'string' ? packed : inflateRawSync(packed).toString();
}

const [deflate, inflate] = [promisify(deflateRaw), promisify(inflateRaw)];

/** The same off the main thread, for texts of any size. */
export async function packLater(text: string | Uint8Array): Promise<PackedText> {
  if (text.length < MIN_PACKED_CHARS) return typeof text === 'string' ? text : Buffer.from(text).toString();
  return exact(await deflate(text, { level: LEVEL }));
}

export async function unpackLater(packed: PackedText): Promise<Buffer> {
  return typeof packed === 'string' ? Buffer.from(packed) : inflate(packed);
}

/** With no more memory behind it than it has bytes. */
function exact(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : Uint8Array.prototype.slice.call(bytes);
}

// Numbers, texts and payloads as bytes, and a checksum in front of every value, over the key and the value. Ours alone: what is on disk is
// read by every later version.

import { crc32 } from 'node:zlib';
import { GreenroomError } from '../errors.ts';
import type { Payload } from '../protocol/payload.ts';

/** Version of everything that is written here; a reader refuses a newer one. */
export const FORMAT_VERSION = 3;
/** Its checksums say nothing of the key; the store is rewritten when it is opened (see upgrade.ts). */
export const FIRST_VERSION = 1;
/** From this one on rows are read as they are, whatever they lack: each is written anew when something of it changes. */
export const OLDEST_ROWS = 2;

/** CRC-32 and version. */
export const SEAL_BYTES = 5;
/** Shorter texts are written here: a call out of JavaScript costs more than their characters. */
const SHORT_CHARS = 64;
/** Longer ones are measured first, not given three bytes for each character. */
const LONG_CHARS = 64 * 1_024;
const FIRST_BYTES = 4 * 1_024;

const [NOTHING, TEXT, BYTES] = [0, 1, 2];

/** A buffer that grows. What it gave out must be on disk before it is used again: LMDB keeps values where they are. */
export class Encoder {
  #buffer: Buffer;
  #view: DataView;
  length = SEAL_BYTES;

  constructor(bytes = FIRST_BYTES) {
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
    this.#view = viewOf(this.#buffer);
  }

  get capacity(): number {
    return this.#buffer.length;
  }

  reset(): void {
    this.length = SEAL_BYTES;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.length++] = value;
  }

  /** A whole number from 0 to the largest safe one: 7 bits in each byte. */
  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.length++] = rest;
  }

  /** Any number: times, which nobody promises to be whole. */
  number(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.length, value);
    this.length += 8;
  }

  text(value: string): void {
    this.#reserve(4 + 3 * value.length);
    const start = this.length;
    this.length += 4;
    this.#characters(value);
    this.#view.setUint32(start, this.length - start - 4);
  }

  /** Text stays text and bytes stay bytes. */
  payload(value: Payload | null): void {
    if (value === null) {
      this.byte(NOTHING);
      return;
    }
    const isText = typeof value === 'string';
    const most = !isText ? value.length : value.length > LONG_CHARS ? Buffer.byteLength(value) : 3 * value.length;
    this.#reserve(5 + most);
    const start = this.length;
    this.length += 5;
    if (isText) this.#characters(value);
    else {
      this.#buffer.set(value, this.length);
      this.length += value.length;
    }
    this.#buffer[start] = isText ? TEXT : BYTES;
    this.#view.setUint32(start + 1, this.length - start - 5);
  }

  /** As they are, without their length. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Everything since the last reset, with its checksum as the row of that key; the encoder's own memory. */
  seal(key: Buffer): Buffer {
    const sealed = this.#buffer.subarray(0, this.length);
    sealFor(key, sealed);
    return sealed;
  }

  /** The same as a copy, for values of which many are written at once. */
  sealedCopy(key: Buffer): Buffer {
    return Buffer.from(this.seal(key));
  }

  #characters(value: string): void {
    if (value.length <= SHORT_CHARS) {
      const end = this.length + value.length;
      let at = this.length;
      for (let n = 0; n < value.length; n++) {
        const code = value.charCodeAt(n);
        if (code >= 0x80) break;
        this.#buffer[at++] = code;
      }
      if (at === end) {
        this.length = end;
        return;
      }
    }
    this.length += this.#buffer.write(value, this.length, 'utf8');
  }

  #reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
    this.#view = viewOf(larger);
  }
}

/**
 * Reads what an Encoder wrote for a key. Throws `store_corrupt` for what it cannot have written, `store_version` for what a later one
 * wrote. Versions before `oldest` are refused, too: nothing of them is left once a store has been upgraded.
 */
export class Decoder {
  readonly #buffer: Buffer;
  /** Of the runtime that wrote it. */
  readonly version: number;
  offset = SEAL_BYTES;

  constructor(sealed: Buffer, key: Buffer, oldest = OLDEST_ROWS) {
    this.#buffer = sealed;
    if (!isIntact(sealed, key, oldest)) throw corrupt();
    const version = (this.version = sealed[4] as number);
    if (version > FORMAT_VERSION)
      throw GreenroomError.of('store_version', {
        message: `The store is of version ${version}, this runtime reads versions up to ${FORMAT_VERSION}.`,
      });
  }

  get isAtEnd(): boolean {
    return this.offset === this.#buffer.length;
  }

  byte(): number {
    const value = this.#buffer[this.offset++];
    if (value === undefined) throw corrupt();
    return value;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    if (!Number.isSafeInteger(value)) throw corrupt();
    return value;
  }

  number(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  text(): string {
    const length = this.#buffer.readUInt32BE(this.#take(4));
    const start = this.#take(length);
    return this.#buffer.toString('utf8', start, start + length);
  }

  payload(): Payload | null {
    const kind = this.byte();
    if (kind === NOTHING) return null;
    const length = this.#buffer.readUInt32BE(this.#take(4));
    const start = this.#take(length);
    if (kind === TEXT) return this.#buffer.toString('utf8', start, start + length);
    if (kind !== BYTES) throw corrupt();
    return new Uint8Array(this.#buffer.subarray(start, start + length));
  }

  /** One that is always there. */
  presentPayload(): Payload {
    const value = this.payload();
    if (value === null) throw corrupt();
    return value;
  }

  /** What is left. */
  raw(): Buffer {
    return this.#buffer.subarray(this.#take(this.#buffer.length - this.offset));
  }

  #take(bytes: number): number {
    const start = this.offset;
    if (start + bytes > this.#buffer.length) throw corrupt();
    this.offset += bytes;
    return start;
  }
}

/** Whether the checksum is right, and it is that of the key's row. */
export function isIntact(sealed: Buffer, key: Buffer, oldest = OLDEST_ROWS): boolean {
  if (sealed.length < SEAL_BYTES) return false;
  const version = sealed[4] as number;
  return version >= oldest && sealed.readUInt32BE(0) === sumOf(version, key, sealed);
}

/** Writes version and checksum into a value that has room for them. */
export function sealFor(key: Buffer, value: Buffer, version = FORMAT_VERSION): void {
  value[4] = version;
  value.writeUInt32BE(sumOf(version, key, value), 0);
}

function sumOf(version: number, key: Buffer, sealed: Buffer): number {
  return crc32(sealed.subarray(4), version === FIRST_VERSION ? 0 : crc32(key));
}

/** The element of a list that a byte stands for. */
export function elementOf<T>(list: readonly T[], index: number): T {
  const element = list[index];
  if (element === undefined) throw corrupt();
  return element;
}

export function corrupt(message?: string): GreenroomError {
  return GreenroomError.of('store_corrupt', message === undefined ? {} : { message });
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length);
}

// A JSON Schema that is kept encoded: sources register schemas by the thousand, and as objects they would take several times the memory.

import { unpackText } from '../protocol/packed.ts';
import type { PackedText } from '../protocol/packed.ts';

export class EncodedFormat {
  readonly #text: PackedText;

  /** @param text one JSON value */
  constructor(text: PackedText) {
    this.#text = text;
  }

  decode(): unknown {
    return JSON.parse(unpackText(this.#text));
  }

  /** Whoever encodes a listing gets the schema. */
  toJSON(): unknown {
    return this.decode();
  }
}

/** A format as callers see it, however it is kept; null for none. */
export function toPlainFormat(format: unknown): unknown {
  return format instanceof EncodedFormat ? format.decode() : (format ?? null);
}

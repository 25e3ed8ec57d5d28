// A JSON Schema that is kept encoded: sources register schemas by the thousand, and as objects they would take several times the memory.

export class EncodedFormat {
  readonly #text: string;

  /** @param text one JSON value */
  constructor(text: string) {
    this.#text = text;
  }

  decode(): unknown {
    return JSON.parse(this.#text);
  }

  /** Whoever encodes a listing gets the schema. */
  toJSON(): unknown {
    return this.decode();
  }
}

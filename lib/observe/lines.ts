// Bytes into lines, with a bound: of a line that is longer only its edges are kept, and the next one begins as usual.

/** What is kept of the beginning and of the end of a line that is too long: enough to find out which call it answers. */
const LINE_EDGE_BYTES = 256;
const NEWLINE = 10;

export interface LineReader {
  line(bytes: Buffer): void;
  /** A line that is longer than the bound: how it began and ended. */
  long(head: Buffer, tail: Buffer, bytes: number): void;
}

export class Lines {
  readonly #maxBytes: number;
  readonly #reader: LineReader;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Of a line that is too long; null otherwise. */
  #head: Buffer | null = null;
  #tail: Buffer = Buffer.alloc(0);

  /** @param maxBytes at least LINE_EDGE_BYTES, for the edges to be whole */
  constructor(maxBytes: number, reader: LineReader) {
    this.#maxBytes = maxBytes;
    this.#reader = reader;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#take(chunk.subarray(start, end));
      this.#end();
      start = end + 1;
    }
    if (start < chunk.length) this.#take(chunk.subarray(start));
  }

  #take(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#head !== null) {
      this.#tail = edgeOf([this.#tail, part], -LINE_EDGE_BYTES);
    } else if (this.#bytes > this.#maxBytes) {
      const parts = [...this.#chunks, part];
      this.#head = edgeOf(parts.slice(0, LINE_EDGE_BYTES), 0, LINE_EDGE_BYTES);
      this.#tail = edgeOf(parts.slice(-LINE_EDGE_BYTES), -LINE_EDGE_BYTES);
      this.#chunks = [];
    } else if (part.length > 0) this.#chunks.push(part);
  }

  #end(): void {
    const [head, tail, bytes, chunks] = [this.#head, this.#tail, this.#bytes, this.#chunks];
    this.#head = null;
    this.#tail = Buffer.alloc(0);
    this.#chunks = [];
    this.#bytes = 0;
    if (head !== null) this.#reader.long(head, tail, bytes);
    else if (bytes > 0) this.#reader.line(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes));
  }
}

/** A copy, so that no large buffer is held by its edge. No part is empty, so that as many parts as bytes are enough. */
function edgeOf(parts: readonly Buffer[], start: number, end?: number): Buffer {
  return Buffer.from(Buffer.concat(parts.map((part) => part.subarray(start, end))).subarray(start, end));
}

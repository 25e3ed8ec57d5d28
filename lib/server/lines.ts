// Cuts the bytes of a batch into its lines. Lines that are whole within a chunk are looked at where they lie; only what a chunk leaves
// behind is copied. Holds at most one unfinished line, of at most the limit: what is longer is counted, dropped, and refused when it ends.

import { isUtf8 } from 'node:buffer';
import type { ErrorCode } from '../errors.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const LINE_END = Buffer.of(LF);
const EMPTY = Buffer.alloc(0);
const FIRST_PARTIAL_BYTES = 1_024;

/** Memory that counts against a bound of the runtime. */
export interface HeldBytes {
  /** False, and nothing held, if the bound would be exceeded. */
  hold(bytes: number): boolean;
  release(bytes: number): void;
}

export class LineSplitter {
  readonly #maxBytes: number;
  readonly #held: HeldBytes;
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** What has come of the line that a chunk has not ended. */
  #partial: Buffer = EMPTY;
  #partialBytes = 0;
  /** Why the line at hand is being dropped. */
  #dropping: ErrorCode | null = null;
  #droppedBytes = 0;
  /** Whether all lines that lie whole in the chunk are UTF-8; null until one is asked. */
  #isChunkUtf8: boolean | null = null;

  // --- the line that `next` has found; overwritten by the next call ---

  source: Buffer = EMPTY;
  start = 0;
  /** Without its line end. */
  end = 0;
  /** Why it is refused whatever is in it. Then it has no text. */
  refusal: ErrorCode | null = null;
  /** Its size, known even if it is refused. */
  bytes = 0;

  constructor(maxBytes: number, held: HeldBytes) {
    this.#maxBytes = maxBytes;
    this.#held = held;
  }

  /** Whether a line has begun and not ended. */
  get isInLine(): boolean {
    return this.#partialBytes > 0 || this.#dropping !== null;
  }

  /** Call it when `next` has found no more. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
    this.#isChunkUtf8 = null;
  }

  /** The end of the batch ends its last line. */
  pushEnd(): void {
    this.push(LINE_END);
  }

  /** Finds the next line that is not blank; false when the chunk has no more. */
  next(): boolean {
    for (;;) {
      const lf = this.#chunk.indexOf(LF, this.#at);
      if (lf === -1) {
        this.#keep(this.#chunk, this.#at, this.#chunk.length);
        this.push(EMPTY);
        return false;
      }
      const from = this.#at;
      this.#at = lf + 1;
      if (!this.isInLine) {
        if (this.#found(this.#chunk, from, lf)) return true;
        continue;
      }
      this.#keep(this.#chunk, from, lf);
      if (this.#endPartial()) return true;
    }
  }

  /** The text between two offsets of the line; null if it is not UTF-8. Not a slice of a larger text, which would keep that one alive. */
  text(start: number, end: number): string | null {
    const isUtf8Text = this.source === this.#chunk ? this.#isChunkValid() : isUtf8(this.source.subarray(start, end));
    if (!isUtf8Text && !isUtf8(this.source.subarray(start, end))) return null;
    return this.source.toString('utf8', start, end);
  }

  /** Gives back what is held. */
  close(): void {
    this.#drop();
    this.push(EMPTY);
  }

  #isChunkValid(): boolean {
    // From the line at hand: what came before it may be the rest of a line, which may begin within a character.
    this.#isChunkUtf8 ??= isUtf8(this.#chunk.subarray(this.start, this.#chunk.lastIndexOf(LF)));
    return this.#isChunkUtf8;
  }

  #found(source: Buffer, start: number, lineEnd: number): boolean {
    const end = lineEnd > start && source[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    if (isBlank(source, start, end)) return false;
    this.source = source;
    this.start = start;
    this.end = end;
    this.bytes = end - start;
    this.refusal = this.bytes > this.#maxBytes ? 'payload_too_large' : null;
    return true;
  }

  #endPartial(): boolean {
    if (this.#dropping === null) {
      const source = this.#partial;
      const end = this.#partialBytes;
      this.#partialBytes = 0;
      // The next line is most likely no longer: what is small is kept for it.
      if (source.length > INLINE_PARSE_BYTES) this.#drop();
      return this.#found(source, 0, end);
    }
    this.source = EMPTY;
    this.bytes = this.#droppedBytes;
    this.refusal = this.#dropping;
    this.#dropping = null;
    this.#droppedBytes = 0;
    return true;
  }

  #keep(source: Buffer, start: number, end: number): void {
    const bytes = end - start;
    if (bytes === 0) return;
    const size = this.#partialBytes + bytes;
    if (this.#dropping === null) {
      // One byte more may be the CR of its end.
      if (size > this.#maxBytes + 1) this.#dropping = 'payload_too_large';
      else if (size > this.#partial.length && !this.#grow(size)) this.#dropping = 'runtime_overloaded';
    }
    if (this.#dropping === null) {
      source.copy(this.#partial, this.#partialBytes, start, end);
      this.#partialBytes = size;
      return;
    }
    this.#droppedBytes += size;
    this.#partialBytes = 0;
    this.#drop();
  }

  /** By doubling, so that what trickles in is not copied again and again. */
  #grow(size: number): boolean {
    const capacity = Math.min(Math.max(size, 2 * this.#partial.length, FIRST_PARTIAL_BYTES), this.#maxBytes + 1);
    if (!this.#held.hold(capacity - this.#partial.length)) return false;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#partial.copy(grown, 0, 0, this.#partialBytes);
    this.#partial = grown;
    return true;
  }

  #drop(): void {
    this.#held.release(this.#partial.length);
    this.#partial = EMPTY;
  }
}

function isBlank(source: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = source[at];
    if (byte !== SPACE && byte !== TAB && byte !== CR) return false;
  }
  return true;
}

// The body of one answer, while it arrives: counted against the limit of one message and against what all answers may hold together, and
// inflated as it comes, so that a small body that inflates without end costs no more than the limit.

import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import type { Transform } from 'node:stream';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import { invocationTooLarge } from '../protocol/payload.ts';
import { BUSY_RETRY_MS } from './bounds.ts';
import { responseFailed } from './failures.ts';

/** Bytes of all requests and answers that are held, against the bound of the runtime. */
export interface HeldBytes {
  heldBytes: number;
  readonly maxTotalBytes: number;
}

export interface BodyEvents {
  /** The body is refused; nothing more comes of it. */
  failed(error: GreenroomError): void;
  whole(body: Buffer): void;
  /** The inflater keeps up again. */
  drained(): void;
}

type Encoding = 'identity' | 'gzip' | 'deflate' | 'br';
const ENCODINGS: Readonly<Record<string, Encoding>> = {
  identity: 'identity',
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  br: 'br',
};

export class AnswerBody {
  readonly #maxBytes: number;
  readonly #held: HeldBytes;
  readonly #events: BodyEvents;
  readonly #encoding: Encoding;
  /** A large body of a known size is laid out as it arrives: putting it together at the end would stall the loop. */
  readonly #layout: Buffer | null;
  readonly #chunks: Buffer[] = [];
  #inflater: Transform | null = null;
  #bytes = 0;
  /** What it counts for in `#held`. */
  #countedBytes = 0;
  #isOver = false;

  /**
   * Throws `http_response_failed` for an encoding that is not known, `invocation_failed_payload_too_large` for a length above the limit, and
   * `runtime_overloaded` when there is no room for it.
   */
  constructor(headers: Readonly<Record<string, string>>, maxBytes: number, held: HeldBytes, events: BodyEvents) {
    this.#encoding = encodingOf(headers['content-encoding']);
    const declaredBytes = Number(headers['content-length'] ?? 0);
    if (declaredBytes > maxBytes) throw invocationTooLarge(declaredBytes, maxBytes);
    const isLarge = this.#encoding === 'identity' && declaredBytes > INLINE_PARSE_BYTES;
    this.#maxBytes = maxBytes;
    this.#held = held;
    this.#events = events;
    // It counts from here on: what is refused half way leaves its memory to the collector, which takes its time.
    if (isLarge) this.#count(declaredBytes);
    this.#layout = isLarge ? Buffer.allocUnsafeSlow(declaredBytes) : null;
  }

  /** Throws `runtime_overloaded`. One body alone may be larger than the bound. */
  #count(bytes: number): void {
    const { heldBytes, maxTotalBytes } = this.#held;
    if (heldBytes > this.#countedBytes && heldBytes + bytes > maxTotalBytes) throw overloaded(this.#held);
    this.#countedBytes += bytes;
    this.#held.heldBytes += bytes;
  }

  /** False when nothing more should come before `drained`. */
  push(chunk: Buffer): boolean {
    if (this.#isOver) return true;
    if (this.#encoding === 'identity') {
      this.#take(chunk);
      return true;
    }
    this.#inflater ??= this.#inflate(chunk);
    return this.#inflater.write(chunk);
  }

  end(): void {
    if (this.#isOver) return;
    if (this.#inflater === null) this.#finish();
    else this.#inflater.end();
  }

  /** Gives up what is held; nothing is said any more. */
  drop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#held.heldBytes -= this.#countedBytes;
    this.#inflater?.destroy();
  }

  #inflate(first: Buffer): Transform {
    const inflater = inflaterOf(this.#encoding, first);
    inflater.on('data', (chunk: Buffer) => this.#take(chunk));
    inflater.on('end', () => this.#finish());
    inflater.on('drain', () => this.#events.drained());
    inflater.on('error', (error) => this.#fail(responseFailed('The answer could not be decompressed.', error)));
    return inflater;
  }

  #take(chunk: Buffer): void {
    if (this.#isOver) return;
    const { length } = chunk;
    const at = this.#bytes;
    if (at + length > this.#maxBytes) return this.#fail(invocationTooLarge(at + length, this.#maxBytes));
    this.#bytes += length;
    if (this.#layout !== null) return void chunk.copy(this.#layout, at);
    try {
      this.#count(length);
    } catch (thrown) {
      return this.#fail(asGreenroomError(thrown));
    }
    this.#chunks.push(chunk);
  }

  #fail(error: GreenroomError): void {
    if (this.#isOver) return;
    this.drop();
    this.#events.failed(error);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.drop();
    const [first] = this.#chunks;
    if (this.#layout !== null) this.#events.whole(this.#layout.subarray(0, this.#bytes));
    else if (this.#chunks.length === 1 && first !== undefined) this.#events.whole(first);
    else this.#events.whole(Buffer.concat(this.#chunks, this.#bytes));
  }
}

export function overloaded({ heldBytes, maxTotalBytes }: HeldBytes): GreenroomError {
  return GreenroomError.of('runtime_overloaded', {
    details: { bytes: heldBytes, max_bytes: maxTotalBytes, retry_after_ms: BUSY_RETRY_MS },
  });
}

function encodingOf(header: string | undefined): Encoding {
  const given = header?.trim().toLowerCase() ?? '';
  if (given === '') return 'identity';
  if (Object.hasOwn(ENCODINGS, given)) return ENCODINGS[given] as Encoding;
  throw responseFailed('The answer is compressed in a way that is not supported, or more than once.');
}

function inflaterOf(encoding: Encoding, first: Buffer): Transform {
  if (encoding === 'gzip') return createGunzip();
  if (encoding === 'br') return createBrotliDecompress();
  // Servers have sent both under the one name; the low half of the first byte tells them apart.
  return ((first[0] as number) & 0x0f) === 0x08 ? createInflate() : createInflateRaw();
}

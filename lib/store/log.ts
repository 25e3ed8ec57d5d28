// Where the memory store keeps transcript entries: outside the heap, in the order in which they came, entries of all workers one
// after the other. As strings in a ring per worker they were what the collector spent its time on: each survived until it was
// old, and died there (measured: 8 % of the CPU of an ask over 1,000 workers).
//
//   segments:  [ sealed ][ sealed ] … [ sealed ][ open ]        an entry's position: segment number × ENTRIES + index
//                  ▲ cleaned: what its worker still keeps is appended again, the rest goes with the segment
//
// The open segment holds strings. When it is full they are joined, encoded at once and let go of.

import type { EntryType } from '../protocol/views.ts';
import type { Payload } from '../protocol/payload.ts';

/** A transcript: it knows which of its entries it still keeps, and where they are. */
export interface LogOwner {
  /** Whether its entry of this sequence is the one at this position. */
  keeps(sequence: number, position: number): boolean;
  moved(sequence: number, position: number): void;
}

export interface LogEntry {
  readonly type: EntryType;
  readonly atMs: number;
  readonly inputSeq: number;
  readonly data: Payload;
}

/** Entries of a segment. */
const ENTRIES = 512;
/** Characters of a segment; the last entry may go beyond it. */
const SEGMENT_CHARS = 64 * 1_024;
/** Longer texts, and bytes, are kept as they are: there are few of them, and copying them would take long. */
const LARGE_CHARS = 4 * 1_024;
/** Memory for texts is taken in multiples of this. */
const PAGE_BYTES = 4 * 1_024;
/** Garbage that is not worth a look. */
const SLACK_BYTES = 1_024 * 1_024;
/** Segments cleaned when one is sealed: more than one, so that cleaning overtakes appending; few, so that no append takes long. */
const CLEANED_PER_SEAL = 2;

/** Columns of numbers: time, number of the input, sequence, size. */
const NUMBERS = 4;

class Segment {
  readonly numbers = new Float64Array(NUMBERS * ENTRIES);
  readonly types = new Array<EntryType>(ENTRIES).fill('created');
  readonly owners = new Array<LogOwner | null>(ENTRIES).fill(null);
  count = 0;
  /** Sum of the entries' sizes. */
  size = 0;
  /** Entries that their owners still keep. */
  kept = 0;

  /** While it is open: the data of each entry, and how much text that is. */
  open: Payload[] | null = [];
  chars = 0;

  /** Once it is sealed: the texts in UTF-8, where each one ends, and those that are kept as they are. */
  #bytes = EMPTY;
  readonly #ends = new Uint32Array(ENTRIES);
  #large: Map<number, Payload> | null = null;

  get isFull(): boolean {
    return this.count === ENTRIES || this.chars >= SEGMENT_CHARS;
  }

  seal(): void {
    const { open } = this;
    if (open === null) return;
    open.forEach((data, index) => {
      if (typeof data === 'string' && data.length <= LARGE_CHARS) return;
      (this.#large ??= new Map()).set(index, data);
      open[index] = '';
    });
    const texts = open as string[];
    const joined = texts.join('');
    const bytes = Buffer.byteLength(joined);
    // The next texts are about as long: usually the memory can stay (measured: a fifth of an append).
    if (this.#bytes.length < bytes) this.#bytes = Buffer.allocUnsafeSlow(Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
    this.#bytes.write(joined);
    // Nearly always all of it is ASCII, and then characters are bytes.
    const isAscii = bytes === joined.length;
    let end = 0;
    for (let index = 0; index < texts.length; index++) {
      const text = texts[index] as string;
      end += isAscii ? text.length : Buffer.byteLength(text);
      this.#ends[index] = end;
    }
    this.open = null;
  }

  data(index: number): Payload {
    if (this.open !== null) return this.open[index] as Payload;
    const large = this.#large?.get(index);
    if (large !== undefined) return large;
    return this.#bytes.toString('utf8', index === 0 ? 0 : this.#ends[index - 1], this.#ends[index]);
  }

  /** Makes it an empty open one: its columns are worth keeping, since one is needed every millisecond under load. */
  reset(): void {
    this.count = 0;
    this.size = 0;
    this.kept = 0;
    this.open = [];
    this.chars = 0;
    if (this.#bytes.length > 2 * SEGMENT_CHARS) this.#bytes = EMPTY;
    this.#large = null;
  }
}

const EMPTY = Buffer.alloc(0);

export class Log {
  readonly #segments: Segment[] = [];
  /** Number of the first segment that is left. */
  #firstNumber = 0;
  #open = new Segment();
  #spare: Segment | null = null;
  /** Sizes of all entries, and of those that their owners still keep. */
  #size = 0;
  #keptSize = 0;

  constructor() {
    this.#segments.push(this.#open);
  }

  /** `size` is what the entry counts. Returns its position, to be given back with the size when its owner keeps it no longer. */
  append(
    owner: LogOwner,
    sequence: number,
    type: EntryType,
    atMs: number,
    inputSeq: number,
    size: number,
    data: Payload,
  ): number {
    if (this.#open.isFull) {
      this.#openNext();
      for (let n = 0; n < CLEANED_PER_SEAL && this.#isWorthCleaning; n++) this.#cleanFirst();
    }
    this.#keptSize += size;
    return this.#put(owner, sequence, type, atMs, inputSeq, size, data);
  }

  release(position: number, size: number): void {
    this.#keptSize -= size;
    this.#segmentOf(position).kept--;
  }

  at(position: number): LogEntry {
    const index = position % ENTRIES;
    const segment = this.#segmentOf(position);
    return {
      type: segment.types[index] as EntryType,
      atMs: segment.numbers[NUMBERS * index] as number,
      inputSeq: segment.numbers[NUMBERS * index + 1] as number,
      data: segment.data(index),
    };
  }

  /** The time of an entry, without its data. */
  atMsOf(position: number): number {
    return this.#segmentOf(position).numbers[NUMBERS * (position % ENTRIES)] as number;
  }

  /** Sizes of all entries that are held, garbage included. */
  get size(): number {
    return this.#size;
  }

  #segmentOf(position: number): Segment {
    const segment = this.#segments[Math.floor(position / ENTRIES) - this.#firstNumber];
    if (segment === undefined) throw new Error('the log has no such entry');
    return segment;
  }

  #put(
    owner: LogOwner,
    sequence: number,
    type: EntryType,
    atMs: number,
    inputSeq: number,
    size: number,
    data: Payload,
  ): number {
    if (this.#open.isFull) this.#openNext();
    const segment = this.#open;
    const index = segment.count++;
    const { numbers } = segment;
    const at = NUMBERS * index;
    numbers[at] = atMs;
    numbers[at + 1] = inputSeq;
    numbers[at + 2] = sequence;
    numbers[at + 3] = size;
    segment.types[index] = type;
    segment.owners[index] = owner;
    segment.open?.push(data);
    segment.chars += data.length;
    segment.size += size;
    segment.kept++;
    this.#size += size;
    return (this.#firstNumber + this.#segments.length - 1) * ENTRIES + index;
  }

  #openNext(): void {
    this.#open.seal();
    this.#open = this.#spare ?? new Segment();
    this.#spare = null;
    this.#segments.push(this.#open);
  }

  /** One that nobody keeps anything of costs nothing to clean: under an even load all are like that, and there is no garbage. */
  get #isWorthCleaning(): boolean {
    if (this.#segments.length === 1) return false;
    return this.#segments[0]?.kept === 0 || this.#size > 2 * this.#keptSize + SLACK_BYTES;
  }

  /** Appends again what is still kept of the oldest segment, and lets go of the rest. */
  #cleanFirst(): void {
    const segment = this.#segments.shift() as Segment;
    const firstPosition = this.#firstNumber++ * ENTRIES;
    this.#size -= segment.size;
    const { numbers, types, owners } = segment;
    // Under an even load the oldest has nothing left that anybody keeps, and need not be looked through.
    for (let index = 0; index < segment.count && segment.kept > 0; index++) {
      const at = NUMBERS * index;
      const owner = owners[index] as LogOwner;
      const sequence = numbers[at + 2] as number;
      if (!owner.keeps(sequence, firstPosition + index)) continue;
      const atMs = numbers[at] as number;
      const inputSeq = numbers[at + 1] as number;
      const size = numbers[at + 3] as number;
      const type = types[index] as EntryType;
      segment.kept--;
      owner.moved(sequence, this.#put(owner, sequence, type, atMs, inputSeq, size, segment.data(index)));
    }
    segment.reset();
    this.#spare = segment;
  }
}

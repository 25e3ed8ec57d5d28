// The transcript of one worker in memory: bounded, the oldest entries go first, the newest always stays. The first few
// entries are one flat array, later ones a ring in columns that grows to its bound and then overwrites its oldest entry.
// Why two forms: columns cost 630 bytes for three entries, the flat array 150 (measured), which is half of what a worker costs
// that has handled one input; and an object per entry is what the garbage collector of a busy runtime would spend its time on.

import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { ENTRY_TYPES } from '../protocol/views.ts';
import type { EntryType } from '../protocol/views.ts';
import type { StoredEntry, TranscriptBounds } from './store.ts';

/** Rough size of an entry beside its data. */
const ENTRY_OVERHEAD_BYTES = 64;
/** Entries up to which a transcript is a flat array. */
const FEW = 8;
/** Places of an entry in the flat array: time, number of its input, type, data. */
const PLACES = 4;

/** An entry as it was appended, its time since the transcript began. */
type Entry = { -readonly [K in keyof StoredEntry]: StoredEntry[K] };

/**
 * Times are those since the creation of its worker: small integers lie in an array as they are, a Date.now() is an object
 * beside it (16 bytes for each entry).
 */
export class Transcript {
  readonly #bounds: TranscriptBounds;
  #last = 0;
  /** Entries that are kept; the sequence of the first of them is `#last - #count + 1`. */
  #count = 0;
  #bytes = 0;
  /** Of exactly the length that is needed: pushing would make room for 17 more. */
  #few: unknown[] = NOTHING;
  /** Takes over when there are more than a few. */
  #ring: Ring | null = null;

  constructor(bounds: TranscriptBounds) {
    this.#bounds = bounds;
  }

  get lastSequence(): number {
    return this.#last;
  }

  append(type: EntryType, atMs: number, inputSeq: number, data: Payload): number {
    const sequence = ++this.#last;
    const size = sizeOf(data);
    this.#count++;
    this.#bytes += size;
    // Before the ring grows: at its bound it must not. The new entry is counted already and always stays.
    while (this.#count > 1 && (this.#count > this.#bounds.maxEntries || this.#bytes > this.#bounds.maxBytes))
      this.#dropOldest();
    if (this.#ring !== null) this.#ring.put(sequence, this.#count, atMs, inputSeq, size, type, data);
    else if (this.#count <= FEW) this.#few = withOneMore(this.#few, atMs, inputSeq, type, data);
    else this.#startRing(sequence, atMs, inputSeq, size, type, data);
    return sequence;
  }

  read(after: number, limit: number): { items: Entry[]; nextAfter: number; hasMore: boolean } {
    const from = Math.max(after + 1, this.#last - this.#count + 1);
    const to = Math.min(this.#last, from + limit - 1);
    const items: Entry[] = [];
    for (let sequence = from; sequence <= to; sequence++) items.push(this.#entry(sequence));
    return { items, nextAfter: items.at(-1)?.sequence ?? after, hasMore: to < this.#last };
  }

  #entry(sequence: number): Entry {
    if (this.#ring !== null) return this.#ring.entry(sequence);
    const at = PLACES * (sequence - (this.#last - this.#count + 1));
    const [atMs, inputSeq, type, data] = this.#few.slice(at, at + PLACES) as [number, number, EntryType, Payload];
    return { sequence, atMs, type, inputSeq, data };
  }

  /** Called while the newest entry is counted but not put yet. */
  #dropOldest(): void {
    if (this.#ring !== null) {
      this.#bytes -= this.#ring.drop(this.#last - this.#count + 1);
    } else {
      this.#bytes -= sizeOf(this.#few[PLACES - 1] as Payload);
      this.#few = this.#few.slice(PLACES);
    }
    this.#count--;
  }

  #startRing(sequence: number, atMs: number, inputSeq: number, size: number, type: EntryType, data: Payload): void {
    const ring = new Ring();
    for (let older = sequence - this.#count + 1; older < sequence; older++) {
      const entry = this.#entry(older);
      ring.put(older, FEW, entry.atMs, entry.inputSeq, sizeOf(entry.data), entry.type, entry.data);
    }
    ring.put(sequence, this.#count, atMs, inputSeq, size, type, data);
    this.#ring = ring;
    this.#few = NOTHING;
  }
}

/** What every transcript without entries of its own shares. Nobody writes to it: `#few` is replaced, not changed. */
const NOTHING: unknown[] = [];

function withOneMore(
  few: readonly unknown[],
  atMs: number,
  inputSeq: number,
  type: EntryType,
  data: Payload,
): unknown[] {
  const longer = new Array<unknown>(few.length + PLACES);
  for (let at = 0; at < few.length; at++) longer[at] = few[at];
  longer[few.length] = atMs;
  longer[few.length + 1] = inputSeq;
  longer[few.length + 2] = type;
  longer[few.length + 3] = data;
  return longer;
}

/** Columns of numbers: time, number of the input, size, type. The size, because the data has long left the caches when it is dropped. */
const NUMBERS = 4;

class Ring {
  //   sequence:   first            last
  //   columns:  [ first % n  …  last % n ]   n is a power of two
  #capacity = FEW;
  #numbers = new Float64Array(NUMBERS * FEW);
  #data: (Payload | undefined)[] = new Array<undefined>(FEW).fill(undefined);

  /** `count` entries are kept, this one included. */
  put(
    sequence: number,
    count: number,
    atMs: number,
    inputSeq: number,
    size: number,
    type: EntryType,
    data: Payload,
  ): void {
    if (count > this.#capacity) this.#grow(sequence, count);
    const at = sequence & (this.#capacity - 1);
    this.#numbers[NUMBERS * at] = atMs;
    this.#numbers[NUMBERS * at + 1] = inputSeq;
    this.#numbers[NUMBERS * at + 2] = size;
    this.#numbers[NUMBERS * at + 3] = TYPE_INDEX[type];
    this.#data[at] = data;
  }

  /** Returns the size of what was dropped. */
  drop(sequence: number): number {
    const at = sequence & (this.#capacity - 1);
    this.#data[at] = undefined;
    return this.#numbers[NUMBERS * at + 2] ?? 0;
  }

  entry(sequence: number): Entry {
    const at = sequence & (this.#capacity - 1);
    return {
      sequence,
      atMs: this.#numbers[NUMBERS * at] ?? 0,
      type: ENTRY_TYPES[this.#numbers[NUMBERS * at + 3] ?? 0] ?? 'created',
      inputSeq: this.#numbers[NUMBERS * at + 1] ?? 0,
      data: this.#data[at] ?? 'null',
    };
  }

  #grow(sequence: number, count: number): void {
    const [capacity, numbers, data] = [this.#capacity, this.#numbers, this.#data];
    this.#capacity = capacity * 2;
    this.#numbers = new Float64Array(NUMBERS * this.#capacity);
    this.#data = new Array<undefined>(this.#capacity).fill(undefined);
    for (let older = sequence - count + 1; older < sequence; older++) {
      const from = older & (capacity - 1);
      const to = older & (this.#capacity - 1);
      this.#numbers.set(numbers.subarray(NUMBERS * from, NUMBERS * (from + 1)), NUMBERS * to);
      this.#data[to] = data[from];
    }
  }
}

const TYPE_INDEX = Object.fromEntries(ENTRY_TYPES.map((type, index) => [type, index])) as Record<EntryType, number>;

/** What an entry costs; a string's length stands for its bytes here, because this bounds memory, not messages. */
function sizeOf(data: Payload): number {
  return ENTRY_OVERHEAD_BYTES + (typeof data === 'string' ? data.length : payloadBytes(data));
}

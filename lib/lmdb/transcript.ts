// One worker's transcript: blocks of older entries on disk, and behind them the entries that are not folded yet, in memory.
//
//   sequence:   first                              last
//               [ block ][ block ] … [ block ][ tail ]
//
// Entries in memory are dropped one by one; of those on disk the count is exact, and bytes and age go by whole blocks.

import { payloadBytes } from '../protocol/payload.ts';
import type { EndedInput, StoredEntry, StoredPage } from '../store/store.ts';
import { corrupt, Decoder, isIntact } from './codec.ts';
import type { Encoder } from './codec.ts';
import { endingOf, readEntry, writeEntry } from './entries.ts';
import type { Entry } from './entries.ts';
import type { Environment, Writer } from './environment.ts';
import { fault } from './faults.ts';
import { TABLES, workerNumberKey } from './keys.ts';
import { readRow } from './rows.ts';

export interface TranscriptLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** Where the entries of a transcript lie on disk. */
export interface Block {
  readonly first: number;
  count: number;
  /** What its entries count, and what the value takes. */
  bytes: number;
  valueBytes: number;
  newestAtMs: number;
}

/** What a worker's record says of its transcript. */
export interface TranscriptRecord {
  readonly first: number;
  readonly last: number;
  readonly blocks: readonly Block[];
}

/** Rough size of an entry beside its data. */
const ENTRY_OVERHEAD_BYTES = 64;
/** A block takes no further entries from here on: less would be more keys, more would be more to write again. */
const BLOCK_BYTES = 2 * 1_024;

export class Transcript {
  readonly #workerId: string;
  readonly #environment: Environment;
  readonly #limits: TranscriptLimits;
  #first = 1;
  #last = 0;
  /** Of all blocks and the tail; a block counts whole until it is dropped. */
  #bytes = 0;
  #blocks: Block[] = [];
  /** Blocks that were dropped and are still on disk. */
  #dropped: Block[] = [];
  #tail: Entry[] = [];
  /** Entries at the beginning of the array that are dropped already. */
  #tailStart = 0;
  #tailBytes = 0;

  constructor(workerId: string, environment: Environment, limits: TranscriptLimits) {
    this.#workerId = workerId;
    this.#environment = environment;
    this.#limits = limits;
  }

  get last(): number {
    return this.#last;
  }

  /** Rough memory of what is not on disk. */
  get heldBytes(): number {
    return this.#tailBytes;
  }

  restore({ first, last, blocks }: TranscriptRecord): void {
    this.#first = first;
    this.#last = last;
    this.#blocks = [...blocks];
    this.#bytes = blocks.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  clear(): void {
    this.#first = this.#last + 1;
    this.#bytes = this.#tailBytes = this.#tailStart = 0;
    this.#blocks = [];
    this.#dropped = [];
    this.#tail = [];
  }

  append(entry: Entry, now: number): void {
    const size = sizeOf(entry);
    this.#last++;
    this.#tail.push(entry);
    this.#bytes += size;
    this.#tailBytes += size;
    this.trim(now);
  }

  trim(now: number): void {
    const { maxEntries, maxBytes } = this.#limits;
    while (this.#first < this.#last) {
      if (this.#last - this.#first + 1 > maxEntries) this.#dropOldest(false);
      else if (this.#bytes > maxBytes || this.#isOldestBefore(now - this.#limits.maxAgeMs)) this.#dropOldest(true);
      else break;
    }
  }

  /** Sequence of the oldest entry that is not too old. Drops nothing, since a folding may be under way: the next one does. */
  oldestAt(now: number): number {
    const beforeMs = now - this.#limits.maxAgeMs;
    let first = this.#first;
    for (const block of this.#blocks) {
      if (block.newestAtMs >= beforeMs) return first;
      first = Math.min(block.first + block.count, this.#last);
    }
    for (let at = this.#tailStart; first < this.#last && (this.#tail[at] as Entry).atMs < beforeMs; at++) first++;
    return first;
  }

  read(after: number, limit: number, now: number): StoredPage {
    const from = Math.max(after + 1, this.oldestAt(now));
    const to = Math.min(this.#last, from + limit - 1);
    const items: StoredEntry[] = [];
    if (from <= to)
      this.#each(from, to, ({ atMs, type, inputSeq, data }, sequence) =>
        items.push({ sequence, atMs, type, inputSeq, data }),
      );
    return { items, nextAfter: items.at(-1)?.sequence ?? after, hasMore: to < this.#last };
  }

  /** The newest ending of an input that is kept. */
  ended(seq: number): EndedInput | undefined {
    let found: EndedInput | undefined;
    this.#each(this.#first, this.#last, ({ inputSeq, ending, atMs, data }) => {
      if (ending !== null && inputSeq === seq) found = { seq, ...endingOf(ending, atMs, data) };
    });
    return found;
  }

  /** Puts the tail into blocks, and removes those that were dropped. What it returns is called when that is on disk; nothing changes in between. */
  fold(to: Encoder, writer: Writer): { record: TranscriptRecord; done: () => void } {
    for (const { first } of this.#dropped) {
      fault('trim');
      writer.remove(this.#keyOf(first));
    }
    const blocks = [...this.#blocks];
    const entries = this.#tail;
    let sequence = this.#firstOfTail;
    let place = this.#tailStart;
    while (place < entries.length) {
      const block = this.#beginBlock(to, blocks, sequence);
      do {
        const entry = entries[place++] as Entry;
        writeEntry(to, entry);
        sequence++;
        block.count++;
        block.bytes += sizeOf(entry);
        block.newestAtMs = Math.max(block.newestAtMs, entry.atMs);
      } while (place < entries.length && to.length < BLOCK_BYTES);
      block.valueBytes = to.length;
      const key = this.#keyOf(block.first);
      writer.put(key, to.sealedCopy(key));
      blocks.push(block);
    }
    const done = () => {
      this.#dropped = [];
      this.#blocks = blocks;
      this.#tail = [];
      this.#tailStart = this.#tailBytes = 0;
    };
    return { record: { first: this.#first, last: this.#last, blocks }, done };
  }

  // --- private ---

  #keyOf(first: number): Buffer {
    return workerNumberKey(TABLES.blocks, this.#workerId, first);
  }

  #decoderOf({ first }: Block): Decoder {
    const from = readRow(this.#environment, this.#keyOf(first));
    if (from === undefined) throw corrupt();
    return from;
  }

  get #firstOfTail(): number {
    return this.#last - (this.#tail.length - this.#tailStart) + 1;
  }

  #each(from: number, to: number, use: (entry: Entry, sequence: number) => void): void {
    for (const block of this.#blocks) {
      if (block.first + block.count <= from || block.first > to) continue;
      const decoder = this.#decoderOf(block);
      for (let n = 0; n < block.count; n++) {
        const entry = readEntry(decoder);
        const sequence = block.first + n;
        if (sequence >= from && sequence <= to) use(entry, sequence);
      }
    }
    const firstOfTail = this.#firstOfTail;
    for (let sequence = Math.max(from, firstOfTail); sequence <= to; sequence++)
      use(this.#tail[this.#tailStart + sequence - firstOfTail] as Entry, sequence);
  }

  #isOldestBefore(atMs: number): boolean {
    const oldest = this.#blocks[0]?.newestAtMs ?? (this.#tail[this.#tailStart] as Entry).atMs;
    return oldest < atMs;
  }

  #dropOldest(isWholeBlock: boolean): void {
    const block = this.#blocks[0];
    if (block === undefined) {
      this.#first++;
      this.#dropOfTail();
      return;
    }
    const next = block.first + block.count;
    this.#first = isWholeBlock ? Math.min(next, this.#last) : this.#first + 1;
    if (this.#first < next) return;
    this.#blocks.shift();
    this.#dropped.push(block);
    this.#bytes -= block.bytes;
  }

  #dropOfTail(): void {
    const size = sizeOf(this.#tail[this.#tailStart] as Entry);
    this.#tailStart++;
    this.#bytes -= size;
    this.#tailBytes -= size;
    // Moved seldom, so that a drop costs nothing most of the time.
    if (2 * this.#tailStart < this.#tail.length || this.#tailStart < 32) return;
    this.#tail.splice(0, this.#tailStart);
    this.#tailStart = 0;
  }

  /** The last block again while it is small, or a new one. */
  #beginBlock(to: Encoder, blocks: Block[], sequence: number): Block {
    to.reset();
    const last = blocks.at(-1);
    const key = last !== undefined && last.valueBytes < BLOCK_BYTES ? this.#keyOf(last.first) : undefined;
    const value = key && this.#environment.get(key);
    if (last === undefined || key === undefined || value === undefined || !isIntact(value, key))
      return { first: sequence, count: 0, bytes: 0, valueBytes: 0, newestAtMs: 0 };
    to.raw(new Decoder(value, key).raw());
    blocks.pop();
    return { ...last };
  }
}

function sizeOf({ data }: Entry): number {
  return ENTRY_OVERHEAD_BYTES + (typeof data === 'string' ? data.length : payloadBytes(data));
}

// Every accepted input by its number, until its receipt is forgotten. Inputs that have not ended are always found; ended
// ones leave in the order in which they ended, when there are too many, too many bytes of outputs, or they are too old.
// Those with an idempotency key have bounds of their own, so that traffic without keys cannot push them out.

import { payloadBytes } from '../protocol/payload.ts';
import type { InputRecord } from './input.ts';

export interface ReceiptBounds {
  readonly maxCount: number;
  readonly maxBytes: number;
  readonly ttlMs: number;
}

/** Numbers are dense, so records lie in pages by number: a few words per input and no hashing. */
const PAGE = 256;

interface Page {
  readonly records: (InputRecord | undefined)[];
  count: number;
}

/** Ended inputs in the order of their end, linked through `next`. */
interface EndedLine {
  readonly bounds: ReceiptBounds;
  first: InputRecord | null;
  last: InputRecord | null;
  count: number;
  bytes: number;
}

export class Receipts {
  /** An object, not a Map: a Map leaves its old tables behind when it rehashes, and those kept whole pages of ended inputs alive. */
  readonly #pages: Record<number, Page> = Object.create(null) as Record<number, Page>;
  /** Page of the newest input: nearly every access is to it. */
  #newest: Page = { records: [], count: 0 };
  #newestIndex = -1;
  readonly #plain: EndedLine;
  readonly #keyed: EndedLine;
  readonly #onForgotten: (record: InputRecord) => void;

  /** `onForgotten` is told of each receipt that leaves and had an idempotency key. */
  constructor(plain: ReceiptBounds, keyed: ReceiptBounds, onForgotten: (record: InputRecord) => void) {
    this.#plain = { bounds: plain, first: null, last: null, count: 0, bytes: 0 };
    this.#keyed = { bounds: keyed, first: null, last: null, count: 0, bytes: 0 };
    this.#onForgotten = onForgotten;
  }

  add(record: InputRecord): void {
    const index = Math.floor(record.seq / PAGE);
    if (index !== this.#newestIndex) {
      // What it held may be forgotten already; nothing would look at the page again.
      if (this.#newest.count === 0) delete this.#pages[this.#newestIndex];
      this.#newest = { records: new Array<InputRecord | undefined>(PAGE).fill(undefined), count: 0 };
      this.#newestIndex = index;
      this.#pages[index] = this.#newest;
    }
    this.#newest.records[record.seq % PAGE] = record;
    this.#newest.count++;
  }

  get(seq: number, nowMs: number): InputRecord | undefined {
    const record = this.#pages[Math.floor(seq / PAGE)]?.records[seq % PAGE];
    if (record === undefined || record.outcome === null) return record;
    return record.endedAtMs + this.#lineOf(record).bounds.ttlMs <= nowMs ? undefined : record;
  }

  /** To be called once, when the record has its outcome and has left the mailbox. */
  ended(record: InputRecord): void {
    const line = this.#lineOf(record);
    if (line.last === null) line.first = record;
    else line.last.next = record;
    line.last = record;
    line.count++;
    line.bytes += keptBytes(record);
    while (line.count > line.bounds.maxCount || line.bytes > line.bounds.maxBytes) this.#forgetFirst(line);
  }

  /** Forgets what is too old. */
  expire(nowMs: number): void {
    for (const line of [this.#plain, this.#keyed]) {
      while (line.first !== null && line.first.endedAtMs + line.bounds.ttlMs <= nowMs) this.#forgetFirst(line);
    }
  }

  get count(): number {
    return this.#plain.count + this.#keyed.count;
  }

  #lineOf(record: InputRecord): EndedLine {
    return record.idempotencyKey === null ? this.#plain : this.#keyed;
  }

  #forgetFirst(line: EndedLine): void {
    const record = line.first;
    if (record === null) return;
    line.first = record.next;
    if (line.first === null) line.last = null;
    record.next = null;
    line.count--;
    line.bytes -= keptBytes(record);
    const index = Math.floor(record.seq / PAGE);
    const page = this.#pages[index];
    if (page !== undefined) {
      page.records[record.seq % PAGE] = undefined;
      if (--page.count === 0 && index !== this.#newestIndex) delete this.#pages[index];
    }
    if (record.idempotencyKey !== null) this.#onForgotten(record);
  }
}

function keptBytes(record: InputRecord): number {
  return record.output === null
    ? 0
    : typeof record.output === 'string'
      ? record.output.length
      : payloadBytes(record.output);
}

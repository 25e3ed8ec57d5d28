// Every accepted input by its number, until its receipt is forgotten. Inputs that have not ended are always found; ended
// ones leave in the order in which they ended, when there are too many, too many bytes of outputs, or they are too old.
// Whoever asked and was answered needs none: those are forgotten at once (measured: 10 to 16 % of an ask).
// Those with an idempotency key have bounds of their own, so that traffic without keys cannot push them out.

import { EndedRing, keptBytes } from './ended.ts';
import type { InputFacts, InputRecord, ReceiptPage } from './input.ts';
import type { Receipt } from '../protocol/views.ts';
import type { Worker } from './worker.ts';

export interface ReceiptBounds {
  readonly maxCount: number;
  readonly maxBytes: number;
  readonly ttlMs: number;
}

/** Numbers are dense, so inputs lie in pages by number: a few words per input and no hashing. */
const PAGE = 256;

/** Ended inputs with a key, in the order of their end, linked through `next`: their workers know them by their keys. */
interface KeyedLine {
  first: InputRecord | null;
  last: InputRecord | null;
  count: number;
  bytes: number;
}

export class Receipts {
  /** An object, not a Map: a Map leaves its old tables behind when it rehashes, and those kept whole pages alive. */
  readonly #pages: Record<number, ReceiptPage> = Object.create(null) as Record<number, ReceiptPage>;
  /** Page of the newest input: nearly every access is to it. */
  #newest: ReceiptPage = { index: -1, entries: [], count: 0 };
  readonly #plain = new EndedRing();
  readonly #plainBounds: ReceiptBounds;
  readonly #keyed: KeyedLine = { first: null, last: null, count: 0, bytes: 0 };
  readonly #keyedBounds: ReceiptBounds;
  readonly #onForgotten: (record: InputRecord) => void;

  /** `onForgotten` is told of each receipt that leaves and had an idempotency key. */
  constructor(plain: ReceiptBounds, keyed: ReceiptBounds, onForgotten: (record: InputRecord) => void) {
    this.#plainBounds = plain;
    this.#keyedBounds = keyed;
    this.#onForgotten = onForgotten;
  }

  add(record: InputRecord): void {
    const page = this.#pageFor(Math.floor(record.seq / PAGE));
    page.entries[record.seq % PAGE] = record;
    page.count++;
    record.page = page;
  }

  #pageFor(index: number): ReceiptPage {
    if (index === this.#newest.index) return this.#newest;
    const page = this.#pages[index] ?? { index, entries: new Array<undefined>(PAGE).fill(undefined), count: 0 };
    this.#pages[index] = page;
    // A number that was reserved is used after later ones.
    if (index < this.#newest.index) return page;
    // What it held may be forgotten already; nothing would look at the page again.
    if (this.#newest.count === 0) delete this.#pages[this.#newest.index];
    this.#newest = page;
    return page;
  }

  get(seq: number, nowMs: number): InputFacts | undefined {
    const entry = this.#pages[Math.floor(seq / PAGE)]?.entries[seq % PAGE];
    if (entry === undefined) return undefined;
    if (typeof entry !== 'number' && entry.outcome === null) return entry;
    const info = typeof entry === 'number' ? this.#plain.at(entry) : entry;
    const { ttlMs } = typeof entry === 'number' ? this.#plainBounds : this.#keyedBounds;
    return info === undefined || info.endedAtMs + ttlMs <= nowMs ? undefined : info;
  }

  /** It has never been there. */
  forget(record: InputRecord): void {
    this.#clear(record.page, record.seq);
  }

  /** To be called once, when the record has its outcome and has left the mailbox. */
  ended(record: InputRecord): void {
    if (record.key !== null) {
      this.#endedWithKey(record);
      return;
    }
    if (record.isAnswered) {
      this.#clear(record.page, record.seq);
      return;
    }
    if (record.page !== null) record.page.entries[record.seq % PAGE] = this.#plain.push(record);
    const { maxCount, maxBytes } = this.#plainBounds;
    while (this.#plain.count > maxCount || this.#plain.bytes > maxBytes) this.#forgetFirstPlain();
  }

  #endedWithKey(record: InputRecord): void {
    const line = this.#keyed;
    // A short output is a slice of the batch that it came with, and would keep all of it.
    if (typeof record.output === 'string') record.output = Buffer.from(record.output).toString();
    if (line.last === null) line.first = record;
    else line.last.next = record;
    line.last = record;
    line.count++;
    line.bytes += bytesOf(record);
    const { maxCount, maxBytes } = this.#keyedBounds;
    while (line.count > maxCount || line.bytes > maxBytes) this.#forgetFirstKeyed();
  }

  /** Forgets what is too old. */
  expire(nowMs: number): void {
    while (this.#plain.firstEndedAtMs + this.#plainBounds.ttlMs <= nowMs) this.#forgetFirstPlain();
    const line = this.#keyed;
    while (line.first !== null && line.first.endedAtMs + this.#keyedBounds.ttlMs <= nowMs) this.#forgetFirstKeyed();
  }

  /** Those that have not ended. */
  *live(): Generator<InputRecord> {
    for (const index in this.#pages)
      for (const entry of this.#pages[index]?.entries ?? [])
        if (typeof entry === 'object' && entry.outcome === null) yield entry;
  }

  get count(): number {
    return this.#plain.count + this.#keyed.count;
  }

  #forgetFirstKeyed(): void {
    const line = this.#keyed;
    const record = line.first;
    if (record === null) return;
    line.first = record.next;
    if (line.first === null) line.last = null;
    record.next = null;
    line.count--;
    line.bytes -= bytesOf(record);
    this.#clear(record.page, record.seq);
    this.#onForgotten(record);
  }

  #forgetFirstPlain(): void {
    const { firstPage, firstSeq } = this.#plain;
    this.#plain.shift();
    this.#clear(firstPage, firstSeq);
  }

  #clear(page: ReceiptPage | null, seq: number): void {
    if (page === null) return;
    page.entries[seq % PAGE] = undefined;
    if (--page.count === 0 && page !== this.#newest) delete this.#pages[page.index];
  }
}

function bytesOf(record: InputRecord): number {
  return record.output === null ? 0 : keptBytes(record.output);
}

/** What the sender of an accepted input gets. */
export function receiptOf(record: InputRecord): Receipt {
  const worker = record.owner as Worker;
  const position = record.outcome === null ? worker.mailbox.positionOf(record) : 0;
  const durability = record.isVolatile ? 'volatile' : 'durable';
  return { workerId: worker.workerId, inputId: record.inputId, status: worker.status, position, durability };
}

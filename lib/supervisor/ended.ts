// What is kept of ended inputs: a ring in columns, first ended first out, and the outputs in a log outside the heap. Objects and
// strings would survive into the old generation by the hundred thousand per second, and a short output would keep the whole
// batch that it came with.

import type { WireError } from '../errors.ts';
import { Log } from '../store/log.ts';
import type { LogOwner } from '../store/log.ts';
import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { OUTCOMES } from '../protocol/views.ts';
import type { Outcome } from '../protocol/views.ts';
import type { InputFacts, InputOwner, InputRecord, ReceiptPage } from './input.ts';

const FIRST_CAPACITY = 64;
/** A text up to this length is never a slice of another one: V8 copies it. Such an output is kept as it is. */
const TINY_CHARS = 12;
/** Columns of numbers: seq, attempt, accepted, started, ended, kept bytes, position of the output in the log (-1 without one). */
const NUMBERS = 7;
const OUTCOME_INDEX = Object.fromEntries(OUTCOMES.map((outcome, index) => [outcome, index])) as Record<Outcome, number>;

export class EndedRing implements LogOwner {
  //   position:  first            next
  //   columns:   [ first % n …  next % n )
  #capacity = FIRST_CAPACITY;
  #numbers = new Float64Array(NUMBERS * FIRST_CAPACITY);
  #outcomes = new Uint8Array(FIRST_CAPACITY);
  #owners: (InputOwner | undefined)[] = new Array<undefined>(FIRST_CAPACITY).fill(undefined);
  readonly #outputs = new Log();
  #tinyOutputs: (string | null)[] = new Array<null>(FIRST_CAPACITY).fill(null);
  #pages: (ReceiptPage | null)[] = new Array<null>(FIRST_CAPACITY).fill(null);
  #errors: (WireError | null)[] = new Array<null>(FIRST_CAPACITY).fill(null);
  #first = 0;
  #next = 0;
  #bytes = 0;

  get count(): number {
    return this.#next - this.#first;
  }

  /** Bytes of the outputs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns the position by which `at` finds it. */
  push(record: InputRecord): number {
    if (this.count === this.#capacity) this.#grow();
    const position = this.#next++;
    const { output, seq } = record;
    const bytes = output === null ? 0 : keptBytes(output);
    const isTiny = typeof output === 'string' && output.length <= TINY_CHARS;
    const place =
      output === null || isTiny ? -1 : this.#outputs.append(this, position, 'output', 0, seq, bytes, output);
    this.#put(position, record, bytes, place);
    const index = position % this.#capacity;
    this.#tinyOutputs[index] = isTiny ? output : null;
    this.#pages[index] = record.page;
    return position;
  }

  at(position: number): InputFacts | undefined {
    if (position < this.#first || position >= this.#next) return undefined;
    const index = position % this.#capacity;
    const number = (column: number) => this.#numbers[NUMBERS * index + column] ?? 0;
    const place = number(6);
    return {
      owner: this.#owners[index] as InputOwner,
      seq: number(0),
      attempt: number(1),
      acceptedAtMs: number(2),
      startedAtMs: number(3),
      endedAtMs: number(4),
      outcome: OUTCOMES[this.#outcomes[index] ?? 0] ?? null,
      output: place === -1 ? (this.#tinyOutputs[index] ?? null) : this.#outputs.at(place).data,
      error: this.#errors[index] ?? null,
    };
  }

  /** When the first one ended, Infinity if there is none. */
  get firstEndedAtMs(): number {
    return this.count === 0 ? Infinity : (this.#numbers[NUMBERS * (this.#first % this.#capacity) + 4] ?? 0);
  }

  get firstSeq(): number {
    return this.#numbers[NUMBERS * (this.#first % this.#capacity)] ?? 0;
  }

  get firstPage(): ReceiptPage | null {
    return this.#pages[this.#first % this.#capacity] ?? null;
  }

  /** Forgets the first one. Reads columns of numbers only: what they point to has long left the caches. */
  shift(): void {
    const index = this.#first++ % this.#capacity;
    const at = NUMBERS * index;
    const bytes = this.#numbers[at + 5] as number;
    const place = this.#numbers[at + 6] as number;
    this.#bytes -= bytes;
    if (place !== -1) this.#outputs.release(place, bytes);
    this.#owners[index] = undefined;
    this.#errors[index] = null;
    this.#tinyOutputs[index] = null;
    this.#pages[index] = null;
  }

  // --- for the log of the outputs: an entry's sequence is its position in the ring ---

  keeps(position: number, place: number): boolean {
    return position >= this.#first && this.#numbers[NUMBERS * (position % this.#capacity) + 6] === place;
  }

  moved(position: number, place: number): void {
    this.#numbers[NUMBERS * (position % this.#capacity) + 6] = place;
  }

  #put(position: number, info: Omit<InputFacts, 'output'>, bytes: number, place: number): void {
    const index = position % this.#capacity;
    const at = NUMBERS * index;
    this.#numbers[at] = info.seq;
    this.#numbers[at + 1] = info.attempt;
    this.#numbers[at + 2] = info.acceptedAtMs;
    this.#numbers[at + 3] = info.startedAtMs;
    this.#numbers[at + 4] = info.endedAtMs;
    this.#numbers[at + 5] = bytes;
    this.#numbers[at + 6] = place;
    this.#outcomes[index] = info.outcome === null ? 0 : OUTCOME_INDEX[info.outcome];
    this.#owners[index] = info.owner;
    this.#errors[index] = info.error;
    this.#bytes += bytes;
  }

  /** Twice the capacity. The outputs stay where they are. */
  #grow(): void {
    const [numbers, outcomes, owners, errors] = [this.#numbers, this.#outcomes, this.#owners, this.#errors];
    const [tinyOutputs, pages] = [this.#tinyOutputs, this.#pages];
    const before = this.#capacity;
    const capacity = before * 2;
    this.#capacity = capacity;
    this.#numbers = new Float64Array(NUMBERS * capacity);
    this.#outcomes = new Uint8Array(capacity);
    this.#owners = new Array<undefined>(capacity).fill(undefined);
    this.#errors = new Array<null>(capacity).fill(null);
    this.#tinyOutputs = new Array<null>(capacity).fill(null);
    this.#pages = new Array<null>(capacity).fill(null);
    for (let position = this.#first; position < this.#next; position++) {
      const from = position % before;
      const to = position % capacity;
      this.#numbers.set(numbers.subarray(NUMBERS * from, NUMBERS * (from + 1)), NUMBERS * to);
      this.#outcomes[to] = outcomes[from] as number;
      this.#owners[to] = owners[from];
      this.#errors[to] = errors[from] ?? null;
      this.#tinyOutputs[to] = tinyOutputs[from] ?? null;
      this.#pages[to] = pages[from] ?? null;
    }
  }
}

/** Bounds memory, not messages: a string's length stands for its bytes. */
export function keptBytes(output: Payload): number {
  return typeof output === 'string' ? output.length : payloadBytes(output);
}

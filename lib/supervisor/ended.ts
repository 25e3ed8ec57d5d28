// What is kept of ended inputs: a ring in columns, first ended first out. An object per receipt would survive into the old
// generation by the hundred thousand per second, and the collector would be the busiest part of an ask (measured: a sixth of it).

import type { WireError } from '../errors.ts';
import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { OUTCOMES } from '../protocol/views.ts';
import type { Outcome } from '../protocol/views.ts';
import type { InputOwner, InputRecord } from './input.ts';

/** What is known of an input, live or ended, apart from its ids. */
export interface InputFacts {
  readonly owner: InputOwner;
  readonly seq: number;
  readonly attempt: number;
  readonly acceptedAtMs: number;
  /** 0 if it never started, or its host died before it could tell. */
  readonly startedAtMs: number;
  /** 0 until it has ended. */
  readonly endedAtMs: number;
  readonly outcome: Outcome | null;
  readonly output: Payload | null;
  readonly error: WireError | null;
}

const FIRST_CAPACITY = 64;
/** Columns of numbers: seq, attempt, accepted, started, ended, kept bytes. */
const NUMBERS = 6;
const OUTCOME_INDEX = Object.fromEntries(OUTCOMES.map((outcome, index) => [outcome, index])) as Record<Outcome, number>;

export class EndedRing {
  //   position:  first            next
  //   columns:   [ first % n …  next % n )
  #capacity = FIRST_CAPACITY;
  #numbers = new Float64Array(NUMBERS * FIRST_CAPACITY);
  #outcomes = new Uint8Array(FIRST_CAPACITY);
  #owners: (InputOwner | undefined)[] = new Array<undefined>(FIRST_CAPACITY).fill(undefined);
  #outputs: (Payload | null)[] = new Array<null>(FIRST_CAPACITY).fill(null);
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
    this.#put(position, record, record.output === null ? 0 : keptBytes(record.output));
    return position;
  }

  at(position: number): InputFacts | undefined {
    if (position < this.#first || position >= this.#next) return undefined;
    const index = position % this.#capacity;
    const number = (column: number) => this.#numbers[NUMBERS * index + column] ?? 0;
    return {
      owner: this.#owners[index] as InputOwner,
      seq: number(0),
      attempt: number(1),
      acceptedAtMs: number(2),
      startedAtMs: number(3),
      endedAtMs: number(4),
      outcome: OUTCOMES[this.#outcomes[index] ?? 0] ?? null,
      output: this.#outputs[index] ?? null,
      error: this.#errors[index] ?? null,
    };
  }

  /** When the first one ended, Infinity if there is none. */
  get firstEndedAtMs(): number {
    return this.count === 0 ? Infinity : (this.#numbers[NUMBERS * (this.#first % this.#capacity) + 4] ?? 0);
  }

  /** Forgets the first one and returns its seq. Reads columns of numbers only: what they point to has long left the caches. */
  shift(): number {
    const index = this.#first++ % this.#capacity;
    this.#bytes -= this.#numbers[NUMBERS * index + 5] ?? 0;
    this.#owners[index] = undefined;
    this.#outputs[index] = null;
    this.#errors[index] = null;
    return this.#numbers[NUMBERS * index] ?? 0;
  }

  #put(position: number, info: InputFacts, bytes: number): void {
    const index = position % this.#capacity;
    const at = NUMBERS * index;
    this.#numbers[at] = info.seq;
    this.#numbers[at + 1] = info.attempt;
    this.#numbers[at + 2] = info.acceptedAtMs;
    this.#numbers[at + 3] = info.startedAtMs;
    this.#numbers[at + 4] = info.endedAtMs;
    this.#numbers[at + 5] = bytes;
    this.#outcomes[index] = info.outcome === null ? 0 : OUTCOME_INDEX[info.outcome];
    this.#owners[index] = info.owner;
    this.#outputs[index] = info.output;
    this.#errors[index] = info.error;
    this.#bytes += bytes;
  }

  #grow(): void {
    const all: InputFacts[] = [];
    for (let position = this.#first; position < this.#next; position++) all.push(this.at(position) as InputFacts);
    const capacity = this.#capacity * 2;
    this.#capacity = capacity;
    this.#numbers = new Float64Array(NUMBERS * capacity);
    this.#outcomes = new Uint8Array(capacity);
    this.#owners = new Array<undefined>(capacity).fill(undefined);
    this.#outputs = new Array<null>(capacity).fill(null);
    this.#errors = new Array<null>(capacity).fill(null);
    this.#bytes = 0;
    all.forEach((info, n) => this.#put(this.#first + n, info, info.output === null ? 0 : keptBytes(info.output)));
  }
}

/** Bounds memory, not messages: a string's length stands for its bytes. */
export function keptBytes(output: Payload): number {
  return typeof output === 'string' ? output.length : payloadBytes(output);
}

// One worker of the memory store. One object, and no more until something happens to the worker: its `created` entry says what its record
// says already, so only the entry's data is kept. From then on its transcript is a ring of places in the log that all workers share; it
// grows to its bound and then overwrites its oldest.

import type { WireError } from '../errors.ts';
import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { EntryType, Isolation } from '../protocol/views.ts';
import type { LogOwner } from './log.ts';
import type { MemoryStore } from './memory.ts';
import { ENTRY_OF, entryData } from './store.ts';
import type {
  Ending,
  RestoredInput,
  Rest,
  StoredEntry,
  StoredInput,
  StoredPage,
  StoredTimer,
  WorkerRecord,
  WorkerStore,
} from './store.ts';

/** What most workers never have. */
interface Extra {
  stateVersion: number;
  rest: Rest;
  failure: WireError | null;
  timers: Map<number, StoredTimer> | null;
  isolation: Isolation | null;
  parentId: string | null;
}

const NOTHING_WAITS = Object.freeze({ messages: 0, bytes: 0 });

/** Rough size of an entry beside its data. */
const ENTRY_OVERHEAD_BYTES = 64;

/** The record itself, not an object beside it: 40 of the 410 bytes of an idle worker, and no new record for each state. */
export class MemoryWorkerStore implements WorkerStore, LogOwner {
  readonly workerId: string;
  readonly kind: string;
  readonly displayName: string | null;
  readonly config: Payload;
  readonly createdAtMs: number;
  state: Payload | null;
  readonly #store: MemoryStore;
  /** The data of its `created` entry while that is the only one: most of a million idle workers have no other. */
  #created: Payload | null = null;
  //   sequence:   first            last
  //   places:   [ first % n  …  last % n ]   n is a power of two
  /** Two numbers per entry: its position in the log, and its size, since the entry itself has long left the caches when it is dropped. */
  #places: number[] = NONE;
  #first = 1;
  #last = 0;
  #bytes = 0;
  #extra: Extra | null = null;

  constructor(record: WorkerRecord, store: MemoryStore) {
    this.workerId = record.workerId;
    this.kind = record.kind;
    this.displayName = record.displayName;
    this.config = record.config;
    this.createdAtMs = record.createdAtMs;
    this.state = record.state;
    this.#store = store;
    if (record.parentId !== null) this.#needExtra().parentId = record.parentId;
  }

  get parentId(): string | null {
    return this.#extra?.parentId ?? null;
  }

  get isolation(): Isolation | null {
    return this.#extra?.isolation ?? null;
  }

  saveIsolation(isolation: Isolation | null): void {
    this.#needExtra().isolation = isolation;
  }

  get firstSequence(): number {
    this.#dropOld(this.#store.now());
    return this.#first;
  }

  get lastSequence(): number {
    return this.#last;
  }

  get stateVersion(): number {
    return this.#extra?.stateVersion ?? 0;
  }

  get givenState(): Payload | null {
    return this.state;
  }

  get givenVersion(): number {
    return this.stateVersion;
  }

  get isSettled(): boolean {
    return true;
  }

  get rest(): Rest {
    return this.#extra?.rest ?? 'hibernated';
  }

  get failure(): WireError | null {
    return this.#extra?.failure ?? null;
  }

  get waiting(): { messages: number; bytes: number } {
    return NOTHING_WAITS;
  }

  get heldBytes(): number {
    return this.#bytes + (this.state === null ? 0 : payloadBytes(this.state));
  }

  saveState(state: Payload, stateVersion: number): void {
    this.state = state;
    if (stateVersion !== this.stateVersion) this.#needExtra().stateVersion = stateVersion;
  }

  saveRest(rest: Rest, failure: WireError | null): void {
    if (rest === this.rest && failure === this.failure) return;
    const extra = this.#needExtra();
    extra.rest = rest;
    extra.failure = failure;
  }

  accept(input: StoredInput): void {
    this.append('input', input.acceptedAtMs, input.seq, input.payload);
    this.#store.events.accepted(input);
  }

  start(input: StoredInput): void {
    this.#store.events.started(input);
  }

  recall(): void {
    // What is started is not remembered.
  }

  end(input: StoredInput, ending: Ending): void {
    this.append(ENTRY_OF[ending.outcome], ending.endedAtMs, input.seq, entryData(ending));
    this.#store.events.ended(input, ending);
  }

  append(type: EntryType, atMs: number, inputSeq: number, data: Payload): void {
    if (this.#last === 0 && type === 'created' && inputSeq === 0 && atMs === this.createdAtMs) {
      this.#created = data;
      this.#last = 1;
      return;
    }
    if (this.#created !== null) this.#moveCreated();
    this.#append(type, atMs, inputSeq, data);
  }

  putTimer(timer: StoredTimer): void {
    (this.#needExtra().timers ??= new Map()).set(timer.timerId, timer);
  }

  deleteTimer(timerId: number): void {
    this.#extra?.timers?.delete(timerId);
  }

  timers(): StoredTimer[] {
    return [...(this.#extra?.timers?.values() ?? [])];
  }

  /** What has no outcome, or had one, is known to the supervisor, which is as old as this store. */
  inputs(): RestoredInput[] {
    return [];
  }

  ended(): undefined {
    return undefined;
  }

  keyed(): undefined {
    return undefined;
  }

  read(after: number, limit: number): StoredPage {
    const from = Math.max(after + 1, this.firstSequence);
    const to = Math.min(this.#last, from + limit - 1);
    const items: StoredEntry[] = [];
    for (let sequence = from; sequence <= to; sequence++) items.push(this.#entry(sequence));
    return { items, nextAfter: items.at(-1)?.sequence ?? after, hasMore: to < this.#last };
  }

  delete(): void {
    this.#created = null;
    if (this.#places !== NONE) while (this.#first <= this.#last) this.#dropOldest();
    this.#first = this.#last + 1;
    this.#places = NONE;
    this.#store.forget(this);
  }

  // --- for the log ---

  keeps(sequence: number, position: number): boolean {
    return sequence >= this.#first && this.#places[this.#placeOf(sequence)] === position;
  }

  moved(sequence: number, position: number): void {
    this.#places[this.#placeOf(sequence)] = position;
  }

  // --- private ---

  /** Into the log, since it is no longer alone. */
  #moveCreated(): void {
    const data = this.#created as Payload;
    this.#created = null;
    this.#last = 0;
    this.#append('created', this.createdAtMs, 0, data);
  }

  #append(type: EntryType, atMs: number, inputSeq: number, data: Payload): void {
    const sequence = ++this.#last;
    const size = sizeOf(data);
    this.#bytes += size;
    // Before the ring grows: at its bound it must not.
    while (this.#first < sequence && this.#isOverBounds()) this.#dropOldest();
    // An entry is about as old as its appending, so that no clock has to be read.
    this.#dropOld(atMs);
    if (2 * (sequence - this.#first) >= this.#places.length) this.#grow();
    const place = this.#placeOf(sequence);
    this.#places[place] = this.#store.log.append(this, sequence, type, atMs, inputSeq, size, data);
    this.#places[place + 1] = size;
  }

  #needExtra(): Extra {
    return (this.#extra ??= {
      stateVersion: 0,
      rest: 'hibernated',
      failure: null,
      timers: null,
      isolation: null,
      parentId: null,
    });
  }

  #placeOf(sequence: number): number {
    return (2 * sequence) & (this.#places.length - 1);
  }

  #entry(sequence: number): StoredEntry {
    if (this.#created !== null)
      return { sequence, atMs: this.createdAtMs, type: 'created', inputSeq: 0, data: this.#created };
    const position = this.#places[this.#placeOf(sequence)] as number;
    const { type, atMs, inputSeq, data } = this.#store.log.at(position);
    return { sequence, atMs, type, inputSeq, data };
  }

  #isOverBounds(): boolean {
    const { maxEntries, maxBytes } = this.#store.bounds;
    return this.#last - this.#first + 1 > maxEntries || this.#bytes > maxBytes;
  }

  /** Never the newest, which in `#append` has no place yet. */
  #dropOld(nowMs: number): void {
    const { maxAgeMs } = this.#store.bounds;
    // No entry is older than its worker. That of most workers is younger than any bound, and then nothing is looked up.
    if (nowMs - this.createdAtMs <= maxAgeMs) return;
    while (this.#first < this.#last && nowMs - this.#atMsOf(this.#first) > maxAgeMs) this.#dropOldest();
  }

  #atMsOf(sequence: number): number {
    return this.#store.log.atMsOf(this.#places[this.#placeOf(sequence)] as number);
  }

  #dropOldest(): void {
    const place = this.#placeOf(this.#first++);
    const size = this.#places[place + 1] as number;
    this.#bytes -= size;
    this.#store.log.release(this.#places[place] as number, size);
  }

  /** Twice the places; an entry keeps its size and position. */
  #grow(): void {
    const old = this.#places;
    this.#places = new Array<number>(Math.max(2, 2 * old.length)).fill(-1);
    for (let sequence = this.#first; sequence < this.#last; sequence++) {
      const from = (2 * sequence) & (old.length - 1);
      const to = this.#placeOf(sequence);
      this.#places[to] = old[from] as number;
      this.#places[to + 1] = old[from + 1] as number;
    }
  }
}

/** What every transcript without places shares; nobody writes to it. */
const NONE: number[] = [];

/** What an entry costs; a string's length stands for its bytes here, because this bounds memory, not messages. */
function sizeOf(data: Payload): number {
  return ENTRY_OVERHEAD_BYTES + (typeof data === 'string' ? data.length : payloadBytes(data));
}

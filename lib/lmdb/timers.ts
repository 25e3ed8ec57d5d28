// One worker's timers: on disk, but for those that have changed since the last fold.

import type { Payload } from '../protocol/payload.ts';
import type { StoredTimer } from '../store/store.ts';
import { corrupt, Decoder, isIntact } from './codec.ts';
import type { Encoder } from './codec.ts';
import type { Environment, Writer } from './environment.ts';
import { TABLES, timeKey, workerNumberKey, workerPrefix } from './keys.ts';
import { readRows } from './rows.ts';

interface Given {
  readonly timer: StoredTimer | null;
  /** How often it was given since it was applied last. */
  readonly staged: number;
}

export class Timers {
  readonly #workerId: string;
  readonly #environment: Environment;
  /** Null: deleted. Most workers never have a timer. */
  #changes: Map<number, StoredTimer | null> | null = null;
  /** As they will be when all is applied, and how much of them is staged. */
  #given: Map<number, Given> | null = null;

  constructor(workerId: string, environment: Environment) {
    this.#workerId = workerId;
    this.#environment = environment;
  }

  /** What is not on disk as it is; null is deleted. */
  get changes(): ReadonlyMap<number, StoredTimer | null> {
    return this.#changes ?? NONE;
  }

  /** It is staged; null is its deletion. */
  give(timerId: number, timer: StoredTimer | null): void {
    const given = (this.#given ??= new Map<number, Given>());
    given.set(timerId, { timer, staged: 1 + (given.get(timerId)?.staged ?? 0) });
  }

  put(timer: StoredTimer): void {
    this.#applied(timer.timerId);
    (this.#changes ??= new Map()).set(timer.timerId, timer);
  }

  delete(timerId: number): void {
    this.#applied(timerId);
    (this.#changes ??= new Map()).set(timerId, null);
  }

  clear(): void {
    this.#changes = null;
  }

  /** As they were given. */
  list(isOnDisk: boolean): StoredTimer[] {
    const timers = new Map<number, StoredTimer>();
    if (isOnDisk)
      for (const { from } of readRows(this.#environment, workerPrefix(TABLES.timers, this.#workerId))) {
        const timer = readTimer(from);
        timers.set(timer.timerId, timer);
      }
    const given = Array.from(this.#given ?? [], ([timerId, { timer }]) => [timerId, timer] as const);
    for (const [timerId, timer] of [...this.changes, ...given]) {
      if (timer === null) timers.delete(timerId);
      else timers.set(timerId, timer);
    }
    return [...timers.values()];
  }

  #applied(timerId: number): void {
    const given = this.#given?.get(timerId);
    if (given === undefined) return;
    if (given.staged > 1) this.#given?.set(timerId, { ...given, staged: given.staged - 1 });
    else this.#given?.delete(timerId);
    if (this.#given?.size === 0) this.#given = null;
  }

  /** What it returns is called when all is on disk; nothing changes in between. */
  fold(to: Encoder, writer: Writer): () => void {
    for (const [timerId, timer] of this.changes) {
      const key = workerNumberKey(TABLES.timers, this.#workerId, timerId);
      const before = this.#environment.get(key);
      if (before !== undefined && isIntact(before, key))
        writer.remove(dueKey(readTimer(new Decoder(before, key)), key));
      if (timer === null) {
        writer.remove(key);
        continue;
      }
      to.reset();
      writeTimer(to, timer);
      const due = dueKey(timer, key);
      writer.put(key, to.sealedCopy(key));
      writer.put(due, to.sealedCopy(due));
    }
    return () => this.clear();
  }
}

const NONE: ReadonlyMap<number, StoredTimer | null> = new Map();

export function writeTimer(to: Encoder, { timerId, dueAtMs, input, name, repeat, lastSeq }: StoredTimer): void {
  to.varint(timerId);
  to.number(dueAtMs);
  to.payload(input);
  to.text(name);
  to.payload(repeat === null ? null : JSON.stringify(repeat));
  to.varint(lastSeq);
}

/** Timers of version 2 had no names, and fired once. */
export function readTimer(from: Decoder): StoredTimer {
  const timerId = from.varint();
  const dueAtMs = from.number();
  const input = from.presentPayload();
  if (from.version < 3) return { timerId, dueAtMs, input, name: String(timerId), repeat: null, lastSeq: 0 };
  const name = from.text();
  const repeat = from.payload();
  const lastSeq = from.varint();
  return { timerId, dueAtMs, input, name, repeat: repeat === null ? null : parsedRepeat(repeat), lastSeq };
}

function parsedRepeat(repeat: Payload): StoredTimer['repeat'] {
  if (typeof repeat !== 'string') throw corrupt();
  return JSON.parse(repeat) as StoredTimer['repeat'];
}

/** Its place among all workers' timers. */
export function dueKey({ dueAtMs }: StoredTimer, key: Buffer): Buffer {
  return timeKey(TABLES.dueTimers, dueAtMs, key.subarray(1));
}

// One worker's inputs without an outcome, and its idempotency keys.

import { payloadBytes } from '../protocol/payload.ts';
import type { EndedInput, Ending, KeyedInput, RestoredInput, StoredInput } from '../store/store.ts';
import { Decoder, isIntact } from './codec.ts';
import type { Encoder } from './codec.ts';
import type { Context } from './context.ts';
import { readEnding, readInput, writeEnding, writeInput } from './entries.ts';
import type { Writer } from './environment.ts';
import { TABLES, timeKey, workerNumberKey, workerPrefix, workerTextKey } from './keys.ts';
import { readRow, readRows } from './rows.ts';

/** All of them are in memory while their worker is loaded: it is about to handle them. */
interface OpenInput {
  readonly input: StoredInput;
  attempt: number;
  isStarted: boolean;
  isOnDisk: boolean;
  isChanged: boolean;
}

export class Inputs {
  readonly #workerId: string;
  readonly #context: Context;
  readonly #open = new Map<number, OpenInput>();
  /** On disk, and ended. */
  #gone: number[] = [];
  /** Keys that are not on disk as they are. Many workers are never given one. */
  #keys: Map<string, KeyedInput> | null = null;

  constructor(workerId: string, context: Context) {
    this.#workerId = workerId;
    this.#context = context;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Measured when asked for: few ask. */
  get bytes(): number {
    let bytes = 0;
    for (const { input } of this.#open.values()) bytes += payloadBytes(input.payload);
    return bytes;
  }

  /** Throws when one cannot be read. */
  load(): void {
    for (const { from } of readRows(this.#context.environment, workerPrefix(TABLES.inputs, this.#workerId))) {
      const isStarted = from.byte() === 1;
      const input = readInput(from);
      this.#open.set(input.seq, { input, attempt: input.attempt, isStarted, isOnDisk: true, isChanged: false });
    }
  }

  accept(input: StoredInput): void {
    const { seq, key } = input;
    this.#open.set(seq, { input, attempt: input.attempt, isStarted: false, isOnDisk: false, isChanged: true });
    if (key !== null) (this.#keys ??= new Map()).set(key.key, { seq, digest: key.digest, ended: null });
  }

  start(seq: number, attempt: number): void {
    const open = this.#open.get(seq);
    if (open === undefined) return;
    open.attempt = attempt;
    open.isStarted = true;
    open.isChanged = true;
  }

  recall(seq: number): void {
    const open = this.#open.get(seq);
    if (open === undefined) return;
    open.isStarted = false;
    open.isChanged = true;
  }

  end(seq: number, ending: Ending): void {
    const open = this.#open.get(seq);
    if (open === undefined) return;
    this.#open.delete(seq);
    if (open.isOnDisk) this.#gone.push(seq);
    const { key } = open.input;
    if (key === null) return;
    (this.#keys ??= new Map()).set(key.key, { seq, digest: key.digest, ended: endedOf(seq, ending) });
  }

  clear(): void {
    this.#open.clear();
    this.#keys = null;
    this.#gone = [];
  }

  list(): RestoredInput[] {
    return [...this.#open.values()].map(({ input, attempt, isStarted }) => ({
      seq: input.seq,
      payload: input.payload,
      acceptedAtMs: input.acceptedAtMs,
      deadlineAtMs: input.deadlineAtMs,
      key: input.key,
      attempt,
      isVolatile: false,
      isStarted,
    }));
  }

  keyed(key: string, isOnDisk: boolean): KeyedInput | undefined {
    const keyed = this.#keys?.get(key) ?? (isOnDisk ? this.#storedKey(key) : undefined);
    if (keyed === undefined || keyed.ended === null) return keyed;
    return keyed.ended.endedAtMs + this.#context.idempotencyTtlMs > this.#context.now() ? keyed : undefined;
  }

  /** What it returns is called when all is on disk; nothing changes in between. */
  fold(to: Encoder, writer: Writer): () => void {
    for (const seq of this.#gone) writer.remove(workerNumberKey(TABLES.inputs, this.#workerId, seq));
    for (const { input, attempt, isStarted, isChanged } of this.#open.values()) {
      if (!isChanged) continue;
      const key = workerNumberKey(TABLES.inputs, this.#workerId, input.seq);
      to.reset();
      to.byte(isStarted ? 1 : 0);
      writeInput(to, input, attempt);
      writer.put(key, to.sealedCopy(key));
    }
    for (const [key, keyed] of this.#keys ?? []) this.#foldKey(to, writer, key, keyed);
    return () => {
      this.#gone = [];
      this.#keys = null;
      for (const open of this.#open.values()) {
        open.isOnDisk = true;
        open.isChanged = false;
      }
    };
  }

  // --- private ---

  #storedKey(key: string): KeyedInput | undefined {
    const from = readRow(this.#context.environment, workerTextKey(TABLES.keys, this.#workerId, key));
    return from === undefined ? undefined : readKey(from);
  }

  #foldKey(to: Encoder, writer: Writer, key: string, keyed: KeyedInput): void {
    const rowKey = workerTextKey(TABLES.keys, this.#workerId, key);
    const stored = this.#context.environment.get(rowKey);
    const isReadable = stored !== undefined && isIntact(stored, rowKey);
    const before = isReadable ? readKey(new Decoder(stored, rowKey)).ended : null;
    // A key that had expired is used again: what would have removed it must not remove its successor.
    if (before !== null) writer.remove(timeKey(TABLES.endedKeys, before.endedAtMs, rowKey.subarray(1)));
    to.reset();
    to.varint(keyed.seq);
    to.text(keyed.digest);
    to.byte(keyed.ended === null ? 0 : 1);
    if (keyed.ended !== null) writeEnding(to, keyed.ended);
    writer.put(rowKey, to.sealedCopy(rowKey));
    if (keyed.ended === null) return;
    const endedKey = timeKey(TABLES.endedKeys, keyed.ended.endedAtMs, rowKey.subarray(1));
    to.reset();
    writer.put(endedKey, to.sealedCopy(endedKey));
  }
}

/** A copy, field by field: what is given may be a view of its giver's record, with getters, and lives as long as that. */
function endedOf(seq: number, ending: Ending): EndedInput {
  const { outcome, output, error, attempt, acceptedAtMs, startedAtMs, endedAtMs } = ending;
  return { seq, outcome, output, error, attempt, acceptedAtMs, startedAtMs, endedAtMs };
}

export function readKey(from: Decoder): KeyedInput {
  const seq = from.varint();
  const digest = from.text();
  return { seq, digest, ended: from.byte() === 0 ? null : { seq, ...readEnding(from) } };
}

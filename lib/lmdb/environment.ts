// One LMDB file, as the rest of the store uses it: ordered keys and values of bytes, synchronous reads, and writes in transactions that
// are on the disk (written and synchronised) when their promise resolves.

import { statSync } from 'node:fs';
import { open } from 'lmdb';
import type { RootDatabase } from 'lmdb';

/** What a transaction changes. */
export interface Writer {
  put(key: Buffer, value: Buffer): void;
  /** Does nothing when there is none. */
  remove(key: Buffer): void;
}

export interface Range {
  /** The first key, included. */
  readonly start: Buffer;
  /** The last key, excluded. */
  readonly end: Buffer;
  /** From the last to the first. */
  readonly isReverse?: boolean;
  readonly limit?: number;
}

export interface Pair {
  readonly key: Buffer;
  readonly value: Buffer;
}

export class Environment {
  readonly path: string;
  readonly #db: RootDatabase<Buffer, Buffer>;

  constructor(path: string) {
    this.path = path;
    this.#db = open<Buffer, Buffer>({
      path,
      noSubdir: true,
      encoding: 'binary',
      keyEncoding: 'binary',
      compression: false,
      // A promise of a write resolves when the disk has it, not before.
      overlappingSync: false,
    });
  }

  get(key: Buffer): Buffer | undefined {
    return this.#db.get(key);
  }

  *range({ start, end, isReverse = false, limit }: Range): Generator<Pair> {
    const [from, to] = isReverse ? [end, start] : [start, end];
    // Backwards, the library would leave the other ends out.
    for (const { key, value } of this.#db.getRange({
      start: from,
      end: to,
      reverse: isReverse,
      exclusiveStart: isReverse,
      inclusiveEnd: isReverse,
      ...(limit !== undefined && { limit }),
    }))
      yield { key, value };
  }

  /** All that the callback writes is one transaction. Resolves when it is on the disk; rejects when nothing of it is. */
  async write(change: (writer: Writer) => void): Promise<void> {
    let last: Promise<boolean> | null = null;
    change({
      put: (key, value) => (last = this.#db.put(key, value)),
      remove: (key) => (last = this.#db.remove(key)),
    });
    if (last !== null) await (last as Promise<boolean>);
  }

  get fileBytes(): number {
    return statSync(this.path).size;
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

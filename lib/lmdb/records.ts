// Records that a runtime keeps beside its workers: few, read when it starts. What has changed since the last fold is in memory, the
// rest is on disk.

import type { FunctionRecord, SourceRecord } from '../store/store.ts';
import type { Decoder, Encoder } from './codec.ts';
import type { Environment, Writer } from './environment.ts';
import { endOfTable, nameKey, nameOf, startOfTable, TABLES } from './keys.ts';
import type { Table } from './keys.ts';
import type { RecordOperation } from './operations.ts';
import { readRow } from './rows.ts';

interface Codec<R> {
  write(to: Encoder, record: R): void;
  read(from: Decoder): R;
  nameOf(record: R): string;
}

export const SOURCE_CODEC: Codec<SourceRecord> = {
  write(to, { name, document, isFromOperator }) {
    to.text(name);
    to.byte(isFromOperator ? 1 : 0);
    to.payload(document);
  },
  read(from) {
    const name = from.text();
    const isFromOperator = from.byte() === 1;
    return { name, document: from.presentPayload(), isFromOperator };
  },
  nameOf: ({ name }) => name,
};

export const FUNCTION_CODEC: Codec<FunctionRecord> = {
  write(to, { functionId, document }) {
    to.text(functionId);
    to.payload(document);
  },
  read: (from) => ({ functionId: from.text(), document: from.presentPayload() }),
  nameOf: ({ functionId }) => functionId,
};

/** Sources and functions. */
export class Records {
  readonly #sources: RecordTable<SourceRecord>;
  readonly #functions: RecordTable<FunctionRecord>;

  constructor(environment: Environment) {
    this.#sources = new RecordTable(environment, TABLES.sources, SOURCE_CODEC);
    this.#functions = new RecordTable(environment, TABLES.functions, FUNCTION_CODEC);
  }

  sources(): Iterable<SourceRecord> {
    return this.#sources.all();
  }

  functions(): Iterable<FunctionRecord> {
    return this.#functions.all();
  }

  apply(operation: RecordOperation): void {
    switch (operation.op) {
      case 'putSource':
        return this.#sources.put(operation.record);
      case 'deleteSource':
        return this.#sources.delete(operation.name);
      case 'putFunction':
        return this.#functions.put(operation.record);
      case 'deleteFunction':
        return this.#functions.delete(operation.name);
    }
  }

  /** Puts all changes in their place. What it returns is called when they are on disk; nothing changes in between. */
  fold(to: Encoder, writer: Writer): () => void {
    const done = [this.#sources.fold(to, writer), this.#functions.fold(to, writer)];
    return () => {
      for (const each of done) each();
    };
  }
}

class RecordTable<R> {
  readonly #environment: Environment;
  readonly #table: Table;
  readonly #codec: Codec<R>;
  /** Null: deleted. */
  readonly #changes = new Map<string, R | null>();

  constructor(environment: Environment, table: Table, codec: Codec<R>) {
    this.#environment = environment;
    this.#table = table;
    this.#codec = codec;
  }

  put(record: R): void {
    this.#changes.set(this.#codec.nameOf(record), record);
  }

  delete(name: string): void {
    this.#changes.set(name, null);
  }

  /** Ascending by name in code unit order, which is not quite that of the keys on disk. */
  *all(): Generator<R> {
    const changes = new Map(this.#changes);
    const names = new Set(changes.keys());
    const range = { start: startOfTable(this.#table), end: endOfTable(this.#table) };
    for (const { key } of this.#environment.range(range)) names.add(nameOf(key));
    for (const name of [...names].sort()) {
      const changed = changes.get(name);
      if (changed === null) continue;
      if (changed !== undefined) {
        yield changed;
        continue;
      }
      const from = readRow(this.#environment, nameKey(this.#table, name));
      if (from !== undefined) yield this.#codec.read(from);
    }
  }

  fold(to: Encoder, writer: Writer): () => void {
    for (const [name, record] of this.#changes) {
      const key = nameKey(this.#table, name);
      if (record === null) writer.remove(key);
      else {
        to.reset();
        this.#codec.write(to, record);
        writer.put(key, to.sealedCopy(key));
      }
    }
    return () => this.#changes.clear();
  }
}

// Records that a runtime keeps beside its workers: few, read when it starts. What has changed since the last fold is in memory, the
// rest is on disk.

import type { WireError } from '../errors.ts';
import type { DeadLetterRecord, FunctionRecord, SourceRecord } from '../store/store.ts';
import type { Decoder, Encoder } from './codec.ts';
import type { Environment, Writer } from './environment.ts';
import { endOfTable, nameKey, nameOf, startOfTable, TABLES } from './keys.ts';
import type { Table } from './keys.ts';
import { readRow } from './rows.ts';

/** `ordinal`: numbers of the store tell the order in which dead letters were put. */
interface OrderedDeadLetter {
  readonly ordinal: number;
  readonly record: DeadLetterRecord;
}

export type RecordOperation =
  | { readonly op: 'putSource'; readonly record: SourceRecord }
  | { readonly op: 'deleteSource'; readonly name: string }
  | { readonly op: 'putFunction'; readonly record: FunctionRecord }
  | { readonly op: 'deleteFunction'; readonly name: string }
  | { readonly op: 'putDeadLetter'; readonly record: OrderedDeadLetter }
  | { readonly op: 'deleteDeadLetter'; readonly name: string };

/** Their places are on disk. */
export const RECORD_CODES = [
  'putSource',
  'deleteSource',
  'putFunction',
  'deleteFunction',
  'putDeadLetter',
  'deleteDeadLetter',
] as const satisfies readonly RecordOperation['op'][];
type RecordCode = (typeof RECORD_CODES)[number];

export interface Codec<R> {
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

export const DEAD_LETTER_CODEC: Codec<OrderedDeadLetter> = {
  write(to, { ordinal, record }) {
    to.varint(ordinal);
    to.text(record.inputId);
    to.text(record.workerId);
    to.text(record.kind);
    to.payload(record.payload);
    to.varint(record.attempts);
    to.text(JSON.stringify(record.error));
    to.number(record.acceptedAtMs);
    to.number(record.endedAtMs);
  },
  read(from) {
    const ordinal = from.varint();
    const [inputId, workerId, kind] = [from.text(), from.text(), from.text()];
    const payload = from.presentPayload();
    const attempts = from.varint();
    const error = JSON.parse(from.text()) as WireError;
    const [acceptedAtMs, endedAtMs] = [from.number(), from.number()];
    return { ordinal, record: { inputId, workerId, kind, payload, attempts, error, acceptedAtMs, endedAtMs } };
  },
  nameOf: ({ record }) => record.inputId,
};

/** Sources, functions and dead letters. */
export class Records {
  readonly #sources: RecordTable<SourceRecord>;
  readonly #functions: RecordTable<FunctionRecord>;
  readonly #deadLetters: RecordTable<OrderedDeadLetter>;

  constructor(environment: Environment) {
    this.#sources = new RecordTable(environment, TABLES.sources, SOURCE_CODEC);
    this.#functions = new RecordTable(environment, TABLES.functions, FUNCTION_CODEC);
    this.#deadLetters = new RecordTable(environment, TABLES.deadLetters, DEAD_LETTER_CODEC);
  }

  sources(): Iterable<SourceRecord> {
    return this.#sources.all();
  }

  functions(): Iterable<FunctionRecord> {
    return this.#functions.all();
  }

  /** In the order in which they were put: few enough to be sorted each time. */
  deadLetters(): DeadLetterRecord[] {
    const letters = [...this.#deadLetters.all()].sort((a, b) => a.ordinal - b.ordinal);
    return letters.map(({ record }) => record);
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
      case 'putDeadLetter':
        return this.#deadLetters.put(operation.record);
      case 'deleteDeadLetter':
        return this.#deadLetters.delete(operation.name);
    }
  }

  /** Puts all changes in their place. What it returns is called when they are on disk; nothing changes in between. */
  fold(to: Encoder, writer: Writer): () => void {
    const done = [this.#sources, this.#functions, this.#deadLetters].map((table) => table.fold(to, writer));
    return () => {
      for (const each of done) each();
    };
  }
}

export function writeRecordOperation(to: Encoder, operation: RecordOperation): void {
  switch (operation.op) {
    case 'putSource':
      SOURCE_CODEC.write(to, operation.record);
      break;
    case 'putFunction':
      FUNCTION_CODEC.write(to, operation.record);
      break;
    case 'putDeadLetter':
      DEAD_LETTER_CODEC.write(to, operation.record);
      break;
    case 'deleteSource':
    case 'deleteFunction':
    case 'deleteDeadLetter':
      to.text(operation.name);
      break;
  }
}

export function readRecordOperation(from: Decoder, op: RecordCode): RecordOperation {
  switch (op) {
    case 'putSource':
      return { op, record: SOURCE_CODEC.read(from) };
    case 'putFunction':
      return { op, record: FUNCTION_CODEC.read(from) };
    case 'putDeadLetter':
      return { op, record: DEAD_LETTER_CODEC.read(from) };
    case 'deleteSource':
    case 'deleteFunction':
    case 'deleteDeadLetter':
      return { op, name: from.text() };
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

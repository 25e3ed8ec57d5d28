// Whether the rows of one worker fit together: its record, the blocks of its transcript, its state, its inputs, keys and timers.

import { payloadBytes } from '../protocol/payload.ts';
import { Decoder, FIRST_VERSION, SEAL_BYTES } from './codec.ts';
import { readEntry, readInput } from './entries.ts';
import type { Environment, Pair } from './environment.ts';
import { readKey } from './inputs.ts';
import { nameKey, nameOf, TABLES, timeKey, workerNumberKey, workerRange } from './keys.ts';
import type { Table } from './keys.ts';
import { childKey, readWorkerRow } from './tables.ts';
import type { WorkerRow } from './tables.ts';
import { dueKey, readTimer } from './timers.ts';
import type { Block } from './transcript.ts';

/** Told what is wrong, in words for an operator. */
export type Tell = (finding: string) => void;

/** Null if its record cannot be read: then nothing else can be said of it. */
export function checkWorker(environment: Environment, pair: Pair, oldest: number, tell: Tell): WorkerRow | null {
  const workerId = nameOf(pair.key);
  const tellOf: Tell = (finding) => tell(`worker ${workerId}: ${finding}`);
  const row = readable(tellOf, 'its record', () => whole(pair, oldest, (from) => readWorkerRow(workerId, from)));
  if (row === null) return null;
  new WorkerCheck(environment, row, oldest, tellOf).run();
  return row;
}

/** What was read; null, with a finding, if it cannot be. */
export function readable<T>(tell: Tell, what: string, read: () => T): T | null {
  try {
    return read();
  } catch (thrown) {
    const isNewer = (thrown as { code?: unknown }).code === 'store_version';
    tell(`${what} ${isNewer ? 'was written by a newer version' : 'cannot be read'}`);
    return null;
  }
}

class WorkerCheck {
  readonly #environment: Environment;
  readonly #row: WorkerRow;
  readonly #workerId: string;
  readonly #oldest: number;
  readonly #tell: Tell;
  readonly #openSeqs = new Set<number>();

  constructor(environment: Environment, row: WorkerRow, oldest: number, tell: Tell) {
    this.#environment = environment;
    this.#row = row;
    this.#workerId = row.summary.workerId;
    this.#oldest = oldest;
    this.#tell = tell;
  }

  run(): void {
    const state = this.#rowOf(TABLES.states);
    if (state !== null) this.#read('its state', state, (from) => from.presentPayload());
    if (this.#row.config === null) this.#checkConfig();
    const waiting = this.#rowOf(TABLES.waiting);
    const isWaiting = waiting !== null;
    if (waiting !== null) readable(this.#tell, 'that it has inputs', () => requireEmpty(waiting, this.#oldest));
    // The first version had no such table at first: the upgrade makes it.
    if (this.#oldest > FIRST_VERSION && isWaiting !== this.#row.summary.waiting.messages > 0)
      this.#tell(`is ${isWaiting ? '' : 'not '}among those with inputs`);
    this.#checkInputs();
    this.#checkTranscript();
    this.#checkKeys();
    this.#checkTimers();
    this.#checkFamily();
  }

  #rows(table: Table): Iterable<Pair> {
    return this.#environment.range(workerRange(table, this.#workerId));
  }

  /** The one that is by its id alone. */
  #rowOf(table: Table): Pair | null {
    const key = nameKey(table, this.#workerId);
    const value = this.#environment.get(key);
    return value === undefined ? null : { key, value };
  }

  #read<T>(what: string, row: Pair, read: (from: Decoder) => T): T | null {
    return readable(this.#tell, what, () => whole(row, this.#oldest, read));
  }

  /** A large one has a row of its own. */
  #checkConfig(): void {
    const config = this.#rowOf(TABLES.configs);
    if (config === null) this.#tell('its config is missing');
    else this.#read('its config', config, (from) => from.presentPayload());
  }

  #checkInputs(): void {
    let bytes = 0;
    let hasUnreadable = false;
    for (const row of this.#rows(TABLES.inputs)) {
      const input = this.#read('an input', row, (from) => {
        from.byte();
        return readInput(from);
      });
      if (input === null) {
        hasUnreadable = true;
        continue;
      }
      if (!row.key.equals(workerNumberKey(TABLES.inputs, this.#workerId, input.seq)))
        this.#tell(`input ${input.seq} is in the place of another one`);
      this.#openSeqs.add(input.seq);
      bytes += payloadBytes(input.payload);
    }
    const { waiting } = this.#row.summary;
    if (!hasUnreadable && (waiting.messages !== this.#openSeqs.size || waiting.bytes !== bytes))
      this.#tell(
        `has ${this.#openSeqs.size} open inputs of ${bytes} bytes, and says ${waiting.messages} of ${waiting.bytes}`,
      );
  }

  #checkTranscript(): void {
    const { first, last, blocks } = this.#row.transcript;
    let next = blocks[0]?.first ?? last + 1;
    if (next > first) this.#tell(`entries ${first} to ${next - 1} of its transcript are missing`);
    for (const block of blocks) {
      if (block.first !== next) this.#tell(`a block of its transcript begins at ${block.first} instead of ${next}`);
      next = block.first + block.count;
      this.#checkBlock(block);
    }
    if (next !== last + 1) this.#tell(`its transcript ends at ${next - 1}, and says ${last}`);
    const found = [...this.#rows(TABLES.blocks)].length;
    if (found > blocks.length) this.#tell(`${found - blocks.length} blocks do not belong to its transcript`);
  }

  #checkBlock(block: Block): void {
    const what = `block ${block.first} of its transcript`;
    const key = workerNumberKey(TABLES.blocks, this.#workerId, block.first);
    const value = this.#environment.get(key);
    if (value === undefined) return this.#tell(`${what} is missing`);
    if (value.length !== block.valueBytes)
      this.#tell(`${what} has ${value.length} bytes instead of ${block.valueBytes}`);
    const entries = this.#read(what, { key, value }, (from) =>
      Array.from({ length: block.count }, () => readEntry(from)),
    );
    for (const { ending, inputSeq } of entries ?? [])
      if (ending !== null && this.#openSeqs.has(inputSeq)) this.#tell(`input ${inputSeq} has ended, and is open`);
  }

  #checkKeys(): void {
    for (const row of this.#rows(TABLES.keys)) {
      const keyed = this.#read('an idempotency key', row, readKey);
      if (keyed === null) continue;
      if (keyed.ended === null) {
        if (!this.#openSeqs.has(keyed.seq))
          this.#tell(`an idempotency key is of input ${keyed.seq}, which is not there`);
      } else if (
        this.#environment.get(timeKey(TABLES.endedKeys, keyed.ended.endedAtMs, row.key.subarray(1))) === undefined
      )
        this.#tell(`the idempotency key of input ${keyed.seq} is never forgotten`);
    }
  }

  #checkFamily(): void {
    const { family } = this.#row;
    if (family !== null && this.#environment.get(childKey(family)) === undefined)
      this.#tell(`is not among the children of worker ${family.parentId}`);
  }

  #checkTimers(): void {
    for (const row of this.#rows(TABLES.timers)) {
      const { key, value } = row;
      const timer = this.#read('a timer', row, readTimer);
      if (timer === null) continue;
      if (!key.equals(workerNumberKey(TABLES.timers, this.#workerId, timer.timerId)))
        this.#tell(`timer ${timer.timerId} is in the place of another one`);
      const due = this.#environment.get(dueKey(timer, key));
      if (due?.subarray(SEAL_BYTES).equals(value.subarray(SEAL_BYTES)) !== true)
        this.#tell(`timer ${timer.timerId} is not among those that will be due`);
    }
  }
}

/** Reads a row to its end. `oldest` is the version of the oldest rows that there may be. */
export function whole<T>({ key, value }: Pair, oldest: number, read: (from: Decoder) => T): T {
  const from = new Decoder(value, key, oldest);
  const found = read(from);
  if (!from.isAtEnd) throw new RangeError('more than was to be read');
  return found;
}

/** Of a row of which the key says all. */
export function requireEmpty(row: Pair, oldest: number): void {
  // The first version gave them no checksum.
  if (oldest !== FIRST_VERSION || row.value.length > 0) whole(row, oldest, () => undefined);
}

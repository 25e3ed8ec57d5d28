// Keys of the one database: a byte for the table, and what it is read by. A worker's id ends with a zero byte where something
// follows it, and is never the beginning of another one's.

/** The first byte of a key. */
export const TABLES = {
  meta: 'M',
  /** By number of the group. */
  journal: 'J',
  /** By worker id: one record each. */
  workers: 'W',
  /** By worker id. */
  states: 'S',
  /** By worker id: those that are too large for the worker's record. */
  configs: 'C',
  /** By worker id and sequence of its first entry. */
  blocks: 'B',
  /** By worker id and seq: inputs without an outcome. */
  inputs: 'I',
  /** By worker id: those that have such inputs, to be found at a start without a look at the inputs. */
  waiting: 'Q',
  /** By worker id and key. */
  keys: 'K',
  /** By the time of the input's end, worker id and key. */
  endedKeys: 'E',
  /** By worker id and number of the timer. */
  timers: 'T',
  /** By the time when they are due, worker id and number of the timer. */
  dueTimers: 'D',
  sources: 'O',
  functions: 'F',
  /** By id of the parent, and the number that tells its children's order. */
  children: 'P',
  /** By id of the input. */
  deadLetters: 'L',
} as const;
export type Table = (typeof TABLES)[keyof typeof TABLES];

const NUMBER_BYTES = 8;

export const META_KEY = Buffer.from(TABLES.meta);

export function startOfTable(table: Table): Buffer {
  return Buffer.from(table);
}

export function endOfTable(table: Table): Buffer {
  return Buffer.of(table.charCodeAt(0) + 1);
}

export function nameKey(table: Table, name: string): Buffer {
  return Buffer.from(table + name);
}

export function nameOf(key: Buffer): string {
  return key.toString('utf8', 1);
}

/** Of one worker's rows in a table: by a whole number. */
export function workerNumberKey(table: Table, workerId: string, number: number): Buffer {
  const head = 1 + workerId.length + 1;
  // From Node's pool, as all keys: one with memory of its own costs the collector several times as much.
  const key = Buffer.allocUnsafe(head + NUMBER_BYTES);
  key.write(table + workerId, 'latin1');
  key[head - 1] = 0;
  writeNumber(key, number, head);
  return key;
}

/** Of one worker's rows in a table: by a text. */
export function workerTextKey(table: Table, workerId: string, text: string): Buffer {
  return Buffer.from(`${table}${workerId}\0${text}`);
}

/** How the keys of all of one worker's rows in such a table begin. */
export function workerPrefix(table: Table, workerId: string): Buffer {
  return Buffer.from(`${table}${workerId}\0`);
}

export function workerRange(table: Table, workerId: string): { start: Buffer; end: Buffer } {
  return { start: workerPrefix(table, workerId), end: Buffer.from(`${table}${workerId}\x01`) };
}

/** The worker of such a key, with its table in front or not. */
export function workerOf(key: Buffer, start = 1): string {
  return key.toString('latin1', start, key.indexOf(0, start));
}

export function groupKey(number: number): Buffer {
  const key = Buffer.allocUnsafe(1 + NUMBER_BYTES);
  key.write(TABLES.journal, 'latin1');
  writeNumber(key, number, 1);
  return key;
}

export function numberOfGroup(key: Buffer): number {
  return readNumber(key, 1);
}

/** A time before a worker and something of it. Times are whole and not negative: they are rounded down. */
export function timeKey(table: Table, atMs: number, rest: Buffer): Buffer {
  const key = Buffer.allocUnsafe(1 + NUMBER_BYTES + rest.length);
  key.write(table, 'latin1');
  writeNumber(key, Math.max(0, Math.floor(atMs)), 1);
  rest.copy(key, 1 + NUMBER_BYTES);
  return key;
}

export function restAfterTime(key: Buffer): Buffer {
  return key.subarray(1 + NUMBER_BYTES);
}

/** Big-endian, so that keys are in the order of their numbers. */
function writeNumber(to: Buffer, number: number, at: number): void {
  to.writeUInt32BE(Math.floor(number / 2 ** 32), at);
  to.writeUInt32BE(number >>> 0, at + 4);
}

function readNumber(from: Buffer, at: number): number {
  return from.readUInt32BE(at) * 2 ** 32 + from.readUInt32BE(at + 4);
}

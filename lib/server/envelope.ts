// One line of a batch across workers: `{"worker_id":…,"input":…}`. Only its own four members are looked at. Where the input begins
// and ends is found by counting brackets outside strings; it is parsed once, by whoever validates it, and travels as it was sent.
// Nothing gets through that JSON.parse would refuse: between the members the grammar is checked here, each value by who parses it.

import { GreenroomError } from '../errors.ts';
import { requireIdempotencyKey, requireDeadlineMs } from './input-headers.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const NAMES = ['worker_id', 'input', 'idempotency_key', 'deadline_ms'] as const;
type Name = (typeof NAMES)[number];
/** As they nearly always come. */
const SPELLINGS = NAMES.map((name) => Buffer.from(name));

/** A line's members. One object for all lines of a batch: read it before the next line. */
export class EnvelopeReader {
  workerId = '';
  /** Where the input begins and ends. */
  inputStart = 0;
  inputEnd = 0;
  idempotencyKey: string | undefined;
  /** In ms; undefined: it waits. */
  deadlineMs: number | undefined;

  #source: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** One bit per name that the line has had. */
  #seen = 0;

  /** Throws `invalid_json` or `invalid_request`. The input itself is not checked. */
  read(source: Buffer, start: number, end: number): void {
    this.#source = source;
    this.#at = hasMark(source, start, end) ? start + 3 : start;
    this.#end = end;
    this.#seen = 0;
    this.idempotencyKey = undefined;
    this.deadlineMs = undefined;
    if (this.#peek() !== OPEN_BRACE) throw this.#notAnObject();
    this.#at++;
    if (this.#peek() === CLOSE_BRACE) this.#at++;
    else {
      do this.#member();
      while (this.#separator());
    }
    this.#peek();
    if (this.#at < end) throw invalidJson();
    if ((this.#seen & 1) === 0) throw invalidMember('worker_id', 'required');
    if ((this.#seen & 2) === 0) throw invalidMember('input', 'required');
  }

  #member(): void {
    if (this.#peek() !== QUOTE) throw invalidJson();
    const keyStart = this.#at;
    this.#at = this.#endOfString();
    const index = this.#nameIndex(keyStart, this.#at);
    if (this.#peek() !== COLON) throw invalidJson();
    this.#at++;
    const first = this.#peek();
    const start = this.#at;
    this.#at = this.#endOfValue(first);
    if (this.#at === start) throw invalidJson();
    const bit = 1 << index;
    const name = NAMES[index] as Name;
    // JSON.parse would take the last; whoever wrote the line may have meant the first.
    if ((this.#seen & bit) !== 0) throw invalidMember(name, 'given more than once');
    this.#seen |= bit;
    this.#take(name, start, this.#at);
  }

  #take(name: Name, start: number, end: number): void {
    switch (name) {
      case 'worker_id':
        this.workerId = this.#string(name, start, end);
        return;
      case 'input':
        this.inputStart = start;
        this.inputEnd = end;
        return;
      case 'idempotency_key':
        this.idempotencyKey = requireIdempotencyKey(this.#string(name, start, end), name);
        return;
      case 'deadline_ms':
        this.deadlineMs = requireDeadlineMs(this.#source.toString('latin1', start, end), name);
        return;
      default:
        name satisfies never;
    }
  }

  /** True if another member follows. */
  #separator(): boolean {
    const byte = this.#peek();
    this.#at++;
    if (byte !== COMMA && byte !== CLOSE_BRACE) throw invalidJson();
    return byte === COMMA;
  }

  /** The next byte that is not white space; -1 at the end. */
  #peek(): number {
    while (this.#at < this.#end) {
      const byte = this.#source[this.#at] as number;
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && byte !== 0x0a) return byte;
      this.#at++;
    }
    return -1;
  }

  /** The offset behind the string that begins here. */
  #endOfString(): number {
    const source = this.#source;
    for (let at = this.#at + 1; at < this.#end; at++) {
      const byte = source[at];
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH) at++;
    }
    throw invalidJson();
  }

  /** The offset behind the value that begins here. */
  #endOfValue(first: number): number {
    if (first === QUOTE) return this.#endOfString();
    const isNested = first === OPEN_BRACE || first === OPEN_BRACKET;
    return isNested ? endOfNested(this.#source, this.#at, this.#end) : endOfScalar(this.#source, this.#at, this.#end);
  }

  #nameIndex(start: number, end: number): number {
    for (let index = 0; index < SPELLINGS.length; index++) {
      if (isSpelt(this.#source, start + 1, end - 1, SPELLINGS[index] as Buffer)) return index;
    }
    // Perhaps it is spelt with escapes.
    const name = this.#string('', start, end);
    const index = (NAMES as readonly string[]).indexOf(name);
    if (index === -1) throw invalidMember(name.slice(0, MAX_NAME_CHARS), 'unknown key');
    return index;
  }

  #string(name: string, start: number, end: number): string {
    if (this.#source[start] !== QUOTE) throw invalidMember(name, 'expected string');
    const text = this.#source.toString('utf8', start + 1, end - 1);
    // What else JSON forbids in a string, none of the four may hold: it is refused for that.
    if (!text.includes('\\')) return text;
    try {
      return JSON.parse(`"${text}"`) as string;
    } catch {
      throw invalidJson();
    }
  }

  #notAnObject(): GreenroomError {
    try {
      JSON.parse(this.#source.toString('utf8', this.#at, Math.min(this.#end, this.#at + MAX_LOOK_BYTES)));
    } catch {
      return invalidJson();
    }
    return GreenroomError.of('invalid_request', { details: { issues: [{ path: '', message: 'expected an object' }] } });
  }
}

/** Of an unknown key, what is told back of it. */
const MAX_NAME_CHARS = 64;
/** Of a line that is no object, what is parsed to tell which kind of mistake it is. */
const MAX_LOOK_BYTES = 1_024;

/** A byte order mark: one is tolerated in front of a line, as it is in front of a body. */
export function hasMark(source: Buffer, start: number, end: number): boolean {
  return source[start] === 0xef && end - start >= 3 && source[start + 1] === 0xbb && source[start + 2] === 0xbf;
}

function endOfNested(source: Buffer, start: number, end: number): number {
  let depth = 0;
  let isInString = false;
  for (let at = start; at < end; at++) {
    const byte = source[at];
    if (isInString) {
      if (byte === QUOTE) isInString = false;
      else if (byte === BACKSLASH) at++;
    } else if (byte === QUOTE) isInString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return at + 1;
  }
  throw invalidJson();
}

function endOfScalar(source: Buffer, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const byte = source[at] as number;
    if (byte === COMMA || byte === CLOSE_BRACE || byte <= 0x20) break;
  }
  return at;
}

function isSpelt(source: Buffer, start: number, end: number, name: Buffer): boolean {
  if (end - start !== name.length) return false;
  for (let at = 0; at < name.length; at++) if (source[start + at] !== name[at]) return false;
  return true;
}

function invalidJson(): GreenroomError {
  return GreenroomError.of('invalid_json');
}

function invalidMember(path: string, message: string): GreenroomError {
  return GreenroomError.of('invalid_request', { details: { issues: [{ path, message }] } });
}

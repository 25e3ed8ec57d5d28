// One line of a batch across workers: `{"worker_id":…,"input":…}`. Only its own four members are looked at. Where the input begins
// and ends is found by counting brackets outside strings; it is parsed once, by whoever validates it, and travels as it was sent.
// Nothing gets through that JSON.parse would refuse: between the members the grammar is checked here, each value by who parses it.

import { GreenroomError } from '../errors.ts';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from '../protocol/json-marks.ts';
import { requireIdempotencyKey, requireDeadlineMs } from './input-headers.ts';

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
  /** Of the value at hand: its name, where it begins, and how far the search for its end has come. */
  #index = 0;
  #valueStart = 0;
  #depth = 0;
  #isInString = false;

  /**
   * Begins with a line. True when its members are there; false when it is so long that the loop should have a turn before `goOn`.
   * Throws `invalid_json` or `invalid_request`. The input itself is not checked.
   */
  read(source: Buffer, start: number, end: number): boolean {
    this.#source = source;
    this.#at = hasMark(source, start, end) ? start + 3 : start;
    this.#end = end;
    this.#seen = 0;
    this.#depth = 0;
    this.#isInString = false;
    this.idempotencyKey = undefined;
    this.deadlineMs = undefined;
    if (this.#peek() !== OPEN_BRACE) throw this.#notAnObject();
    this.#at++;
    if (this.#peek() === CLOSE_BRACE) throw invalidMember('worker_id', 'required');
    this.#key();
    return this.goOn();
  }

  /** The same for the next piece of the line. */
  goOn(): boolean {
    for (;;) {
      if (!this.#skipPiece()) return false;
      this.#endMember();
      if (!this.#separator()) break;
      this.#key();
    }
    this.#peek();
    if (this.#at < this.#end) throw invalidJson();
    if ((this.#seen & 1) === 0) throw invalidMember('worker_id', 'required');
    if ((this.#seen & 2) === 0) throw invalidMember('input', 'required');
    return true;
  }

  /** Reads up to where the value of the next member begins. */
  #key(): void {
    if (this.#peek() !== QUOTE) throw invalidJson();
    const start = this.#at;
    this.#valueStart = start;
    // No name of ours is longer than a piece.
    if (!this.#skipPiece()) throw invalidJson();
    this.#index = this.#nameIndex(start, this.#at);
    if (this.#peek() !== COLON) throw invalidJson();
    this.#at++;
    this.#peek();
    this.#valueStart = this.#at;
  }

  #endMember(): void {
    if (this.#at === this.#valueStart) throw invalidJson();
    const name = NAMES[this.#index] as Name;
    const bit = 1 << this.#index;
    // JSON.parse would take the last; whoever wrote the line may have meant the first.
    if ((this.#seen & bit) !== 0) throw invalidMember(name, 'given more than once');
    this.#seen |= bit;
    this.#take(name, this.#valueStart, this.#at);
  }

  /** Looks for the end of the value at hand; false if it is not in this piece of the line. */
  #skipPiece(): boolean {
    const source = this.#source;
    const stop = Math.min(this.#end, this.#at + PIECE_BYTES);
    const isScalar = this.#at === this.#valueStart && !isOpening(source[this.#at] as number);
    if (isScalar) {
      this.#at = endOfScalar(source, this.#at, this.#end);
      return true;
    }
    let depth = this.#depth;
    let isInString = this.#isInString;
    let at = this.#at;
    for (let isOpen = true; at < stop && isOpen; at++) {
      const byte = source[at];
      if (isInString) {
        if (byte === BACKSLASH) at++;
        else if (byte === QUOTE) {
          isInString = false;
          isOpen = depth > 0;
        }
      } else if (byte === QUOTE) isInString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) isOpen = --depth > 0;
    }
    this.#at = at;
    this.#depth = depth;
    this.#isInString = isInString;
    if (depth === 0 && !isInString) return true;
    if (at >= this.#end) throw invalidJson();
    return false;
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

/** How far the end of a value is looked for in one go: about a millisecond. */
const PIECE_BYTES = 512 * 1_024;
/** Of an unknown key, what is told back of it. */
const MAX_NAME_CHARS = 64;
/** Of a line that is no object, what is parsed to tell which kind of mistake it is. */
const MAX_LOOK_BYTES = 1_024;

/** A byte order mark: one is tolerated in front of a line, as it is in front of a body. */
export function hasMark(source: Buffer, start: number, end: number): boolean {
  return source[start] === 0xef && end - start >= 3 && source[start + 1] === 0xbb && source[start + 2] === 0xbf;
}

function isOpening(byte: number): boolean {
  return byte === QUOTE || byte === OPEN_BRACE || byte === OPEN_BRACKET;
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

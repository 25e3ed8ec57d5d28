// Where the members of one JSON object lie, found by counting brackets outside strings: their values are parsed once, by whoever
// uses them, or travel on as they were sent. The grammar between the members is checked here, each value by who parses it.
// A long object is read in pieces of about a millisecond, so that the loop can have a turn in between.

import { GreenroomError } from '../errors.ts';
import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './json-marks.ts';

/** How far the end of a value is looked for in one go: about a millisecond. */
const PIECE_BYTES = 512 * 1_024;
/** Of text that is no object, what is parsed to tell which kind of mistake it is. */
const MAX_LOOK_BYTES = 1_024;
const UNKNOWN = -1;

export interface MemberRules {
  /** At most 31. */
  readonly names: readonly string[];
  /** What a name beside these is refused with; null skips its value. */
  unknown(name: string): GreenroomError | null;
  /** What the second member of a name is refused with. JSON.parse would take the last; whoever wrote it may have meant the first. */
  repeated(name: string): GreenroomError;
}

/** One object for many texts: read the members of one before the next begins. */
export class MemberReader {
  readonly #rules: MemberRules;
  /** The names as they nearly always come. */
  readonly #spellings: readonly Buffer[];
  readonly #starts: number[];
  readonly #ends: number[];
  #source: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** One bit per name that there has been. */
  #seen = 0;
  /** Of the value at hand: its name, where it begins, and how far the search for its end has come. */
  #index = UNKNOWN;
  #valueStart = 0;
  #depth = 0;
  #isInString = false;
  #isEmpty = false;

  constructor(rules: MemberRules) {
    this.#rules = rules;
    this.#spellings = rules.names.map((name) => Buffer.from(name));
    this.#starts = rules.names.map(() => 0);
    this.#ends = rules.names.map(() => 0);
  }

  /**
   * Begins with an object. True when all its members are found; false when it is so long that the loop should have a turn before
   * `goOn`. Throws `invalid_json`, `invalid_request` when it is no object, or what the rules say.
   */
  read(source: Buffer, start: number, end: number): boolean {
    this.#source = source;
    this.#at = hasMark(source, start, end) ? start + 3 : start;
    this.#end = end;
    this.#seen = 0;
    this.#depth = 0;
    this.#isInString = false;
    this.#isEmpty = false;
    if (this.#peek() !== OPEN_BRACE) throw this.#notAnObject();
    this.#at++;
    if (this.#peek() === CLOSE_BRACE) {
      this.#at++;
      this.#isEmpty = true;
    } else this.#key();
    return this.goOn();
  }

  /** The same for the next piece. */
  goOn(): boolean {
    while (!this.#isEmpty) {
      if (!this.#skipPiece()) return false;
      this.#endMember();
      if (!this.#separator()) break;
      this.#key();
    }
    this.#peek();
    if (this.#at < this.#end) throw invalidJson();
    return true;
  }

  /** By its place in the names. */
  has(index: number): boolean {
    return (this.#seen & (1 << index)) !== 0;
  }

  startOf(index: number): number {
    return this.#starts[index] as number;
  }

  endOf(index: number): number {
    return this.#ends[index] as number;
  }

  /** Reads up to where the value of the next member begins. */
  #key(): void {
    if (this.#peek() !== QUOTE) throw invalidJson();
    const start = this.#at;
    this.#valueStart = start;
    // A name that is longer than a piece is nobody's.
    if (!this.#skipPiece()) throw invalidJson();
    this.#index = this.#nameIndex(start, this.#at);
    if (this.#peek() !== COLON) throw invalidJson();
    this.#at++;
    this.#peek();
    this.#valueStart = this.#at;
  }

  #endMember(): void {
    if (this.#at === this.#valueStart) throw invalidJson();
    const index = this.#index;
    if (index === UNKNOWN) return;
    const bit = 1 << index;
    if ((this.#seen & bit) !== 0) throw this.#rules.repeated(this.#rules.names[index] as string);
    this.#seen |= bit;
    this.#starts[index] = this.#valueStart;
    this.#ends[index] = this.#at;
  }

  /** Looks for the end of the value at hand; false if it is not in this piece. */
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
    for (let index = 0; index < this.#spellings.length; index++) {
      if (isSpelt(this.#source, start + 1, end - 1, this.#spellings[index] as Buffer)) return index;
    }
    // Perhaps it is spelt with escapes.
    const name = stringIn(this.#source, start, end);
    const index = this.#rules.names.indexOf(name);
    if (index !== -1) return index;
    const refusal = this.#rules.unknown(name);
    if (refusal !== null) throw refusal;
    return UNKNOWN;
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

/** The string whose quotes lie at `start` and before `end`. Throws `invalid_json`. */
export function stringIn(source: Buffer, start: number, end: number): string {
  const text = source.toString('utf8', start + 1, end - 1);
  // What else JSON forbids in a string, none that is read here may hold: it is refused for that.
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    throw invalidJson();
  }
}

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

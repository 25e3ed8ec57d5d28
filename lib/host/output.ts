// What actors print: `console`, `process.stdout` and `process.stderr` of a thread that is a host's alone. It becomes lines of the log, each
// with the worker that printed it, and never reaches the stdout of the process, which is for machines. Rate-limited where it is printed: an
// endless loop that prints costs the main thread nothing. What native code writes to the file descriptors by itself is out of reach.

import { Writable } from 'node:stream';
import { MAX_ERROR_CHARS } from '../limits.ts';
import { hidePaths } from '../observe/log.ts';

export type Stream = 'stdout' | 'stderr';

/** What one host may print: as much at once, and then as much per second. */
const BURST_LINES = 400;
const LINES_PER_SECOND = 200;
const BURST_CHARS = 1_048_576;
const CHARS_PER_SECOND = 262_144;

/** From now on `print` gets whatever is printed in this thread: the text of one call, which may be several lines. */
export function captureOutput(print: (stream: Stream, text: string) => void): void {
  for (const name of ['stdout', 'stderr'] as const) {
    Object.defineProperty(process, name, {
      value: standIn(process[name], new Printed((text) => print(name, text))),
      configurable: true,
      enumerable: true,
    });
  }
  // Node writes warnings to the file descriptor of the process, past all this.
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => print('stderr', `${name}: ${message}`));
}

/**
 * With what Node calls, by symbols of its own, on the stream that was there: the thread that reads it may ask for more at any time, and the answer
 * to that must not be an exception in this one.
 */
function standIn(original: Writable, printed: Printed): Printed {
  const prototype = Object.getPrototypeOf(original) as object;
  for (const key of Object.getOwnPropertySymbols(prototype)) {
    const own: unknown = Reflect.get(original, key);
    if (typeof own !== 'function' || key in printed) continue;
    Object.defineProperty(printed, key, { value: own.bind(original) as unknown });
  }
  return printed;
}

/** Stays open, as stdout does: one actor that ends it must not silence the others. */
class Printed extends Writable {
  readonly #print: (text: string) => void;

  constructor(print: (text: string) => void) {
    super({ decodeStrings: false });
    this.#print = print;
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#print(chunk.toString());
    done();
  }

  override end(chunk?: unknown): this {
    if (typeof chunk === 'string' || Buffer.isBuffer(chunk)) this.write(chunk);
    return this;
  }

  override destroy(): this {
    return this;
  }
}

/** The text of one entry: without the end of its last line and without paths, and cut. Empty if nothing was printed. */
export function printedText(text: string): string {
  return hidePaths(text.slice(0, MAX_ERROR_CHARS + 1).replace(/\r?\n$/, ''));
}

/** Says of each text whether it may be printed now. */
export class PrintRate {
  #lines = BURST_LINES;
  #chars = BURST_CHARS;
  #lastMs: number;

  /** Times are monotonic. */
  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  take(chars: number, nowMs: number): boolean {
    const seconds = (nowMs - this.#lastMs) / 1_000;
    this.#lastMs = nowMs;
    this.#lines = Math.min(BURST_LINES, this.#lines + seconds * LINES_PER_SECOND);
    this.#chars = Math.min(BURST_CHARS, this.#chars + seconds * CHARS_PER_SECOND);
    if (this.#lines < 1 || this.#chars < chars) return false;
    this.#lines--;
    this.#chars -= chars;
    return true;
  }
}

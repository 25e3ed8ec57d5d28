// What a child process writes to stdout or stderr, line by line and fit for a log: each line cut to a bound, and no more of them than
// somebody may want to read.

import type { Readable } from 'node:stream';
import { monotonicMs } from '../protocol/clock.ts';
import { Lines } from './lines.ts';

/** Bytes of one line; of a longer one its beginning is kept. */
const MAX_LINE_BYTES = 1_024;
/** Lines per window that are written; the others are counted. */
const LINES_PER_WINDOW = 50;
const WINDOW_MS = 1_000;

/** A type, not an interface, so that it can be passed as fields. */
export type OutputLine = {
  line?: string;
  /** Lines that were left out since the last one. */
  dropped?: number;
};

/**
 * Calls for each line that is to be written, and at the end if some were left out. `isWanted` sees every line, and says which are left
 * out without being counted.
 */
export function eachLine(
  output: Readable,
  write: (fields: OutputLine) => void,
  isWanted: (line: string) => boolean = () => true,
): void {
  let windowEndMs = 0;
  let lines = 0;
  let dropped = 0;
  const take = (bytes: Buffer): void => {
    const line = bytes.toString().replace(/\p{Cc}+/gu, ' ');
    if (!isWanted(line)) return;
    const nowMs = monotonicMs();
    if (nowMs >= windowEndMs) {
      windowEndMs = nowMs + WINDOW_MS;
      lines = 0;
    }
    if (++lines > LINES_PER_WINDOW) {
      dropped++;
      return;
    }
    write({ line, ...(dropped > 0 && { dropped }) });
    dropped = 0;
  };
  const reader = new Lines(MAX_LINE_BYTES, { line: take, long: (head) => take(head) });
  output.on('data', (chunk: Buffer) => reader.push(chunk));
  output.once('close', () => {
    if (dropped > 0) write({ dropped });
  });
}

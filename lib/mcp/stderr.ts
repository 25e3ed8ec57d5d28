// What a child process says on stderr, in the log: line by line, each cut to a bound, and no more of them than somebody may want to read.

import { performance } from 'node:perf_hooks';
import type { Readable } from 'node:stream';
import type { Logger } from '../observe/log.ts';
import { MAX_STDERR_LINE_CHARS, STDERR_LINES_PER_WINDOW, STDERR_WINDOW_MS } from './bounds.ts';
import { Lines } from './lines.ts';

export function logStderr(stderr: Readable, source: string, log: Logger): void {
  let windowEndMs = 0;
  let lines = 0;
  let dropped = 0;
  const write = (bytes: Buffer): void => {
    const nowMs = performance.now();
    if (nowMs >= windowEndMs) {
      windowEndMs = nowMs + STDERR_WINDOW_MS;
      lines = 0;
    }
    if (++lines > STDERR_LINES_PER_WINDOW) {
      dropped++;
      return;
    }
    const line = bytes.toString().replace(/\p{Cc}+/gu, ' ');
    log.info({ source, line, ...(dropped > 0 && { dropped }) }, 'an MCP server wrote to stderr');
    dropped = 0;
  };
  const reader = new Lines(MAX_STDERR_LINE_CHARS, { line: write, long: (head) => write(head) });
  stderr.on('data', (chunk: Buffer) => reader.push(chunk));
  stderr.once('close', () => {
    if (dropped > 0) log.info({ source, dropped }, 'lines of an MCP server on stderr were dropped');
  });
}

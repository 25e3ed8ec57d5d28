// The log of a standalone runtime: one JSON line per entry on stderr, so that stdout carries the ready line only.
// Apart from log.ts because an embedded runtime without a log must not load pino.
// Written synchronously: a line is with the kernel before the call returns, so neither exit, crash nor kill -9 loses one,
// and it cannot overtake what the CLI itself prints. Lines are rare (none per input above `debug`), so the main loop can pay.

import { pino } from 'pino';
import type { DestinationStream } from 'pino';
import { safeFields, safeText } from './log.ts';
import type { Logger, LogLevel } from './log.ts';

const STDERR = 2;
/** Bytes of lines that are kept while the destination refuses them (a full disk); newer ones are dropped. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

export interface LogOptions {
  readonly level: LogLevel;
  /** A path, or anything with `write(line)`. Default stderr. */
  readonly destination?: string | DestinationStream;
}

export function createLog({ level, destination }: LogOptions): Logger {
  const stream = typeof destination === 'object' ? destination : openDestination(destination ?? STDERR);
  const writer = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  const at = (name: Exclude<LogLevel, 'silent'>) => (fields: Record<string, unknown>, message: string) => {
    if (writer.isLevelEnabled(name)) writer[name](safeFields(fields), safeText(message));
  };
  return Object.freeze({ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') });
}

function openDestination(dest: string | number): DestinationStream {
  const stream = pino.destination({ dest, sync: true, maxLength: MAX_UNWRITTEN_BYTES });
  // Without a listener the error would end the process. A log that cannot be written is no reason to stop workers,
  // and there is nowhere left to say so.
  stream.on('error', () => undefined);
  return stream;
}

// `engine::log::*`: a remote's lines in the runtime's log. Who wrote them is known from its session; what they say is bounded,
// cleaned, and redacted like everything that is logged.

import { performance } from 'node:perf_hooks';
import * as v from 'valibot';
import { safeFields } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { encode } from '../protocol/payload.ts';
import { LOG_LINES_PER_SECOND, MAX_LABEL_CHARS, MAX_LOG_CHARS } from './bounds.ts';
import { engineFunction, optional } from './engine-function.ts';
import type { EngineFunctions } from './engine-function.ts';
import { cleanText } from './labels.ts';

/** The log has no level below `debug`. */
const LEVELS = { trace: 'debug', debug: 'debug', info: 'info', warn: 'warn', error: 'error' } as const;
/** Ids of W3C trace context. */
const TRACE_ID = /^[\da-f]{16,32}$/i;

const Line = v.object({
  message: v.string(),
  data: v.optional(v.unknown()),
  trace_id: optional(v.string()),
  span_id: optional(v.string()),
  service_name: optional(v.string()),
});

/** What one remote has written in the second at hand. */
interface Written {
  sinceMs: number;
  lines: number;
  dropped: number;
}

/** @param now monotonic, in ms */
export function logFunctions(log: Logger, now: () => number = () => performance.now()): EngineFunctions {
  const written = new WeakMap<object, Written>();
  const entries = Object.entries(LEVELS).map(([name, level]) => [
    `engine::log::${name}`,
    engineFunction(`Writes a line to the log, at the level ${level}.`, Line, (line, { caller, session }) => {
      const { message, data, trace_id: traceId, span_id: spanId, service_name: service } = line;
      const dropped = session === null ? 0 : takeLine(written, session, now());
      if (dropped === null) return null;
      const fields = {
        worker_id: caller.workerId,
        worker_name: session?.name ?? undefined,
        service_name: cleanText(service ?? '', MAX_LABEL_CHARS),
        trace_id: traceIdOf(traceId),
        span_id: traceIdOf(spanId),
        text: cleanText(message, MAX_LOG_CHARS) ?? '',
        data: data === undefined || data === null ? undefined : dataText(data),
        dropped_lines: dropped === 0 ? undefined : dropped,
      };
      log[level](
        Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
        'a worker says',
      );
      return null;
    }),
  ]);
  return Object.fromEntries(entries) as EngineFunctions;
}

/** Null when the remote has written as much as it may in a second; else how many of its lines were dropped before this one. */
function takeLine(written: WeakMap<object, Written>, remote: object, nowMs: number): number | null {
  let budget = written.get(remote);
  if (budget === undefined || nowMs - budget.sinceMs >= 1_000) {
    budget = { sinceMs: nowMs, lines: 0, dropped: budget?.dropped ?? 0 };
    written.set(remote, budget);
  }
  if (budget.lines >= LOG_LINES_PER_SECOND) {
    budget.dropped++;
    return null;
  }
  budget.lines++;
  const { dropped } = budget;
  budget.dropped = 0;
  return dropped;
}

function traceIdOf(id: string | null | undefined): string | undefined {
  return typeof id === 'string' && TRACE_ID.test(id) ? id : undefined;
}

/** As text, so that its size is known; redacted before, while its keys still say what is secret. */
function dataText(data: unknown): string | undefined {
  return cleanText(encode(safeFields({ data })['data'] ?? null), MAX_LOG_CHARS);
}

// The host's end of the lane on which lines for the log leave. Nothing is waited for, and each line leaves at once: what was said
// before a thread is killed is told. Bounded: beyond LOG_LINES_IN_FLIGHT lines on the way, lines are counted instead of sent, and the next
// one that gets through says how many; if none comes soon, one is written for that.

import { LOG_LINE_CHARS, LOG_LINES_IN_FLIGHT, MAX_ERROR_CHARS } from '../limits.ts';
import { asNobody } from './blame.ts';
import type { LogLine } from './host.ts';
import { receive } from './ports.ts';
import type { Port } from './ports.ts';

/** From the first line that is dropped to when that is told in any case. */
const TELL_DROPPED_AFTER_MS = 1_000;

export class LogLane {
  readonly #port: Port;
  readonly #hostId: string;
  #sent = 0;
  /** Of those that were sent. */
  #taken = 0;
  #dropped = 0;
  #tellTimer: NodeJS.Timeout | null = null;

  constructor(port: Port, hostId: string) {
    this.#port = port;
    this.#hostId = hostId;
  }

  /** Never throws, whatever the fields are. */
  write(level: LogLine['level'], fields: Record<string, unknown>, message: string): void {
    if (!this.#hasRoom()) {
      this.drop();
      return;
    }
    const dropped = this.#dropped === 0 ? {} : { dropped_lines: this.#dropped };
    this.#dropped = 0;
    this.#sent++;
    const line: LogLine = {
      level,
      fields: { host_id: this.#hostId, ...plainFields(fields), ...dropped },
      message: String(message).slice(0, MAX_ERROR_CHARS + 1),
    };
    this.#port.postMessage(line);
  }

  /** Counts a line that is not to be sent. */
  drop(): void {
    this.#dropped++;
    // Set by what an actor prints, and not its timer. It keeps nobody alive.
    this.#tellTimer ??= asNobody(() => setTimeout(() => this.tellDropped(), TELL_DROPPED_AFTER_MS)).unref();
  }

  /** Says how many lines were dropped, if any were since the last one that was written. */
  tellDropped(): void {
    if (this.#tellTimer !== null) clearTimeout(this.#tellTimer);
    this.#tellTimer = null;
    if (this.#dropped > 0) this.write('warn', {}, 'lines were dropped');
  }

  #hasRoom(): boolean {
    if (this.#sent - this.#taken >= LOG_LINES_IN_FLIGHT) this.#readTaken();
    return this.#sent - this.#taken < LOG_LINES_IN_FLIGHT;
  }

  /** Each message from the other end is how many lines it has taken so far. Read here, since a handler that does not yield may log too. */
  #readTaken(): void {
    for (let next = receive(this.#port); next !== undefined; next = receive(this.#port)) {
      this.#taken = next.message as number;
    }
  }
}

/** Fields as JSON values: what cannot be cloned must not make a log call throw into an actor. */
function plainFields(fields: Record<string, unknown>): Record<string, unknown> {
  try {
    const text = JSON.stringify(fields);
    if (text.length > LOG_LINE_CHARS) return { ...ownersOf(fields), oversize_fields: Object.keys(fields) };
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { ...ownersOf(fields), unencodable_fields: Object.keys(fields) };
  }
}

/** Whose line it is must be known in any case. */
function ownersOf({ worker_id }: Record<string, unknown>): Record<string, unknown> {
  return typeof worker_id === 'string' ? { worker_id } : {};
}

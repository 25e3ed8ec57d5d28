// What remotes measure of themselves, passed on to a collector: OTLP as JSON, one request after the other, from a bounded queue.
// Telemetry must never cost a call: what finds no room pushes the oldest out, and a collector that fails is warned of and given up on.

import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { now } from '../protocol/clock.ts';

/** Of a frame: its first four bytes; the rest is the body. */
const PATHS: ReadonlyMap<string, string> = new Map([
  ['OTLP', '/v1/traces'],
  ['MTRC', '/v1/metrics'],
  ['LOGS', '/v1/logs'],
]);
const PREFIX_BYTES = 4;
/** Frames that wait for the collector, together; a single larger one still has room when nothing else waits. */
const QUEUE_MESSAGES = 1_024;
const QUEUE_BYTES = 32 * 1024 * 1024;
/** How long the collector may take for one frame. */
const EXPORT_TIMEOUT_MS = 10_000;
/** No more than one line in the log in this time. */
const WARN_PERIOD_MS = 60_000;

interface Export {
  readonly path: string;
  readonly body: Uint8Array;
}

export interface TelemetryOptions {
  /** The base URL of the collector. Undefined: everything is discarded. */
  readonly endpoint: string | undefined;
  readonly log: Logger;
  /** Milliseconds since any one moment. For tests, like the bounds below. */
  readonly now?: () => number;
  readonly queueMessages?: number;
  readonly queueBytes?: number;
  readonly exportTimeoutMs?: number;
}

/** Whether a binary frame says that it is telemetry. */
export function isTelemetry(frame: Uint8Array): boolean {
  return pathOf(frame) !== undefined;
}

function pathOf(frame: Uint8Array): string | undefined {
  return PATHS.get(String.fromCharCode(...frame.subarray(0, PREFIX_BYTES)));
}

export class Telemetry {
  readonly #endpoint: string | undefined;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #queueMessages: number;
  readonly #queueBytes: number;
  readonly #exportTimeoutMs: number;
  #isClosed = false;
  /** Ends the request that is on its way. */
  #request: AbortController | null = null;
  /** In the order in which they came; the one on its way is not among them. */
  readonly #waiting = new Set<Export>();
  #waitingBytes = 0;
  /** The run that empties the queue; null while there is nothing to do. Never rejects. */
  #sending: Promise<void> | null = null;
  readonly #counts = { forwarded: 0, dropped: 0, failed: 0 };
  #warnedAtMs = -Infinity;

  constructor({ endpoint, log, now: clock = now, ...bounds }: TelemetryOptions) {
    this.#endpoint = endpoint?.replace(/\/+$/, '');
    this.#log = log;
    this.#now = clock;
    this.#queueMessages = bounds.queueMessages ?? QUEUE_MESSAGES;
    this.#queueBytes = bounds.queueBytes ?? QUEUE_BYTES;
    this.#exportTimeoutMs = bounds.exportTimeoutMs ?? EXPORT_TIMEOUT_MS;
  }

  /** Since the start: frames that the collector took, that were pushed out, and that it did not take. */
  get counts(): { readonly forwarded: number; readonly dropped: number; readonly failed: number } {
    return { ...this.#counts };
  }

  /** Takes a binary frame, which must not change afterwards. False if it is no telemetry. Never throws and never waits. */
  receive(frame: Uint8Array): boolean {
    const path = pathOf(frame);
    if (path === undefined) return false;
    if (this.#endpoint === undefined || this.#isClosed) return true;
    this.#enqueue({ path, body: frame.subarray(PREFIX_BYTES) });
    this.#sending ??= this.#sendAll(this.#endpoint);
    return true;
  }

  /** Ends the request that is on its way; what waits is dropped. May be called again. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#request?.abort();
    this.#counts.dropped += this.#waiting.size;
    this.#waiting.clear();
    this.#waitingBytes = 0;
    await this.#sending;
  }

  #enqueue(entry: Export): void {
    let dropped = 0;
    for (const oldest of this.#waiting) {
      const hasRoom =
        this.#waiting.size < this.#queueMessages && this.#waitingBytes + entry.body.byteLength <= this.#queueBytes;
      if (hasRoom) break;
      this.#take(oldest);
      dropped++;
    }
    this.#waiting.add(entry);
    this.#waitingBytes += entry.body.byteLength;
    if (dropped === 0) return;
    this.#counts.dropped += dropped;
    this.#warn({});
  }

  #take(entry: Export): void {
    this.#waiting.delete(entry);
    this.#waitingBytes -= entry.body.byteLength;
  }

  async #sendAll(endpoint: string): Promise<void> {
    for (const entry of this.#waiting) {
      this.#take(entry);
      try {
        await this.#send(endpoint, entry);
        this.#counts.forwarded++;
      } catch (error) {
        // Given up on: a collector that is down must not make the queue of the others longer.
        this.#counts.failed++;
        if (!this.#isClosed) this.#warn(causeOf(error));
      }
    }
    this.#sending = null;
  }

  async #send(endpoint: string, { path, body }: Export): Promise<void> {
    const request = new AbortController();
    this.#request = request;
    const overdue = new Error(`the collector took longer than ${this.#exportTimeoutMs} ms`);
    const timer = setTimeout(() => request.abort(overdue), this.#exportTimeoutMs);
    try {
      const response = await fetch(`${endpoint}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        // Somewhere else is not what the operator wrote.
        redirect: 'error',
        signal: request.signal,
      });
      // What it says is not read; its connection is free again.
      await response.body?.cancel();
      if (!response.ok) throw new Error(`the collector answered ${response.status}`);
    } finally {
      clearTimeout(timer);
      this.#request = null;
    }
  }

  #warn(fields: Record<string, unknown>): void {
    const nowMs = this.#now();
    if (nowMs - this.#warnedAtMs < WARN_PERIOD_MS) return;
    this.#warnedAtMs = nowMs;
    this.#log.warn({ ...this.#counts, ...fields }, 'telemetry of remotes does not reach the collector');
  }
}

/** fetch says only that it failed; its cause says why. */
function causeOf(error: unknown): Record<string, unknown> {
  return describeError(error instanceof TypeError && error.cause instanceof Error ? error.cause : error);
}

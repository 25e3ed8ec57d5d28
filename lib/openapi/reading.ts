// The runtime's end of reading documents: one thread for all of them, made when the first comes and gone when it has been idle for a
// while. A document that takes too long, or too much memory, costs the thread and nothing else. What the thread has read arrives in
// pieces, each after a turn of the loop, so that the loop is never blocked however large a document is.

import { fileURLToPath } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { GreenroomError, asGreenroomError } from '../errors.ts';
import type { DocumentReading, DocumentSettings, EncodedOperation, ReadDocument } from './operation.ts';
import {
  MAX_WAITING_CHARS,
  READING_DEADLINE_MS,
  READING_WAIT_MS,
  THREAD_IDLE_MS,
  THREAD_MEMORY_MIB,
} from './reading-bounds.ts';
import { absoluteUrl } from './addresses.ts';
import type { ReadingTask, RuntimeMessage, ThreadMessage, ThreadOutcome } from './thread.ts';

type Parts = Parameters<ReadDocument>[2];

let pool: Piscina | null = null;
/** Of documents that wait, and of the one that is read. */
let waitingChars = 0;
/** Resolves when nobody is before whoever comes next. Piscina's own line would stand still when an aborted task takes the only thread along. */
let line: Promise<void> = Promise.resolve();

/** Rejects also with `worker_busy`, when too much waits to be read. */
export const readDocument: ReadDocument = async (text, settings, parts) => {
  if (parts.signal.aborted) throw cancelled();
  if (Buffer.byteLength(text) > parts.maxBytes) throw tooLarge(parts.maxBytes);
  if (waitingChars + text.length > MAX_WAITING_CHARS && waitingChars > 0) {
    throw GreenroomError.of('worker_busy', { message: 'Too many documents wait to be read.' });
  }
  waitingChars += text.length;
  const reading = new Reading(parts);
  try {
    return await reading.run(text, checkedSettings(settings));
  } finally {
    waitingChars -= text.length;
  }
};

class Reading {
  readonly #parts: Parts;
  readonly #operations: EncodedOperation[] = [];
  readonly #abort = new AbortController();
  readonly #port: MessagePort;
  readonly #far: MessagePort;
  /** Why it was ended; what the thread then says is no news. */
  #ended: unknown;
  #timer: NodeJS.Timeout;

  constructor(parts: Parts) {
    this.#parts = parts;
    ({ port1: this.#port, port2: this.#far } = new MessageChannel());
    this.#timer = this.#deadline(READING_WAIT_MS);
  }

  async run(text: string, settings: DocumentSettings): Promise<DocumentReading> {
    const { maxBytes, maxOperations, signal } = this.#parts;
    const task: ReadingTask = { text, settings, maxBytes, maxOperations, port: this.#far };
    const cancel = () => this.#end(cancelled());
    this.#port.on('message', (message: ThreadMessage) => this.#on(message));
    signal.addEventListener('abort', cancel, { once: true });
    const before = line;
    const own = turn();
    line = before.then(() => own.left);
    try {
      await Promise.race([before, this.#whenEnded()]);
      const options = { transferList: [this.#far], signal: this.#abort.signal };
      const outcome = (await threads().run(task, options)) as ThreadOutcome;
      if ('error' in outcome) throw GreenroomError.fromWire(outcome.error);
      return { ...outcome.reading, operations: this.#operations };
    } catch (error) {
      throw this.#ended ?? outcomeOf(error);
    } finally {
      signal.removeEventListener('abort', cancel);
      clearTimeout(this.#timer);
      this.#port.close();
      own.leave();
    }
  }

  /** Rejects when the reading is ended; never resolves. */
  #whenEnded(): Promise<never> {
    const { signal } = this.#abort;
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('ended')), { once: true }),
    );
  }

  #on(message: ThreadMessage): void {
    switch (message.type) {
      case 'started':
        clearTimeout(this.#timer);
        this.#timer = this.#deadline(READING_DEADLINE_MS);
        return;
      case 'operations':
        this.#operations.push(...message.operations);
        setImmediate(() => this.#answer({ type: 'next' }));
        return;
      case 'fetch':
        this.#fetch(message.url, message.maxBytes).then(
          (answer) => this.#answer(answer),
          (error: unknown) => this.#end(error),
        );
    }
  }

  /** What will never come is the loss of those who refer to it; what may come later is that of the reading. */
  async #fetch(url: string, maxBytes: number): Promise<RuntimeMessage> {
    try {
      return { type: 'text', text: await this.#parts.fetchDocument(url, maxBytes) };
    } catch (thrown) {
      const error = asGreenroomError(thrown);
      if (error.retryable || error.code === 'cancelled' || error.code === 'internal') throw error;
      return { type: 'missing', reason: error.code };
    }
  }

  #answer(message: RuntimeMessage): void {
    if (this.#ended === undefined) this.#port.postMessage(message);
  }

  #deadline(ms: number): NodeJS.Timeout {
    const late = () =>
      this.#end(GreenroomError.of('timeout', { message: `The document was not read within ${ms} ms.` }));
    return setTimeout(late, ms);
  }

  #end(reason: unknown): void {
    this.#ended ??= reason;
    this.#abort.abort();
  }
}

function turn(): { readonly left: Promise<void>; leave(): void } {
  let leave = (): void => undefined;
  const left = new Promise<void>((resolve) => (leave = resolve));
  return { left, leave: () => leave() };
}

function threads(): Piscina {
  if (pool !== null) return pool;
  pool = new Piscina({
    filename: fileURLToPath(new URL('./thread.js', import.meta.url)),
    minThreads: 0,
    maxThreads: 1,
    concurrentTasksPerWorker: 1,
    // 'sync' (Piscina's default) parks a thread between tasks in Atomics.wait, which freezes its timers and I/O.
    atomics: 'disabled',
    idleTimeout: THREAD_IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: THREAD_MEMORY_MIB },
    recordTiming: false,
  });
  // Each death is reported through its own task; this event would otherwise be an uncaught error.
  pool.on('error', () => undefined);
  return pool;
}

/** With the address as it is compared with those of references; of what is no server, relative ones are unknown. */
function checkedSettings(settings: DocumentSettings): DocumentSettings {
  const documentUrl = settings.documentUrl === null ? null : absoluteUrl(settings.documentUrl, null);
  return { ...settings, documentUrl };
}

function outcomeOf(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  if (code !== 'ERR_WORKER_OUT_OF_MEMORY') return error;
  return GreenroomError.of('invalid_source', { message: 'Reading the document takes too much memory.' });
}

function cancelled(): GreenroomError {
  return GreenroomError.of('cancelled', { message: 'The reading was cancelled.' });
}

function tooLarge(maxBytes: number): GreenroomError {
  return GreenroomError.of('invalid_source', { message: `The document has more than ${maxBytes} bytes.` });
}

// The runtime's end of reading documents, in one thread for all of them. A document that takes too long, or too much memory, costs the
// thread and nothing else. What the thread has read arrives in pieces, each after a turn of the loop, so that the loop is never blocked
// however large a document is.

import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { GreenroomError, asGreenroomError } from '../errors.ts';
import type { DocumentReading, DocumentSettings, EncodedOperation, ReadDocument } from './operation.ts';
import {
  MAX_WAITING_CHARS,
  MAX_WAITING_DOCUMENTS,
  READING_DEADLINE_MS,
  READING_WAIT_MS,
  THREAD_IDLE_MS,
  THREAD_MEMORY_MIB,
} from './bounds.ts';
import { absoluteUrl } from './addresses.ts';
import { SingleThread } from './single-thread.ts';
import type { ReadingResult, ReadingTask, RuntimeMessage, ThreadMessage } from './thread.ts';

type Parts = Parameters<ReadDocument>[2];

const thread = new SingleThread<ReadingTask, ReadingResult>({
  module: new URL('./thread.js', import.meta.url),
  idleMs: THREAD_IDLE_MS,
  memoryMib: THREAD_MEMORY_MIB,
  maxTasks: MAX_WAITING_DOCUMENTS,
  maxSize: MAX_WAITING_CHARS,
  busyMessage: 'Too many documents wait to be read.',
  outOfMemory: () => GreenroomError.of('invalid_source', { message: 'Reading the document takes too much memory.' }),
});

/** Rejects also with `worker_busy`, when too much waits to be read. */
export const readDocument: ReadDocument = async (text, settings, parts) => {
  if (parts.signal.aborted) throw cancelled();
  if (Buffer.byteLength(text) > parts.maxBytes) throw tooLarge(parts.maxBytes);
  return new Reading(parts).run(text, checkedSettings(settings));
};

class Reading {
  readonly #parts: Parts;
  readonly #operations: EncodedOperation[] = [];
  /** Its reason is what the reading rejects with; what the thread then says is no news. */
  readonly #ending = new AbortController();
  readonly #port: MessagePort;
  readonly #far: MessagePort;
  #timer: NodeJS.Timeout;

  constructor(parts: Parts) {
    this.#parts = parts;
    ({ port1: this.#port, port2: this.#far } = new MessageChannel());
    this.#timer = this.#deadline(READING_WAIT_MS);
  }

  async run(text: string, settings: DocumentSettings): Promise<DocumentReading> {
    const { maxBytes, maxOperations, signal } = this.#parts;
    const task: ReadingTask = { text, settings, maxBytes, maxOperations, port: this.#far };
    const cancel = () => this.#ending.abort(cancelled());
    this.#port.on('message', (message: ThreadMessage) => this.#on(message));
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const make = () => ({ task, transferList: [this.#far] });
      const reading = await thread.run(text.length, make, this.#ending.signal);
      return { ...reading, operations: this.#operations };
    } finally {
      signal.removeEventListener('abort', cancel);
      clearTimeout(this.#timer);
      this.#port.close();
    }
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
          (error: unknown) => this.#ending.abort(error),
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
    if (!this.#ending.signal.aborted) this.#port.postMessage(message);
  }

  #deadline(ms: number): NodeJS.Timeout {
    const late = () =>
      this.#ending.abort(GreenroomError.of('timeout', { message: `The document was not read within ${ms} ms.` }));
    return setTimeout(late, ms);
  }
}

/** With the address as it is compared with those of references; of what is no server, relative ones are unknown. */
function checkedSettings(settings: DocumentSettings): DocumentSettings {
  const documentUrl = settings.documentUrl === null ? null : absoluteUrl(settings.documentUrl, null);
  return { ...settings, documentUrl };
}

function cancelled(): GreenroomError {
  return GreenroomError.of('cancelled', { message: 'The reading was cancelled.' });
}

function tooLarge(maxBytes: number): GreenroomError {
  return GreenroomError.of('invalid_source', { message: `The document has more than ${maxBytes} bytes.` });
}

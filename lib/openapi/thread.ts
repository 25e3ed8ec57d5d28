// The thread that reads documents: what takes long or may be hostile is done here. It can be killed at any time and holds nothing
// between two documents. Documents that one refers to are asked of the runtime, before the reading begins.

import { once } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import { validate } from '@readme/openapi-parser';
import { packText } from '../protocol/packed.ts';
import type { PackedText } from '../protocol/packed.ts';
import { absoluteUrl } from './addresses.ts';
import { Budget, invalidSource, parseText } from './document.ts';
import type { SourceDocument } from './document.ts';
import type { DocumentReading, DocumentSettings, EncodedOperation } from './operation.ts';
import { readOperations } from './read-operations.ts';
import {
  BATCH_CHARS,
  MAX_GROWTH_FACTOR,
  MAX_ISSUES,
  MAX_NOTE_CHARS,
  MAX_REFERENCED_DOCUMENTS,
  MAX_VALIDATED_CHARS,
} from './bounds.ts';
import { References } from './references.ts';
import { outcomeOf } from './thread-outcome.ts';
import type { ThreadOutcome } from './thread-outcome.ts';

export interface ReadingTask {
  readonly text: string;
  readonly settings: DocumentSettings;
  readonly maxBytes: number;
  readonly maxOperations: number;
  readonly port: MessagePort;
}

/** From the thread; `fetch` and `operations` are answered before the next comes. */
export type ThreadMessage =
  | { readonly type: 'started' }
  | { readonly type: 'fetch'; readonly url: string; readonly maxBytes: number }
  | { readonly type: 'operations'; readonly operations: readonly EncodedOperation[] };

/** To the thread: the text of a document, why there is none, or that the next operations may come. */
export type RuntimeMessage =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'missing'; readonly reason: string }
  | { readonly type: 'next' };

/** What the task comes to, beside the operations that have been sent. */
export type ReadingResult = Omit<DocumentReading, 'operations'>;

export default async function read(task: ReadingTask): Promise<ThreadOutcome<ReadingResult>> {
  try {
    return await outcomeOf(async () => {
      task.port.postMessage({ type: 'started' } satisfies ThreadMessage);
      const { operations, ...reading } = await readTask(task);
      await send(operations, task.port);
      return reading;
    });
  } finally {
    task.port.close();
  }
}

async function readTask(task: ReadingTask): Promise<DocumentReading> {
  const budget = new Budget();
  const { root, leaving } = parseText(task.text, budget);
  const main = { url: task.settings.documentUrl, root, isMain: true };
  const fetched = await fetchAll(task, main, leaving, budget);
  const reading = readOperations(main, new References(main, fetched), task.settings, task.maxOperations);
  let chars = 0;
  for (const { operation, requestFormat, responseFormat } of reading.operations) {
    chars += operation.length + requestFormat.length + (responseFormat?.length ?? 0);
  }
  if (chars > task.maxBytes * MAX_GROWTH_FACTOR) throw invalidSource('What the document describes is too large.');
  if (reading.operations.length === 0) await requireReason(root, task.text, reading);
  return reading;
}

/** A document of which nothing can be served is refused with what is wrong with it; one that describes nothing is valid. */
async function requireReason(root: unknown, text: string, { unmapped }: DocumentReading): Promise<void> {
  if (unmapped.length > 0) {
    const issues = unmapped.slice(0, MAX_ISSUES).map(({ operation, reason }) => ({ path: operation, message: reason }));
    throw invalidSource('None of the operations of the document can be served.', issues);
  }
  if (text.length > MAX_VALIDATED_CHARS) throw invalidSource('The document has no operations.');
  // It throws for some of what it should find wrong.
  const checked = await validate(root as Parameters<typeof validate>[0], {
    resolve: { external: false, file: false },
  }).catch(() => ({ valid: false as const, errors: [] }));
  if (checked.valid) return;
  const issues = checked.errors.slice(0, MAX_ISSUES).map(({ message }) => {
    // The lines after the first quote the document.
    return { path: '', message: (message.split('\n', 1)[0] as string).slice(0, MAX_NOTE_CHARS) };
  });
  throw invalidSource('The document is not valid.', issues);
}

/** Everything that the documents refer to, level by level. One that cannot be had is kept as the reason. */
async function fetchAll(
  { port, text, maxBytes }: ReadingTask,
  main: SourceDocument,
  leaving: Set<string>,
  budget: Budget,
): Promise<Map<string, SourceDocument | string>> {
  const fetched = new Map<string, SourceDocument | string>();
  const wanted = new Set(addressesOf(leaving, main));
  let leftBytes = maxBytes - Buffer.byteLength(text);
  for (const url of wanted) {
    if (url === main.url) continue;
    if (fetched.size === MAX_REFERENCED_DOCUMENTS) {
      throw invalidSource(`The document refers to more than ${MAX_REFERENCED_DOCUMENTS} others.`);
    }
    const answer = await ask({ type: 'fetch', url, maxBytes: Math.max(leftBytes, 0) }, port);
    if (answer.type !== 'text') {
      fetched.set(url, answer.type === 'missing' ? answer.reason : 'it was not sent');
      continue;
    }
    leftBytes -= Buffer.byteLength(answer.text);
    if (leftBytes < 0)
      throw invalidSource(`The document and those that it refers to have more than ${maxBytes} bytes.`);
    const { root, leaving: further } = parseText(answer.text, budget);
    const document = { url, root, isMain: false };
    fetched.set(url, document);
    for (const address of addressesOf(further, document)) wanted.add(address);
  }
  return fetched;
}

function addressesOf(references: Iterable<string>, document: SourceDocument): string[] {
  const urls = Array.from(references, (reference) => absoluteUrl(reference, document.url));
  return urls.filter((url) => url !== null);
}

/** Sends no more than the runtime has taken: its loop gets its turns in between. */
async function send(operations: readonly EncodedOperation[], port: MessagePort): Promise<void> {
  let batch: EncodedOperation[] = [];
  let chars = 0;
  for (const [index, unpacked] of operations.entries()) {
    const operation = packed(unpacked);
    batch.push(operation);
    chars += operation.operation.length + operation.requestFormat.length + (operation.responseFormat?.length ?? 0);
    if (chars < BATCH_CHARS && index < operations.length - 1) continue;
    await ask({ type: 'operations', operations: batch }, port);
    [batch, chars] = [[], 0];
  }
}

function packed({ requestFormat, responseFormat, ...rest }: EncodedOperation): EncodedOperation {
  const pack = (text: PackedText): PackedText => (typeof text === 'string' ? packText(text) : text);
  return {
    ...rest,
    requestFormat: pack(requestFormat),
    responseFormat: responseFormat === null ? null : pack(responseFormat),
  };
}

async function ask(message: ThreadMessage, port: MessagePort): Promise<RuntimeMessage> {
  // No deadline of its own: the runtime kills the thread at the one that the whole reading has.
  const answer = once(port, 'message') as Promise<[RuntimeMessage]>;
  port.postMessage(message);
  return (await answer)[0];
}

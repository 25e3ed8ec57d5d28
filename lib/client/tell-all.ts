// A batch of inputs in one request: the items go out as lines while the receipts of the first ones come back. Every item has one
// result, in the order of the items. Nothing is gathered on the way, in neither direction.

import { performance } from 'node:perf_hooks';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { GreenroomError } from '../errors.ts';
import { MAX_WAIT_MS } from '../limits.ts';
import { encode } from '../protocol/payload.ts';
import type { Durability, Receipt, WorkerStatus } from '../protocol/views.ts';
import { Wakeup } from '../protocol/wakeup.ts';
import { connectionError, decodeAnswer, isWireError, unexpected } from './answers.ts';
import type { Call } from './call.ts';
import { requireDurability, requireIdempotencyKey, requireMs } from './options.ts';
import type { BatchInput, TellAllOptions } from './options.ts';
import { Sender } from './sender.ts';
import type { Transport } from './transport.ts';

/** What became of one input of a batch: exactly one of the two is there. */
export type TellResult =
  | { readonly receipt: Receipt; readonly error?: undefined }
  | { readonly error: GreenroomError; readonly receipt?: undefined };

/** The longest receipt: an error with its details. */
const MAX_RECEIPT_CHARS = 1_024 * 1_024;
/** The longest that a timer of Node can run. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Where a batch goes, and how an item becomes a line there. */
export interface BatchRoute<Item> {
  readonly path: string;
  /** Throws what a `tell` of the item would throw. */
  readonly lineOf: (item: Item) => string;
  /** What a line may hold beside an input of the largest size. */
  readonly envelopeBytes: number;
}

/** Each line names its worker. */
export const ANY_WORKER: BatchRoute<BatchInput> = {
  path: '/v1/inputs',
  envelopeBytes: 4 * 1_024, // as the runtime has it
  lineOf: ({ workerId, input, idempotencyKey, deadlineMs, durability }) =>
    encode({
      worker_id: workerId,
      input,
      ...(idempotencyKey !== undefined && { idempotency_key: requireIdempotencyKey(idempotencyKey) }),
      ...(deadlineMs !== undefined && { deadline_ms: Math.ceil(requireMs('deadlineMs', deadlineMs)) }),
      ...(durability !== undefined && { durability: requireDurability(durability) }),
    }),
};

export async function* tellAll<Item>(
  transport: Transport,
  { path, lineOf, envelopeBytes }: BatchRoute<Item>,
  items: Iterable<Item> | AsyncIterable<Item>,
  options: TellAllOptions,
): AsyncGenerator<TellResult, void, undefined> {
  const { signal, waitMs, deadlineMs, durability, timeoutMs = transport.timeoutMs } = options;
  const pauseMs = requireMs('timeoutMs', timeoutMs) + (waitMs ?? 0);
  const headers = {
    'content-type': 'application/x-ndjson',
    ...(waitMs !== undefined && { prefer: `wait=${waitMs === 0 ? 0 : requireMs('waitMs', waitMs) / 1_000}` }),
    ...(deadlineMs !== undefined && {
      'greenroom-deadline-ms': String(Math.ceil(requireMs('deadlineMs', deadlineMs))),
    }),
    ...(durability !== undefined && { 'greenroom-durability': requireDurability(durability) }),
  };
  const call = transport.open({ signal, timeoutMs: MAX_WAIT_MS });
  const wakeup = new Wakeup();
  const sender = new Sender(items, lineOf, transport.maxMessageBytes + envelopeBytes, wakeup.wake);
  const answer = new Answer(transport.stream(call, { method: 'POST', path, body: sender.body, headers }), wakeup.wake);
  call.signal.addEventListener('abort', wakeup.wake, { once: true });
  try {
    yield* results(call, sender, answer, wakeup, pauseMs);
  } finally {
    call.end(GreenroomError.of('cancelled', { message: 'The batch has ended.' }));
    answer.close();
    await sender.close();
  }
}

async function* results<Item>(
  call: Call,
  sender: Sender<Item>,
  answer: Answer,
  wakeup: Wakeup,
  pauseMs: number,
): AsyncGenerator<TellResult, void, undefined> {
  let received = 0;
  /** Since when the runtime has owed the next receipt. */
  let since = performance.now();
  for (;;) {
    call.signal.throwIfAborted();
    for (let error = sender.takeRefused(received); error !== undefined; error = sender.takeRefused(received))
      yield { error };
    const line = answer.next();
    if (line !== undefined) {
      received++;
      yield resultOf(line);
      since = performance.now();
      continue;
    }
    if (answer.isOver) break;
    const isOwed = sender.sent > received;
    if (!isOwed) since = performance.now();
    const leftMs = since + pauseMs - performance.now();
    if (isOwed && leftMs <= 0)
      throw GreenroomError.of('timeout', { message: 'The runtime did not answer the next line in time.' });
    await wakeup.wait(isOwed ? leftMs : MAX_TIMER_MS);
  }
  call.signal.throwIfAborted();
  if (answer.failure !== null) throw connectionError(answer.failure.error);
  if (sender.failure !== null) throw sender.failure.error;
  if (!sender.isDone || sender.sent > received)
    throw GreenroomError.of('runtime_unavailable', { message: 'The runtime ended the batch early.' });
}

/** The receiving half: lines of text, as they come. */
class Answer {
  /** What it ended with instead of its end. */
  failure: { readonly error: unknown } | null = null;
  readonly #wake: () => void;
  readonly #decoder = new StringDecoder('utf8');
  #body: Readable | null = null;
  #isClosed = false;
  #text = '';
  #at = 0;

  constructor(body: Promise<Readable>, wake: () => void) {
    this.#wake = wake;
    body.then(
      (readable) => this.#begin(readable),
      (error: unknown) => this.#fail(error),
    );
  }

  /** There will be no further line. */
  get isOver(): boolean {
    return this.failure !== null || this.#body?.readableEnded === true;
  }

  /** The next line, if it has come. Without it, whoever waits will be woken. */
  next(): string | undefined {
    for (;;) {
      const end = this.#text.indexOf('\n', this.#at);
      if (end !== -1) {
        const line = this.#text.slice(this.#at, end);
        this.#at = end + 1;
        return line;
      }
      this.#text = this.#text.slice(this.#at);
      this.#at = 0;
      if (this.#text.length > MAX_RECEIPT_CHARS) throw unexpected('A receipt is larger than the limit.');
      const chunk = this.#body?.read() as Buffer | null | undefined;
      if (chunk === null || chunk === undefined) return undefined;
      this.#text += this.#decoder.write(chunk);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#body?.destroy();
  }

  #begin(body: Readable): void {
    this.#body = body;
    // It stays: an answer that is cut short after its last reader has gone must not crash the process.
    body.on('error', (error) => this.#fail(error));
    if (this.#isClosed) body.destroy();
    else body.on('readable', this.#wake).on('end', this.#wake);
    this.#wake();
  }

  #fail(error: unknown): void {
    this.failure ??= { error };
    this.#wake();
  }
}

function resultOf(line: string): TellResult {
  const { ack, error } = decodeAnswer(line, 200) as { ack?: WireReceipt; error?: unknown };
  if (ack !== undefined) {
    const { worker_id: workerId, input_id: inputId, status, position, durability } = ack;
    return { receipt: { workerId, inputId, status, position, durability } };
  }
  if (!isWireError(error)) throw unexpected('The line is neither a receipt nor an error of Greenroom.');
  return { error: GreenroomError.fromWire(error) };
}

interface WireReceipt {
  readonly worker_id: string;
  readonly input_id: string;
  readonly status: WorkerStatus;
  readonly position: number;
  readonly durability: Durability;
}

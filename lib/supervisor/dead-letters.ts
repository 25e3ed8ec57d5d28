// Inputs that are not delivered again, with what they hold, until somebody has mended the actor: bounded in number and in bytes, the
// oldest given up first. Kept by the store from the same group on as their outcome, and in memory, which the bounds are for.

import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { MAX_PAGE_ITEMS } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { DeadLetterSummary, Receipt } from '../protocol/views.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { DeadLetterRecord, Store } from '../store/store.ts';
import { untilAccepted } from './asking.ts';
import type { InputRecord } from './input.ts';
import { receiptOf } from './receipts.ts';
import type { DeliverOptions } from './options.ts';
import type { Worker } from './worker.ts';

export interface DeadLettersQuery {
  /** From 1 to MAX_PAGE_ITEMS. Default 100. */
  readonly limit?: number | undefined;
  /** An input id. */
  readonly after?: string | undefined;
  readonly kind?: string | undefined;
  readonly workerId?: string | undefined;
}

export interface DeadLettersParts {
  readonly limits: Limits;
  readonly store: Store;
  readonly log: Logger;
  readonly wheel: Wheel;
}

/** Who takes them again: the supervisor. */
export interface Redelivering {
  readonly status: 'running' | 'draining' | 'stopped';
  /** Throws or rejects with what the input is refused with. */
  deliverBytes(workerId: string, body: Uint8Array, options: DeliverOptions): InputRecord | Promise<InputRecord>;
}

interface Letter {
  readonly record: DeadLetterRecord;
  readonly bytes: number;
}

export class DeadLetters {
  readonly #parts: DeadLettersParts;
  readonly #redelivering: Redelivering;
  /** By input id, in the order in which they were put. */
  readonly #letters = new Map<string, Letter>();
  #bytes = 0;

  constructor(parts: DeadLettersParts, redelivering: Redelivering) {
    this.#parts = parts;
    this.#redelivering = redelivering;
  }

  /** Reads what the store has kept. To be called once the store is connected, before any worker is loaded. */
  open(): void {
    for (const record of [...this.#parts.store.deadLetters()]) this.#add(record, payloadBytes(record.payload));
    this.#trim();
  }

  /** Whether an input that was running as its `attempt`th run when its host died is not to run again. */
  isPoison(worker: Worker, attempt: number): boolean {
    return attempt >= (worker.actor.definition.maxAttempts ?? this.#parts.limits.maxAttempts);
  }

  put(record: DeadLetterRecord, bytes: number): void {
    const { inputId, workerId, kind, attempts } = record;
    this.#parts.store.putDeadLetter(record);
    this.#add(record, bytes);
    this.#parts.log.error(
      { input_id: inputId, worker_id: workerId, kind, attempts },
      'input is poison: kept as a dead letter',
    );
    this.#trim();
  }

  /** Ascending by the number of the input. */
  list({ limit = 100, after, kind, workerId }: DeadLettersQuery): {
    deadLetters: DeadLetterSummary[];
    nextAfter: string | null;
  } {
    requireLimit(limit);
    const found = [...this.#letters.values()]
      .filter(({ record }) => after === undefined || byNumber(record.inputId, after) > 0)
      .filter(({ record }) => kind === undefined || record.kind === kind)
      .filter(({ record }) => workerId === undefined || record.workerId === workerId)
      .sort((a, b) => byNumber(a.record.inputId, b.record.inputId));
    const page = found.slice(0, limit);
    const nextAfter = found.length > limit ? (page.at(-1)?.record.inputId ?? null) : null;
    return { deadLetters: page.map(summaryOf), nextAfter };
  }

  /** Throws `input_not_found`. */
  get(inputId: string): { readonly summary: DeadLetterSummary; readonly payload: Payload } {
    const letter = this.#require(inputId);
    return { summary: summaryOf(letter), payload: letter.record.payload };
  }

  /**
   * Gives it to its worker as a new input, and forgets it once that is accepted. Under one key, so that two at once, or one after a crash
   * in between, make one input. Rejects with `input_not_found`, or with what the delivery is refused with; then it is kept.
   */
  async redeliver(inputId: string): Promise<Receipt> {
    const letter = this.#requireOpen(inputId);
    const { workerId, payload } = letter.record;
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const delivered = await this.#redelivering.deliverBytes(workerId, bytes, {
      idempotencyKey: `dead-letter:${inputId}`,
    });
    const receipt = receiptOf(await untilAccepted(delivered, this.#parts.wheel));
    if (this.#letters.get(inputId) === letter) this.#forget(letter);
    return receipt;
  }

  /** Forgets it, and resolves when it is forgotten for good. Rejects with `input_not_found`. */
  async discard(inputId: string): Promise<DeadLetterSummary> {
    const letter = this.#requireOpen(inputId);
    this.#forget(letter);
    await this.#parts.store.committed();
    return summaryOf(letter);
  }

  /** For what changes something. */
  #requireOpen(inputId: string): Letter {
    if (this.#redelivering.status === 'stopped') throw GreenroomError.of('runtime_unavailable');
    return this.#require(inputId);
  }

  #require(inputId: string): Letter {
    const letter = this.#letters.get(inputId);
    if (letter === undefined)
      throw GreenroomError.of('input_not_found', { message: 'There is no dead letter of that id.' });
    return letter;
  }

  #add(record: DeadLetterRecord, bytes: number): void {
    this.#letters.set(record.inputId, { record, bytes });
    this.#bytes += bytes;
  }

  #forget({ record: { inputId }, bytes }: Letter): void {
    this.#letters.delete(inputId);
    this.#bytes -= bytes;
    this.#parts.store.deleteDeadLetter(inputId);
  }

  #trim(): void {
    const { maxDeadLetters, maxDeadLetterBytes } = this.#parts.limits;
    for (const letter of this.#letters.values()) {
      if (this.#letters.size <= maxDeadLetters && this.#bytes <= maxDeadLetterBytes) return;
      const { inputId, workerId, kind } = letter.record;
      this.#forget(letter);
      this.#parts.log.warn({ input_id: inputId, worker_id: workerId, kind }, 'dead letter dropped: there are too many');
    }
  }
}

/** The ids of one store's inputs differ in their number only. Any other text has a place too. */
function byNumber(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a === b ? 0 : a < b ? -1 : 1;
}

function requireLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_PAGE_ITEMS) return;
  throw GreenroomError.of('invalid_request', {
    message: `limit must be a whole number from 1 to ${MAX_PAGE_ITEMS}`,
  });
}

function summaryOf({ record, bytes }: Letter): DeadLetterSummary {
  const { inputId, workerId, kind, attempts, error, acceptedAtMs, endedAtMs } = record;
  const [acceptedAt, endedAt] = [acceptedAtMs, endedAtMs].map((atMs) => new Date(atMs).toISOString()) as [
    string,
    string,
  ];
  return { inputId, workerId, kind, attempts, bytes, error, acceptedAt, endedAt };
}

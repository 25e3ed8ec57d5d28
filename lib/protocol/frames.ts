// What crosses the wire between the supervisor and one host. Frames travel in batches: a batch is one flat array of
// numbers and payloads, because structured clone is paid per object and a flat array of primitives has one.
// Payloads pass through encoded; nobody between sender and user parses them. Both ends import this file, never each other.

import type { Payload } from './payload.ts';

export type Batch = (number | Payload | null)[];

// --- supervisor → host: inputs ---

/** An input on its way: the supervisor's record of it implements this. */
export interface Ticket {
  /** Number of the input, unique in the runtime's life; names it in cancels and, with a prefix, is its id. */
  readonly seq: number;
  readonly attempt: number;
  readonly payload: Payload;
  /** Encoded size of the payload. */
  readonly bytes: number;
}

/** Fields of one input in a batch. */
export const INPUT_FIELDS = 5;

/** `slot` is the link's place for the input; the reply carries it back. */
export function pushInput(batch: Batch, slot: number, workerSlot: number, ticket: Ticket): void {
  batch.push(slot, workerSlot, ticket.seq, ticket.attempt, ticket.payload);
}

export function eachInput(
  batch: Batch,
  visit: (slot: number, workerSlot: number, seq: number, attempt: number, payload: Payload) => void,
): void {
  for (let at = 0; at < batch.length; at += INPUT_FIELDS) {
    visit(
      batch[at] as number,
      batch[at + 1] as number,
      batch[at + 2] as number,
      batch[at + 3] as number,
      batch[at + 4] as Payload,
    );
  }
}

// --- host → supervisor: replies and emitted entries, in the order in which they happened ---

export const COMPLETED = 0;
export const FAILED = 1;
export const CANCELLED = 2;
export type ReplyCode = typeof COMPLETED | typeof FAILED | typeof CANCELLED;

const EMITTED = -1;
/** Replies and emitted entries have the same number of fields, so that a batch has one stride. */
export const REPLY_FIELDS = 5;

/**
 * `startedAtMs` and `endedAtMs` are Date.now() of the host, 0 if it never started. `body` is the output of a completed
 * input, the encoded WireError of another. `state` is the worker's state after it, if it changed.
 */
export function pushReply(
  batch: Batch,
  slot: number,
  code: ReplyCode,
  startedAtMs: number,
  endedAtMs: number,
  body: Payload,
  state: Payload | null,
): void {
  // The difference is a small integer, which costs less on both sides than a second time of day.
  batch.push(slot * 4 + code, startedAtMs, endedAtMs - startedAtMs, body, state);
}

export function pushEmitted(batch: Batch, workerSlot: number, seq: number, atMs: number, data: Payload): void {
  batch.push(EMITTED, workerSlot, seq, atMs, data);
}

export interface ReplyVisitor {
  reply(
    slot: number,
    code: ReplyCode,
    startedAtMs: number,
    endedAtMs: number,
    body: Payload,
    state: Payload | null,
  ): void;
  emitted(workerSlot: number, seq: number, atMs: number, data: Payload): void;
}

export function eachReply(batch: Batch, visitor: ReplyVisitor): void {
  for (let at = 0; at < batch.length; at += REPLY_FIELDS) {
    const head = batch[at] as number;
    if (head === EMITTED) {
      visitor.emitted(
        batch[at + 1] as number,
        batch[at + 2] as number,
        batch[at + 3] as number,
        batch[at + 4] as Payload,
      );
    } else {
      const startedAtMs = batch[at + 1] as number;
      visitor.reply(
        head >> 2,
        (head & 3) as ReplyCode,
        startedAtMs,
        startedAtMs + (batch[at + 2] as number),
        batch[at + 3] as Payload,
        batch[at + 4] as Payload | null,
      );
    }
  }
}

// --- the control lane: its own port, and a doorbell in shared memory that the host looks at before each input ---

/** Cancels one input of a worker, or all that the host holds of it (`seq: null`). */
export interface ControlFrame {
  readonly workerSlot: number;
  readonly seq: number | null;
  readonly reason: string;
  /** Leave it alone if it has started: its deadline has passed, but nobody asked for its end. */
  readonly waitingOnly: boolean;
}

/** Layout of the Int32Array that a host shares with the supervisor. It outlives the host, so a death can be understood. */
export const SHARED = {
  /** Incremented after each control frame. */
  doorbell: 0,
  /** Slot of the worker whose handler is on the stack right now, -1 if none. */
  current: 1,
  /** From here one cell per worker slot: the low 32 bits of the seq of the last input that it started. */
  started: 2,
} as const;

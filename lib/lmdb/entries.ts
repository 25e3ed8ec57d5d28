// Inputs, endings and transcript entries as bytes: the same in the journal and in the tables.

import type { WireError } from '../errors.ts';
import type { Payload } from '../protocol/payload.ts';
import { payloadText } from '../protocol/payload.ts';
import { OUTCOMES } from '../protocol/views.ts';
import type { EntryType, Outcome } from '../protocol/views.ts';
import { ENTRY_OF, entryData } from '../store/store.ts';
import type { Ending, StoredInput } from '../store/store.ts';
import { elementOf } from './codec.ts';
import type { Decoder, Encoder } from './codec.ts';

/** What an entry of an outcome knows beside its data, so that the outcome can be told from it alone. */
export interface EntryEnding {
  readonly outcome: Outcome;
  readonly attempt: number;
  readonly acceptedAtMs: number;
  readonly startedAtMs: number;
}

/** One entry of a transcript; its sequence follows from its place. */
export interface Entry {
  readonly atMs: number;
  readonly type: EntryType;
  readonly inputSeq: number;
  readonly data: Payload;
  readonly ending: EntryEnding | null;
}

/** On disk, for ever: a new type gets the next number, wherever it stands in the list of types. */
const TYPE_BYTES: Readonly<Record<EntryType, number>> = {
  created: 0,
  input: 1,
  output: 2,
  emitted: 3,
  cancelled: 4,
  failed: 5,
  restarted: 6,
  stopped: 7,
  killed: 8,
  promoted: 9,
};
const TYPES = Object.keys(TYPE_BYTES) as EntryType[];
const OUTCOME_BYTES = new Map(OUTCOMES.map((outcome, index) => [outcome, index]));

/** Set in the byte of the type when an ending follows. */
const HAS_ENDING = 0x80;

export function writeEntry(to: Encoder, { atMs, type, inputSeq, data, ending }: Entry): void {
  const typeByte = TYPE_BYTES[type];
  to.byte(ending === null ? typeByte : typeByte | HAS_ENDING);
  to.number(atMs);
  to.varint(inputSeq);
  if (ending !== null) writeEntryEnding(to, ending);
  to.payload(data);
}

export function readEntry(from: Decoder): Entry {
  const typeByte = from.byte();
  const type = elementOf(TYPES, typeByte & ~HAS_ENDING);
  const atMs = from.number();
  const inputSeq = from.varint();
  const ending = (typeByte & HAS_ENDING) === 0 ? null : readEntryEnding(from);
  return { atMs, type, inputSeq, data: from.presentPayload(), ending };
}

export function writeEnding(to: Encoder, ending: Ending): void {
  writeEntryEnding(to, ending);
  to.number(ending.endedAtMs);
  to.payload(entryData(ending));
}

export function readEnding(from: Decoder): Ending {
  const ending = readEntryEnding(from);
  const endedAtMs = from.number();
  return endingOf(ending, endedAtMs, from.presentPayload());
}

/** What an ending's entry says of it. */
export function endingOf(ending: EntryEnding, endedAtMs: number, data: Payload): Ending {
  const isCompleted = ending.outcome === 'completed';
  return {
    outcome: ending.outcome,
    output: isCompleted ? data : null,
    error: isCompleted ? null : (JSON.parse(payloadText(data)) as WireError | null),
    attempt: ending.attempt,
    acceptedAtMs: ending.acceptedAtMs,
    startedAtMs: ending.startedAtMs,
    endedAtMs,
  };
}

export function entryOfEnding(inputSeq: number, ending: Ending): Entry {
  const { outcome, attempt, acceptedAtMs, startedAtMs } = ending;
  return {
    atMs: ending.endedAtMs,
    type: ENTRY_OF[outcome],
    inputSeq,
    data: entryData(ending),
    ending: { outcome, attempt, acceptedAtMs, startedAtMs },
  };
}

export function writeInput(to: Encoder, input: StoredInput, attempt: number): void {
  to.varint(input.seq);
  to.number(input.acceptedAtMs);
  to.number(input.deadlineAtMs);
  to.varint(attempt);
  to.byte(input.key === null ? 0 : 1);
  if (input.key !== null) {
    to.text(input.key.key);
    to.text(input.key.digest);
  }
  to.payload(input.payload);
}

export function readInput(from: Decoder): StoredInput {
  const seq = from.varint();
  const acceptedAtMs = from.number();
  const deadlineAtMs = from.number();
  const attempt = from.varint();
  const key = from.byte() === 0 ? null : { key: from.text(), digest: from.text() };
  return { seq, acceptedAtMs, deadlineAtMs, attempt, key, payload: from.presentPayload(), isVolatile: false };
}

function writeEntryEnding(to: Encoder, { outcome, attempt, acceptedAtMs, startedAtMs }: EntryEnding): void {
  to.byte(OUTCOME_BYTES.get(outcome) as number);
  to.varint(attempt);
  to.number(acceptedAtMs);
  to.number(startedAtMs);
}

function readEntryEnding(from: Decoder): EntryEnding {
  return {
    outcome: elementOf(OUTCOMES, from.byte()),
    attempt: from.varint(),
    acceptedAtMs: from.number(),
    startedAtMs: from.number(),
  };
}

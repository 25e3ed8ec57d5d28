// Pages of a worker's transcript, and what becomes of a reader that is slower than the trimming.

import { GreenroomError } from '../errors.ts';
import type { Payload } from '../protocol/payload.ts';
import type { EntryType } from '../protocol/views.ts';
import type { Worker } from './worker.ts';

export interface TranscriptRequest {
  /** 0 begins with the oldest entry that is kept. */
  readonly after: number;
  readonly limit: number;
  /** Goes on with the oldest entry that is kept, instead of throwing. Default false. */
  readonly skipTrimmed?: boolean | undefined;
}

/** A page with each entry's data still encoded: it is one JSON value. */
export interface EncodedPage {
  readonly workerId: string;
  readonly firstSequence: number;
  readonly items: readonly { sequence: number; atMs: number; type: EntryType; inputId: string | null; data: Payload }[];
  readonly nextAfter: number;
  readonly hasMore: boolean;
}

/** Throws `transcript_trimmed` if entries after `after` are not kept any more: a record with a silent gap would be none. */
export function readTranscript(worker: Worker, { after, limit, skipTrimmed = false }: TranscriptRequest): EncodedPage {
  const { workerId, store } = worker;
  const { items, nextAfter, hasMore } = store.read(after, limit);
  // After reading, which may trim.
  const { firstSequence } = store;
  if (after > 0 && after + 1 < firstSequence && !skipTrimmed) {
    const details = { first_sequence: firstSequence, resume_after: firstSequence - 1 };
    throw GreenroomError.of('transcript_trimmed', { details });
  }
  const withIds = items.map(({ sequence, atMs, type, inputSeq, data }) => {
    const inputId = inputSeq === 0 ? null : worker.inputId(inputSeq);
    return { sequence, atMs, type, inputId, data };
  });
  return { workerId, firstSequence, items: withIds, nextAfter, hasMore };
}

// What a worker of the durable store needs of the store.

import type { StoreEvents } from '../store/store.ts';
import type { Environment } from './environment.ts';
import type { Operation } from './operations.ts';
import type { TranscriptLimits } from './transcript.ts';
import type { LmdbWorkerStore } from './worker.ts';

export interface Context {
  readonly environment: Environment;
  readonly limits: TranscriptLimits;
  readonly idempotencyTtlMs: number;
  /** Null before the store is connected. */
  readonly events: StoreEvents | null;
  /** On the clock of the times in inputs and entries. */
  now(): number;
  /** Number of the batch that takes what is staged now. */
  readonly batchAtHand: number;
  /** Number of the last batch that is applied. */
  readonly appliedBatch: number;
  /** Adds to the group at hand. Returns the number of its batch. */
  stage(operation: Operation): number;
  /** Its number is given, and never again. */
  sawSeq(seq: number): void;
  /** Its timers have changed, too. */
  timersChanged(worker: LmdbWorkerStore): void;
  /** Its applied operations are not in the tables. */
  changed(worker: LmdbWorkerStore): void;
}

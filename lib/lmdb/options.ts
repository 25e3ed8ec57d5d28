// How a durable store is opened.

import type { Progress } from './recovery.ts';
import type { TranscriptLimits } from './transcript.ts';
import type { UpgradeProgress } from './upgrade.ts';

export interface LmdbStoreOptions {
  /** Of the file; its folder is there. */
  readonly path: string;
  readonly limits: TranscriptLimits;
  /** From the end of an input to when its key is forgotten. */
  readonly idempotencyTtlMs: number;
  /** Called once, when the file has been closed. */
  readonly onClosed?: () => void;
  /** Told while the journal is read again. */
  readonly onProgress?: (progress: Progress) => void;
  /** Told while what an older version wrote is rewritten. */
  readonly onUpgrade?: (progress: UpgradeProgress) => void;
  /** Told when the journal could not be put into the tables, for the log; it is tried again. */
  readonly onFoldError?: (error: unknown) => void;
  /** On the clock of the times in inputs. Default Date.now. */
  readonly now?: () => number;
  /** Journal that is folded without waiting for a quiet moment. Default 16 MiB; a test makes it small. */
  readonly foldBytes?: number;
  /** Bytes that are folded in one transaction. Default 1 MiB. */
  readonly sliceBytes?: number;
}

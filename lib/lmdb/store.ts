// Stands in until the store of this name is merged.

import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import type { Store, TranscriptBounds } from '../store/store.ts';

interface LmdbStoreOptions {
  /** A folder. */
  readonly path: string;
  readonly bounds: TranscriptBounds;
  readonly limits: Limits;
  readonly log: Logger;
  readonly onProgress?: (progress: Readonly<Record<string, number>>) => void;
}

export class LmdbStore {
  static async open(_options: LmdbStoreOptions): Promise<Store> {
    throw GreenroomError.of('invalid_option', { message: 'lmdb is not in this build' });
  }
}

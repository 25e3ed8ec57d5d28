// What a worker is told of the end of another that it watches.

import type { WireError } from '../errors.ts';

export interface EndedEvent {
  readonly workerId: string;
  /** `deleted` also if there has never been one. */
  readonly reason: 'stopped' | 'failed' | 'deleted';
  /** Why it failed. */
  readonly error?: WireError;
}

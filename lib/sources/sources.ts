// Not built yet: the sources of a runtime.

import type { Functions } from '../functions/registry.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import type { SourceType } from './source.ts';

export interface SourcesParts {
  readonly functions: Functions;
  readonly limits: Limits;
  readonly log: Logger;
  /** Loads what reads sources of a type; null for an unknown one. */
  loadType(type: string): Promise<SourceType | null>;
}

export class Sources {
  constructor(_parts: SourcesParts) {}

  async close(): Promise<void> {}
}

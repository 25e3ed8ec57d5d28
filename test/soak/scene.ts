// What a soak consists of, for those who do something in it.

import type { Runtime } from '../../lib/runtime.ts';
import type { WorkerStatus } from '../../lib/protocol/views.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import type { Random } from '../support/random.ts';
import type { Book } from './book.ts';

/** Holds a worker; another one when it was deleted. */
export interface Place {
  readonly kind: string;
  handle: WorkerHandle;
  /** Number of the last input that was sent to it. */
  no: number;
  /** Inputs that may have set a timer and have not completed: with a memory store such a timer comes all the same. */
  extraTimers: number;
}

export interface Scene {
  readonly runtime: Runtime;
  readonly book: Book;
  readonly random: Random;
  readonly isDurable: boolean;
  readonly places: readonly Place[];
  /** Workers that workers have created. */
  readonly children: Set<string>;
  nextId(prefix: string): string;
  readonly isOver: () => boolean;
}

/** `gone`: it was deleted. */
export function statusOf(worker: WorkerHandle): WorkerStatus | 'gone' {
  try {
    return worker.view().status;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'worker_not_found') return 'gone';
    throw error;
  }
}

/** Longer than a host may be stuck, and its kill takes. */
export const ASK_MS = 8_000;
/** Starting, stopping: limits of the runtime, one after the other. */
export const COMMAND_MS = 40_000;

// What a supervisor is made of, and what it is asked and answers.

import type { Durability } from '../protocol/views.ts';
import type { Peers } from '../functions/peers.ts';
import type { Limits } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { Store } from '../store/store.ts';
import type { Catalog } from './catalog.ts';

export interface CancelRequest {
  /** Default: whatever is running. */
  readonly inputId?: string | undefined;
  readonly reason?: string | undefined;
}

/** What a runtime is called; chosen by its operator. */
export interface Identity {
  readonly runtimeId: string;
  readonly displayName: string | null;
  readonly version: string;
}

export interface SupervisorOptions {
  readonly identity: Identity;
  readonly limits: Limits;
  readonly catalog: Catalog;
  readonly store: Store;
  readonly log: Logger;
  /** All that the runtime waits for by time. */
  readonly wheel: Wheel;
  /** From 0 to below 1, for the jitter of pauses. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** A worker has left its host: it was stopped, could not start, or its host has died. */
  readonly onLeft?: (workerId: string) => void;
  /** Whether a worker has channels, or ends of some, which a hibernation would close. Default: none has. */
  readonly hasChannels?: (workerId: string) => boolean;
  /** What is listed beside the workers. Default: nothing. */
  readonly peers?: Peers;
}

export interface DeliverOptions {
  /** From its acceptance. An input that has not started by then ends as `expired`. */
  deadlineMs?: number | undefined;
  /** 1 to 255 characters. The same key with the same input is the same input. */
  idempotencyKey?: string | undefined;
  /** Default: as the actor says. `volatile`: kept in memory only, and not waited for. */
  durability?: Durability | undefined;
}

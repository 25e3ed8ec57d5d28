// One worker as its host holds it: its actor, its state, and the few inputs that were sent ahead of their turn.

import type { ActorDefinition } from '../actor.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { ContextHost, ContextOwner, InputContext } from './context.ts';
import type { WorkerSpec } from './host.ts';

/** An input that the host holds. */
export interface HeldInput {
  readonly slot: number;
  readonly seq: number;
  readonly attempt: number;
  /** Its value, unless it is still encoded. */
  readonly value: unknown;
  readonly encoded: Payload | null;
}

export class Cell implements ContextOwner {
  readonly slot: number;
  readonly workerId: string;
  readonly definition: ActorDefinition;
  readonly config: unknown;
  readonly host: ContextHost;
  state: unknown;
  /** The encoded state as last saved; what a failed input goes back to. Null for an actor without state. */
  savedState: Payload | null;
  /** Inputs that have not started, in order. Short: no longer than the credits of one worker. */
  line: HeldInput[] = [];
  running: HeldInput | null = null;
  /** The input that it started last. */
  lastSeq = 0;
  context: InputContext | null = null;
  isQueued = false;
  /** Unknown counts as slow: finished replies of neighbours must not wait behind a handler that never ran before. */
  isSlow = true;
  /** Set when the worker is to be unloaded; called once nothing of it is left. */
  whenEmpty: (() => void) | null = null;

  constructor(
    host: ContextHost,
    spec: WorkerSpec,
    definition: ActorDefinition,
    config: unknown,
    savedState: Payload | null,
  ) {
    this.host = host;
    this.slot = spec.slot;
    this.workerId = spec.workerId;
    this.definition = definition;
    this.config = config;
    this.savedState = savedState;
    this.state = savedState === null ? undefined : decode(savedState);
  }
}

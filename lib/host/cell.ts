// One worker as its host holds it: its actor, its state, and the few inputs that were sent ahead of their turn.

import type { ActorDefinition } from '../actor.ts';
import { decode, payloadText } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { LoadedActor } from './actors.ts';
import { scopeOf } from './blame.ts';
import type { Scope } from './blame.ts';
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

/** What every worker without inputs shares; nobody writes to it. An array of its own that once held one keeps 180 bytes. */
const NONE: HeldInput[] = [];

export class Cell implements ContextOwner {
  readonly slot: number;
  readonly workerId: string;
  readonly actor: LoadedActor;
  /** As text, which it shares with others, until the actor looks at it: few do once their first state is made. */
  #config: unknown;
  #isConfigRead = false;
  readonly host: ContextHost;
  state: unknown = undefined;
  /** The encoded state as last saved, a text to compare with; what a failed input goes back to. Null for an actor without state. */
  savedState: string | null = null;
  /** Inputs that have not started, in order. Short: no longer than the credits of one worker. */
  line: HeldInput[] = NONE;
  running: HeldInput | null = null;
  /** The input that it started last. */
  lastSeq = 0;
  context: InputContext | null = null;
  isQueued = false;
  /** It has crashed: nothing of it is heard any more, whatever of its code still runs. */
  isGone = false;
  #scope: Scope | null = null;
  /** Unknown counts as slow: finished replies of neighbours must not wait behind a handler that never ran before. */
  isSlow = true;
  /** Set when the worker is to be unloaded; called once nothing of it is left. */
  whenEmpty: (() => void) | null = null;

  constructor(host: ContextHost, spec: WorkerSpec, actor: LoadedActor) {
    this.host = host;
    this.slot = spec.slot;
    this.workerId = spec.workerId;
    this.actor = actor;
    this.#config = actor.share(spec.config);
  }

  /** What it starts with; null for an actor without state. */
  load(savedState: Payload | null): void {
    this.savedState = savedState === null ? null : payloadText(savedState);
    this.state = this.savedState === null ? undefined : decode(this.savedState);
  }

  get definition(): ActorDefinition {
    return this.actor.definition;
  }

  get config(): unknown {
    if (!this.#isConfigRead) {
      this.#config = this.actor.readConfig(this.#config as Payload);
      this.#isConfigRead = true;
    }
    return this.#config;
  }

  /** Runs code of its actor, so that what that leaves behind is known to be this worker's. */
  run<A extends unknown[], R>(code: (...args: A) => R, ...args: A): R {
    if (!this.host.isBlaming) return code(...args);
    this.#scope ??= scopeOf(this);
    return this.#scope.runInAsyncScope(code, undefined, ...args);
  }

  /** Puts an input at the end of the line. */
  hold(input: HeldInput): void {
    if (this.line === NONE) this.line = [input];
    else this.line.push(input);
  }

  /** Nothing more of it begins, and what runs is told to end. */
  abandon(): void {
    this.line = NONE;
    this.context?.cancel('the host has ended');
  }

  /** Takes the next input off the line. */
  next(): HeldInput | undefined {
    const input = this.line.shift();
    if (this.line.length === 0) this.line = NONE;
    return input;
  }
}

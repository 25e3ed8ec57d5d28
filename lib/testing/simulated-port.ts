// A lane of a simulated wire: what is posted at one end comes out at the other after a delay, in order, unless a fault is armed. What was
// posted is there for `receive` at once, as with the ports of threads.

import { EventEmitter } from 'node:events';
import type { TransferListItem } from 'node:worker_threads';
import type { Port } from '../host/ports.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** What may happen to one message of a lane. */
export type LaneFault = 'drop' | 'duplicate' | 'reorder';

/** How long a message that was overtaken is held back if nothing overtakes it. */
const HELD_BACK_MS = 200;

/** What the two ends of a lane have in common. */
export interface LaneConditions {
  readonly clock: VirtualClock;
  /** How long the next message takes, in milliseconds. */
  delayMs(): number;
  /** Takes the fault that is armed for the next message from that end. */
  takeFault(from: LaneEnd): LaneFault | undefined;
  /** For tests of the checks: what really arrives of a message. */
  corrupt?(from: LaneEnd, message: unknown): unknown;
}

/** `out`: from the supervisor to the host. */
export type LaneEnd = 'out' | 'in';

export class SimulatedPort extends EventEmitter implements Port {
  readonly #conditions: LaneConditions;
  readonly #end: LaneEnd;
  #peer: SimulatedPort | null = null;
  #isClosed = false;
  /** Nothing comes in or goes out: the thread behind it stands still. */
  #isFrozen = false;
  readonly #arrived: unknown[] = [];
  readonly #unsent: unknown[] = [];
  #heldBack: { message: unknown } | null = null;
  #lastAtMs = 0;
  #due = 0;

  private constructor(end: LaneEnd, conditions: LaneConditions) {
    super();
    this.#end = end;
    this.#conditions = conditions;
  }

  /** Two ends; the first is the supervisor's. */
  static lane(conditions: LaneConditions): { port1: SimulatedPort; port2: SimulatedPort } {
    const port1 = new SimulatedPort('out', conditions);
    const port2 = new SimulatedPort('in', conditions);
    port1.#peer = port2;
    port2.#peer = port1;
    return { port1, port2 };
  }

  postMessage(message: unknown, transfer: readonly TransferListItem[] = []): void {
    if (this.#isClosed) return;
    const copy: unknown = structuredClone(message, { transfer: transfer as ArrayBuffer[] });
    if (this.#isFrozen) this.#unsent.push(copy);
    else this.#send(copy);
  }

  #send(message: unknown): void {
    const { corrupt } = this.#conditions;
    const sent = corrupt === undefined ? message : corrupt(this.#end, message);
    const fault = this.#conditions.takeFault(this.#end);
    const before = this.#heldBack;
    if (fault === 'reorder' && before === null) {
      this.#heldBack = { message: sent };
      this.#conditions.clock.wake(HELD_BACK_MS, () => this.#release());
      return;
    }
    if (fault !== 'drop') this.#peer?.deliver(sent);
    if (fault === 'duplicate') this.#peer?.deliver(structuredClone(sent));
    if (before !== null) this.#release();
  }

  #release(): void {
    const held = this.#heldBack;
    this.#heldBack = null;
    if (held !== null && !this.#isClosed) this.#peer?.deliver(held.message);
  }

  /** The message is there from now on, and is told of after its delay. */
  protected deliver(message: unknown): void {
    if (this.#isClosed) return;
    const { clock } = this.#conditions;
    this.#arrived.push(message);
    this.#lastAtMs = Math.max(this.#lastAtMs, clock.now() + this.#conditions.delayMs());
    clock.wake(this.#lastAtMs - clock.now(), () => {
      this.#due++;
      this.#tell();
    });
  }

  /** One message for each that is due; some may have been taken by `receive`. */
  #tell(): void {
    while (this.#due > 0 && !this.#isFrozen) {
      this.#due--;
      const next = this.receive();
      if (next === undefined || this.#isClosed) return;
      this.emit('message', next.message);
    }
  }

  receive(): { message: unknown } | undefined {
    if (this.#isFrozen || this.#arrived.length === 0) return undefined;
    return { message: this.#arrived.shift() };
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const message of this.#unsent.splice(0)) this.#send(message);
    this.#tell();
  }

  /** For both ends, as with the ports of threads; what has arrived by then can still be received. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsent.length = 0;
    this.#heldBack = null;
    queueMicrotask(() => this.emit('close'));
    this.#peer?.close();
  }
}

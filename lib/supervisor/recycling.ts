// Replaces hosts that have taken too much memory, are too old, or are to go because somebody says so, while their workers go on: first a
// spare, then the move of all workers between two of their inputs, then an orderly end. Shared hosts go one after the other.
//
//   look at each host ─▶ recycle: spare ready ─▶ emptied (moving.ts) ─▶ closed
//                    └─▶ kill                          └─ not in time ─▶ killed

import { GreenroomError } from '../errors.ts';
import { KILL_DEADLINE_MS, SOFT_MEMORY_PERCENT, WATCH_EVERY_MS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import { now } from '../protocol/clock.ts';
import type { WheelTimer } from '../protocol/wheel.ts';
import type { HostSample, HostSlot } from './host-slot.ts';
import type { Hosts } from './hosts.ts';
import { Moving } from './moving.ts';
import type { MovingParts } from './moving.ts';

/** Between two recyclings of one place for its memory: what fills a new host at once is not mended by another. */
const MEMORY_PAUSE_MS = 30_000;

/** What is known of a host when it is looked at. */
export interface HostFigures {
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly handled: number;
  readonly ageMs: number;
}

/** Beyond a soft part of the first two a host is recycled, beyond all of it killed; 0 is no bound for the others. */
export interface HostBounds {
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly maxAgeMs: number;
  readonly maxInputs: number;
}

export type RecycleReason = 'heap' | 'external' | 'age' | 'inputs' | 'asked';

export type Measure =
  | { readonly type: 'kill'; readonly reason: 'heap' | 'external' }
  | { readonly type: 'recycle'; readonly reason: RecycleReason };

/** What is to be done about a host; null if nothing. */
export function measureFor(figures: HostFigures, bounds: HostBounds): Measure | null {
  for (const reason of ['heap', 'external'] as const)
    if (figures[`${reason}Bytes`] > bounds[`${reason}Bytes`]) return { type: 'kill', reason };
  for (const reason of ['heap', 'external'] as const)
    if (figures[`${reason}Bytes`] > (bounds[`${reason}Bytes`] * SOFT_MEMORY_PERCENT) / 100)
      return { type: 'recycle', reason };
  if (bounds.maxAgeMs > 0 && figures.ageMs > bounds.maxAgeMs) return { type: 'recycle', reason: 'age' };
  if (bounds.maxInputs > 0 && figures.handled >= bounds.maxInputs) return { type: 'recycle', reason: 'inputs' };
  return null;
}

export function boundsOf({ isolation }: Pick<HostSlot, 'isolation'>, limits: Limits): HostBounds {
  return {
    heapBytes: limits[`${isolation}HeapBytes`],
    externalBytes: limits.hostExternalBytes,
    maxAgeMs: limits.hostMaxAgeMs,
    maxInputs: limits.hostMaxInputs,
  };
}

export interface RecyclingParts extends MovingParts {
  readonly limits: Limits;
  hosts(): Hosts;
}

export class Recycling {
  readonly #parts: RecyclingParts;
  /** Hosts that are to be recycled, or are being recycled. */
  readonly #orders = new Map<HostSlot, Promise<void>>();
  readonly #moves = new Set<Moving>();
  /** Shared hosts take their turns here. */
  #line: Promise<unknown> = Promise.resolve();
  #timer: WheelTimer | null = null;
  #isOver = false;
  /** What the last look at a host found; its heap may have been mostly garbage. */
  readonly #lastFound = new WeakMap<HostSlot, { found: string; sample: HostSample }>();
  /** Hosts that took the place of one that was recycled for its memory, and when. */
  readonly #renewedAt = new WeakMap<HostSlot, number>();
  readonly #isFullAgain = new WeakSet<HostSlot>();

  constructor(parts: RecyclingParts) {
    this.#parts = parts;
  }

  /** The hosts are there. */
  open(): void {
    this.#timer = this.#parts.wheel.after(WATCH_EVERY_MS, () => {
      for (const slot of this.#parts.hosts().slots) this.#look(slot);
      this.open();
    });
  }

  /** Nothing is moved any more. */
  close(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    for (const move of this.#moves) move.stop();
  }

  /**
   * Has a host recycled; resolves when it has ended, which may take `startTimeoutMs` and `stopTimeoutMs`, and waits for the turn of the
   * hosts before it. Throws `unsupported_operation` if it is not ready or is being recycled. Rejects with `runtime_unavailable` if no
   * spare could be started or the runtime is closing, and with `host_lost` if it died in line; that is in the log, too.
   */
  recycle(slot: HostSlot, reason: RecycleReason): Promise<void> {
    if (this.#isOver) throw closing();
    if (!slot.isReady || this.#orders.has(slot)) {
      const status = this.#orders.has(slot) ? 'recycling' : slot.killOrder !== null ? 'ending' : slot.status;
      throw notRecyclable(status);
    }
    const run = (): Promise<void> => this.#logged(slot, this.#recycle(slot, reason));
    const order = (slot.isOwn ? run() : this.#line.then(run)).finally(() => this.#orders.delete(slot));
    this.#orders.set(slot, order);
    // The next one takes its turn whatever becomes of this one, which is in the log.
    const over = order.catch(() => undefined);
    if (!slot.isOwn) this.#line = over;
    return order;
  }

  // --- private ---

  #look(slot: HostSlot): void {
    const { limits } = this.#parts;
    const { sample } = slot;
    if (slot.killOrder !== null) return;
    const measure = measureFor({ ...sample, ageMs: now() - slot.startedAt }, boundsOf(slot, limits));
    const found = measure === null ? '' : `${measure.type} ${measure.reason}`;
    const last = this.#lastFound.get(slot);
    const isConfirmed = last?.found === found && last.sample !== sample;
    if (last?.sample !== sample) this.#lastFound.set(slot, { found, sample });
    if (measure === null || (slot.status !== 'ready' && slot.status !== 'recycling')) return;
    if (measure.type === 'kill') {
      slot.kill('memory', []);
      return;
    }
    if (!slot.isReady || this.#orders.has(slot)) return;
    const isMemory = measure.reason === 'heap' || measure.reason === 'external';
    if (isMemory && (!isConfirmed || this.#isTooSoon(slot))) return;
    void this.recycle(slot, measure.reason);
  }

  async #logged(slot: HostSlot, recycled: Promise<void>): Promise<void> {
    try {
      await recycled;
    } catch (thrown) {
      this.#parts.log.warn({ host_id: slot.host.hostId, ...describeError(thrown) }, 'host was not recycled');
      throw thrown;
    }
  }

  #isTooSoon(slot: HostSlot): boolean {
    const renewedAt = this.#renewedAt.get(slot);
    if (renewedAt === undefined || now() - renewedAt >= MEMORY_PAUSE_MS) return false;
    if (!this.#isFullAgain.has(slot)) {
      this.#isFullAgain.add(slot);
      const since = { host_id: slot.host.hostId, since_ms: now() - renewedAt };
      this.#parts.log.warn(since, 'host is full again after it was recycled for its memory');
    }
    return true;
  }

  async #recycle(slot: HostSlot, reason: RecycleReason): Promise<void> {
    this.#requireReady(slot);
    const { log, limits } = this.#parts;
    const hosts = this.#parts.hosts();
    const spare = this.#needsSpare(slot) ? await this.#launchSpare(slot) : null;
    try {
      this.#requireReady(slot);
      if (spare !== null && (reason === 'heap' || reason === 'external')) this.#renewedAt.set(spare, now());
      slot.status = 'recycling';
      const startedAt = now();
      const workers = slot.workerCount;
      const isEmpty = await this.#empty(slot, limits.stopTimeoutMs);
      if (!isEmpty && this.#isOver) throw closing();
      if (isEmpty) await hosts.end(slot);
      else slot.kill('recycle', []);
      await this.#ended(slot);
      const tookMs = now() - startedAt;
      log.info({ host_id: slot.host.hostId, reason, workers, took_ms: tookMs, orderly: isEmpty }, 'host recycled');
    } finally {
      if (spare?.isOwn === true) hosts.releaseSpare(spare);
    }
  }

  async #empty(slot: HostSlot, withinMs: number): Promise<boolean> {
    const move = new Moving(this.#parts, slot);
    this.#moves.add(move);
    try {
      return await move.empty(withinMs);
    } finally {
      this.#moves.delete(move);
    }
  }

  /** One that is killed and does not end is quarantined: nothing waits for it. */
  #ended({ host }: HostSlot): Promise<void> {
    return this.#parts.wheel.within(2 * KILL_DEADLINE_MS, host.ended);
  }

  /** A worker that is going to hibernate needs no other host. */
  #needsSpare(slot: HostSlot): boolean {
    if (!slot.isOwn) return true;
    const worker = slot.owner;
    if (worker === undefined) return false;
    return !worker.isIdle || worker.actor.idleAfterMs === 0 || this.#parts.isKept(worker);
  }

  async #launchSpare(slot: HostSlot): Promise<HostSlot> {
    try {
      return await this.#parts.hosts().launchSpare(slot);
    } catch (cause) {
      throw GreenroomError.of('runtime_unavailable', { message: 'No other host could be started.', cause });
    }
  }

  #requireReady(slot: HostSlot): void {
    if (this.#isOver) throw closing();
    if (!slot.isReady) throw GreenroomError.of('host_lost', { message: 'The host ended before it was recycled.' });
  }
}

/** `status`: what it is instead of ready. */
export function notRecyclable(status: string): GreenroomError {
  return GreenroomError.of('unsupported_operation', { message: `The host is ${status}.`, details: { status } });
}

function closing(): GreenroomError {
  return GreenroomError.of('runtime_unavailable', { message: 'The runtime is closing.' });
}

// Who hibernates, and when: workers that have been idle for as long as their actor says, and with a durable store also those that have been
// idle longest when the workers in memory take more than they may. One timer for all workers; a pass over them takes no more of the
// event loop at a time than a slice.
//
//   on a host, idle ── time is up, or memory is short ──▶ hibernated, on no host ── nobody uses it ──▶ in the store only
//
// What is under way keeps a worker: inputs, channels, `ctx.keepAwake`, and whoever holds it across a wait (Directory.hold).

import type { Limits } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { now } from '../protocol/clock.ts';
import { Slices } from '../protocol/slices.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { HostSlot } from './host-slot.ts';
import type { Worker } from './worker.ts';

/** Workers that one call puts away. */
const BATCH = 256;
/** Such calls at a time. One whose `stopped` does not end holds up one of them until its deadline. */
const BATCHES_AT_ONCE = 4;
/** A worker hibernates up to a quarter of its time late, within these bounds. */
const LEAST_PERIOD_MS = 10;
const LONGEST_PERIOD_MS = 1_000;
/** Between two passes when memory is short, or a host. */
const LEAST_PAUSE_MS = 50;
/** Idle for less than this it is left alone even when memory or hosts are short: the next input may be on its way. */
const LEAST_IDLE_MS = 16;
/** What a loaded worker takes beside what its store holds of it: here, in the store, and on its host. */
const LOADED_WORKER_BYTES = 8_192;
/** When memory is short it is freed down to this part of the bound, so that the next worker does not make it short again. */
const FREED_TO = 0.9;
/** Ages in powers of two of milliseconds: near enough to tell who has been idle longest, without sorting them. */
const AGES = 32;
/** Slots that are looked at between two looks at the clock. */
const SLOTS_PER_LOOK = 1_024;

export interface RestingParts {
  slots(): readonly HostSlot[];
  /** Those in memory. */
  loaded(): Iterable<Worker>;
  countLoaded(): number;
  /** Workers that wait for a host of their own, of which there are only so many. */
  countWaiting(): number;
  /** Something keeps it awake though it is idle. */
  isKept(worker: Worker): boolean;
  /** Resolves when they have left their host. */
  hibernate(slot: HostSlot, workers: readonly Worker[]): Promise<void>;
  /** False if somebody uses it. */
  unload(worker: Worker): boolean;
}

export class Resting {
  readonly #limits: Limits;
  readonly #isDurable: boolean;
  readonly #parts: RestingParts;
  readonly #log: Logger;
  readonly #wheel: Wheel;
  #periodMs = 0;
  #timer: WheelTimer | null = null;
  #isOver = false;
  #endedAt = 0;
  /** Of a loaded worker, as the last pass found it. */
  #averageBytes = LOADED_WORKER_BYTES;
  readonly #leaving = new Set<Promise<void>>();

  constructor(limits: Limits, isDurable: boolean, parts: RestingParts, log: Logger, wheel: Wheel) {
    this.#wheel = wheel;
    this.#limits = limits;
    this.#isDurable = isDurable;
    this.#parts = parts;
    this.#log = log;
  }

  /** `idleTimesMs`: of the actors; 0 is never. */
  start(idleTimesMs: Iterable<number>): void {
    const shortestMs = Math.min(...[...idleTimesMs].filter((idleAfterMs) => idleAfterMs > 0));
    if (shortestMs === Infinity && !this.#isDurable) return;
    this.#periodMs = Math.min(Math.max(shortestMs / 4, LEAST_PERIOD_MS), LONGEST_PERIOD_MS);
    this.#schedule(this.#periodMs);
  }

  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  /** The workers in memory take more than they may, as far as the last pass can tell. */
  get isFull(): boolean {
    return this.#isDurable && this.#parts.countLoaded() * this.#averageBytes > this.#limits.maxLoadedBytes;
  }

  /** One more worker is in memory. */
  onLoaded(): void {
    if (this.#timer === null || !this.isFull) return;
    const sinceMs = now() - this.#endedAt;
    if (sinceMs + LEAST_PAUSE_MS >= this.#periodMs) return;
    this.#timer.cancel();
    this.#schedule(Math.max(0, LEAST_PAUSE_MS - sinceMs));
  }

  #schedule(delayMs: number): void {
    if (this.#isOver) return;
    this.#timer = this.#wheel.after(delayMs, () => void this.#run());
  }

  async #run(): Promise<void> {
    this.#timer = null;
    try {
      for (const slot of [...this.#parts.slots()]) await this.#restDue(slot);
      await this.#makePlaces();
      if (this.#isDurable) await this.#boundMemory();
    } catch (thrown) {
      this.#log.error(describeError(thrown), 'a look for idle workers failed');
    }
    this.#endedAt = now();
    const isShort = this.isFull || this.#parts.countWaiting() > 0;
    this.#schedule(isShort ? LEAST_PAUSE_MS : this.#periodMs);
  }

  async #restDue(slot: HostSlot): Promise<void> {
    const slices = new Slices();
    let batch: Worker[] = [];
    for (let at = 0; at < slot.workers.length && !this.#isOver; at++) {
      if (at % SLOTS_PER_LOOK === 0 && slices.isOver) await slices.next();
      const nowMs = now();
      if (slot.restTimes.leftMs(at, nowMs) > 0) continue;
      const worker = slot.workers[at];
      // Whatever it is, it is looked at again when it has been idle for as long as it may.
      slot.restTimes.set(at, nowMs, worker?.actor.idleAfterMs ?? 0);
      if (worker === undefined || !this.#mayRest(worker)) continue;
      if (batch.push(worker) < BATCH) continue;
      await this.#putAway(slot, batch);
      batch = [];
    }
    if (batch.length > 0) await this.#putAway(slot, batch);
  }

  #mayRest(worker: Worker): boolean {
    return worker.isIdle && worker.actor.idleAfterMs > 0 && !this.#parts.isKept(worker);
  }

  /** Resolves when there is room for more. */
  async #putAway(slot: HostSlot, workers: readonly Worker[]): Promise<void> {
    const left = this.#parts.hibernate(slot, workers).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
    while (this.#leaving.size >= BATCHES_AT_ONCE) await Promise.race(this.#leaving);
  }

  /** For each worker that waits for a host of its own, one that has been idle on such a host leaves it early, the longest idle first. */
  async #makePlaces(): Promise<void> {
    const wanted = this.#parts.countWaiting();
    if (wanted === 0) return;
    const idle = this.#parts
      .slots()
      .flatMap((slot) => (slot.isOwn ? slot.seated() : []))
      .filter((worker) => this.#mayRest(worker) && ageOf(worker) >= LEAST_AGE)
      .sort((one, other) => ageOf(other) - ageOf(one));
    for (const worker of idle.slice(0, wanted)) if (worker.host !== null) await this.#putAway(worker.host, [worker]);
  }

  // --- memory ---

  /** Lets go of workers that nobody uses. If the others are still too many, those that have been idle longest hibernate. */
  async #boundMemory(): Promise<void> {
    const slices = new Slices();
    const bytesByAge = new Array<number>(AGES).fill(0);
    let count = 0;
    let bytes = 0;
    for (const worker of this.#parts.loaded()) {
      if (slices.isOver) await slices.next();
      if (this.#isOver) return;
      if (worker.isDormant && this.#parts.unload(worker)) continue;
      const held = LOADED_WORKER_BYTES + worker.store.heldBytes;
      count++;
      bytes += held;
      const age = ageOf(worker);
      if (this.#mayRest(worker)) bytesByAge[age] = (bytesByAge[age] ?? 0) + held;
    }
    this.#averageBytes = count === 0 ? LOADED_WORKER_BYTES : bytes / count;
    let excess = bytes - this.#limits.maxLoadedBytes;
    if (excess <= 0) return;
    excess += (1 - FREED_TO) * this.#limits.maxLoadedBytes;
    let youngest = AGES;
    while (excess > 0 && youngest > LEAST_AGE) excess -= bytesByAge[--youngest] ?? 0;
    await this.#restOlder(youngest);
  }

  async #restOlder(youngest: number): Promise<void> {
    const slices = new Slices();
    const batches = new Map<HostSlot, Worker[]>();
    for (const worker of this.#parts.loaded()) {
      if (slices.isOver) await slices.next();
      if (this.#isOver) return;
      const slot = worker.host;
      if (slot === null || !this.#mayRest(worker) || ageOf(worker) < youngest) continue;
      const batch = batches.get(slot) ?? [];
      batches.set(slot, batch);
      if (batch.push(worker) < BATCH) continue;
      batches.delete(slot);
      await this.#putAway(slot, batch);
    }
    for (const [slot, batch] of batches) await this.#putAway(slot, batch);
  }
}

/** How long it has been idle, as one of AGES. */
function ageOf({ host, slot, actor }: Worker): number {
  if (host === null) return 0;
  return ageClass(actor.idleAfterMs - host.restTimes.leftMs(slot, now()));
}

function ageClass(idleMs: number): number {
  return idleMs <= 0 ? 0 : Math.min(32 - Math.clz32(idleMs), AGES - 1);
}

const LEAST_AGE = ageClass(LEAST_IDLE_MS);

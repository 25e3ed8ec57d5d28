// Looks at each host from outside, a few times a second, and kills those that give no sign of life for too long. A sign of life is an
// answered ping (the host's event loop turns) or progress (an input entered, a look at `ctx.cancelled`). Silence is counted from a ping
// that is not answered, or from the start of the handler that has been on the stack since, so an idle host is never silent; and time in
// which this thread itself stood still is not held against anybody.

import { WATCH_EVERY_MS } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import { monotonicMs } from '../protocol/clock.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import { suspectsOn } from './deaths.ts';
import type { HostSlot } from './host-slot.ts';
import { verdictOf, wantsCpu } from './verdicts.ts';
import type { Look } from './verdicts.ts';

/** How often an idle host is pinged: for its memory, and for what an actor may have left running there. */
const IDLE_PING_EVERY_MS = 5_000;
/** Silence from which a host is suspected: a handler may calculate for a moment. */
const SUSPECT_AFTER_MS = 1_000;
/** How late a look may be, in looks, before this thread counts as having stood still. */
const LATE_LOOKS = 2;

export interface WatchdogParts {
  readonly wheel: Wheel;
  readonly log: Logger;
  readonly stuckAfterMs: number;
  /** Hosts that live. */
  slots(): readonly HostSlot[];
}

export class Watchdog {
  readonly #parts: WatchdogParts;
  readonly #watches = new WeakMap<HostSlot, Watch>();
  #timer: WheelTimer | null = null;
  #lookedAtMs = monotonicMs();

  constructor(parts: WatchdogParts) {
    this.#parts = parts;
    this.#wait();
  }

  /** Nobody is watched any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #wait(delayMs = WATCH_EVERY_MS): void {
    this.#timer = this.#parts.wheel.after(delayMs, () => {
      const nextMs = this.#lookAtAll();
      if (this.#timer !== null) this.#wait(nextMs);
    });
  }

  /** Returns when to look again: earlier if the time of a host is over before the next look. */
  #lookAtAll(): number {
    const { log, stuckAfterMs } = this.#parts;
    const nowMs = monotonicMs();
    const passedMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    // A debugger, a long collection, a machine that slept: the hosts may have stood still as well.
    const lostMs = passedMs > (1 + LATE_LOOKS) * WATCH_EVERY_MS ? passedMs - WATCH_EVERY_MS : 0;
    if (lostMs > 0) log.warn({ late_ms: Math.round(lostMs) }, 'the main thread stood still');
    let nextMs = WATCH_EVERY_MS;
    for (const slot of [...this.#parts.slots()]) {
      if (slot.status === 'starting' || slot.killOrder !== null) continue;
      const watch = this.#watches.get(slot) ?? new Watch(slot, stuckAfterMs, nowMs);
      this.#watches.set(slot, watch);
      watch.look(nowMs, lostMs);
      if (watch.silentMs >= stuckAfterMs) slot.kill('stuck', suspectsOn(slot));
      else if (watch.quietMs > 0) nextMs = Math.min(nextMs, Math.max(1, stuckAfterMs - watch.quietMs));
    }
    return nextMs;
  }
}

/** What is known of one host from look to look. */
class Watch {
  readonly #slot: HostSlot;
  readonly #suspectAfterMs: number;
  /** The number of the last ping; it is awaited until the pulse shows it. */
  #ping = 0;
  #isAwaited = false;
  #pingedAtMs = -Infinity;
  #progress = 0;
  #wasBusy = false;
  /** The look from which silence counts, and the CPU time at that moment. */
  #since: Look;
  #cpuMs: number | null = null;
  #answersInterrupts: boolean | null = null;
  silentMs = 0;
  /** The silence that it is if the ping of this look is not answered. */
  quietMs = 0;

  constructor(slot: HostSlot, stuckAfterMs: number, nowMs: number) {
    this.#slot = slot;
    this.#suspectAfterMs = Math.min(SUSPECT_AFTER_MS, stuckAfterMs);
    this.#since = { atMs: nowMs, isBusy: false, silentMs: 0, wantedCpuMs: null, answersInterrupts: null };
  }

  /** @param lostMs of the time since the last look, what this thread itself did not live through */
  look(nowMs: number, lostMs: number): void {
    const { host } = this.#slot;
    const isBusy = host.inFlight > 0;
    const isPingDue = isBusy || nowMs - this.#pingedAtMs >= IDLE_PING_EVERY_MS;
    if (!isPingDue && !this.#isAwaited && !this.#wasBusy) return;
    const pulse = host.pulse();
    this.#isAwaited = pulse.beat !== this.#ping;
    const isAlive = !this.#isAwaited || pulse.progress !== this.#progress;
    const seen = { atMs: nowMs, isBusy, wantedCpuMs: pulse.wantedCpuMs };
    // The handler at hand was entered since the look before. What this thread did not live through is nobody's silence.
    this.quietMs = lostMs > 0 ? 0 : Math.min(pulse.quietMs, WATCH_EVERY_MS);
    const atMs = nowMs - this.quietMs;
    if (isAlive) this.#startOver({ ...seen, atMs, silentMs: 0, answersInterrupts: null }, pulse.cpuMs);
    else if (lostMs > 0) this.#since = { ...this.#since, atMs: this.#since.atMs + lostMs };
    this.#progress = pulse.progress;
    this.#wasBusy = isBusy;
    this.silentMs = isAlive ? 0 : nowMs - this.#since.atMs;
    if (!isAlive) this.quietMs = this.silentMs;
    const look: Look = { ...seen, silentMs: this.silentMs, answersInterrupts: this.#answersInterrupts };
    this.#slot.sample = {
      verdict: verdictOf(this.#since, look, this.#suspectAfterMs),
      utilization: pulse.utilization,
      heapBytes: pulse.heapBytes,
      externalBytes: pulse.externalBytes,
      handled: this.#slot.handled,
      silentMs: Math.round(this.silentMs),
      cpuMs: isAlive || pulse.cpuMs === null || this.#cpuMs === null ? null : Math.round(pulse.cpuMs - this.#cpuMs),
      wantsCpu: isAlive ? null : wantsCpu(this.#since, look),
    };
    if (!isAlive) this.#askByInterrupt();
    else if (!this.#isAwaited && isPingDue) this.#pingNow(nowMs);
  }

  #startOver(since: Look, cpuMs: number | null): void {
    this.#since = since;
    this.#cpuMs = cpuMs;
    this.#answersInterrupts = null;
  }

  #pingNow(nowMs: number): void {
    this.#ping = this.#slot.host.ping();
    this.#isAwaited = true;
    this.#pingedAtMs = nowMs;
  }

  /** Again at each look: what it does may have changed. */
  #askByInterrupt(): void {
    const since = this.#since;
    void this.#slot.host.interrupt()?.then((hasAnswered) => {
      if (this.#since === since) this.#answersInterrupts = hasAnswered;
    });
  }
}

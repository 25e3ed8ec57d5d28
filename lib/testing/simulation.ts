// A runtime on a virtual clock and simulated hosts: everything of it is real but time, threads and chance, which come from a seed. It has
// its thread to itself. Nothing happens between two calls of the clock.

import { GreenroomError } from '../errors.ts';
import { replaceTime } from '../protocol/clock.ts';
import { occupyThread } from '../protocol/residents.ts';
import type { CloseReport } from '../protocol/views.ts';
import { createRuntimeOn } from '../runtime.ts';
import type { Runtime, RuntimeOptions } from '../runtime.ts';
import { replaceGlobals } from './globals.ts';
import { openProbe, PROBE_ACTOR } from './probe.ts';
import type { Probe } from './probe.ts';
import { randomOf } from './random.ts';
import { SimulatedHosts } from './simulated-hosts.ts';
import type { Corrupt, FaultyLane, SimulatedHost } from './simulated-hosts.ts';
import type { LaneEnd, LaneFault } from './simulated-port.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface SimulationOptions extends Omit<RuntimeOptions, 'hosts' | 'store' | 'dataDir'> {
  /** All that is left to chance follows from it: a whole number. */
  readonly seed: number;
  /** Simulated shared hosts. Default 2. */
  readonly hosts?: number | undefined;
  /** The longest that a message between the supervisor and a host takes, in milliseconds. Default 2. */
  readonly maxDelayMs?: number | undefined;
  /** Told when a host is gone, at once. */
  readonly onHostExit?: ((hostId: string) => void) | undefined;
  /** For tests of checks: see Corrupt. */
  readonly corrupt?: Corrupt | undefined;
}

/** Which way: `out` to the host, `in` from it. */
export interface LaneChoice {
  /** Default `data`: inputs and replies. `control`: cancels and pings. */
  readonly lane?: FaultyLane;
  /** Default `out`. */
  readonly from?: LaneEnd;
}

/** What can go wrong at a host. Each throws `invalid_option` for one that does not live. */
export interface Faults {
  /** It crashes. */
  kill(hostId: string): void;
  /** It runs out of memory. */
  oom(hostId: string): void;
  /** It stands still, for a time or until the watchdog has it killed. */
  hang(hostId: string, ms?: number): void;
  /** Each of its messages takes up to that much longer from now on. */
  slow(hostId: string, ms: number): void;
  /** The next message is lost. */
  drop(hostId: string, choice?: LaneChoice): void;
  /** The next message comes twice. */
  duplicate(hostId: string, choice?: LaneChoice): void;
  /** The next message comes after the one that follows it. */
  reorder(hostId: string, choice?: LaneChoice): void;
  /** Whatever is still to happen to a next message does not, and no host is slow. */
  clear(): void;
}

/** How many simulated minutes an opening or a closing may take. */
const MAX_MS = 30 * 60_000;

/**
 * Opens a runtime in a simulation. Rejects with `unsupported_operation` while another runtime is open in this thread, and as
 * `createRuntime` does.
 */
export async function createSimulation(options: SimulationOptions): Promise<Simulation> {
  const { seed, hosts = 2, maxDelayMs = 2, onHostExit, corrupt, actors, ...rest } = options;
  const leave = occupyThread();
  const clock = new VirtualClock();
  const random = randomOf(seed);
  const undo = [replaceGlobals(clock, randomOf(seed + 1)), replaceTime(clock), allowListeners(), leave];
  const restore = (): void => {
    for (const step of undo) step();
  };
  let factory: SimulatedHosts | undefined;
  try {
    const opening = createRuntimeOn(
      (parts) => {
        factory = new SimulatedHosts({ clock, random, maxDelayMs, corrupt, ...(onHostExit && { onExit: onHostExit }) }, parts);
        return { factory, count: hosts };
      },
      { ...rest, actors: [...actors, PROBE_ACTOR] },
    );
    const runtime = await clock.until(opening, MAX_MS);
    return new Simulation({ seed, clock, runtime, factory: factory as SimulatedHosts, restore });
  } catch (thrown) {
    restore();
    throw thrown;
  }
}

/** Every host listens for the end of the process, which is one process here. */
function allowListeners(): () => void {
  const before = process.getMaxListeners();
  process.setMaxListeners(Infinity);
  return () => void process.setMaxListeners(before);
}

interface Parts {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly runtime: Runtime;
  readonly factory: SimulatedHosts;
  readonly restore: () => void;
}

export class Simulation {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly runtime: Runtime;
  readonly faults: Faults;
  readonly #factory: SimulatedHosts;
  readonly #restore: () => void;

  constructor({ seed, clock, runtime, factory, restore }: Parts) {
    this.seed = seed;
    this.clock = clock;
    this.runtime = runtime;
    this.#factory = factory;
    this.#restore = restore;
    const arm =
      (fault: LaneFault) =>
      (hostId: string, { lane = 'data', from = 'out' }: LaneChoice = {}) =>
        this.#host(hostId).arm(fault, lane, from);
    this.faults = {
      kill: (hostId) => this.#host(hostId).crash(),
      oom: (hostId) => this.#host(hostId).runOutOfMemory(),
      hang: (hostId, ms) => this.#host(hostId).hang(ms),
      slow: (hostId, ms) => this.#host(hostId).slow(ms),
      drop: arm('drop'),
      duplicate: arm('duplicate'),
      reorder: arm('reorder'),
      clear: () => this.#factory.living.forEach((host) => host.clear()),
    };
  }

  /** Those that live, the oldest first. */
  get hosts(): readonly Pick<SimulatedHost, 'hostId' | 'isolation'>[] {
    return this.#factory.living;
  }

  /** A worker whose inputs the test looks at: see Probe. */
  probe(workerId: string): Promise<Probe> {
    return openProbe(this, workerId);
  }

  /** Closes the runtime, as `runtime.close` does, and gives the thread its time back. */
  async close(options: { readonly deadlineMs?: number } = {}): Promise<CloseReport> {
    try {
      return await this.clock.until(this.runtime.close(options), MAX_MS);
    } finally {
      this.#restore();
    }
  }

  /** Gives the thread its time back at once, whatever becomes of the runtime: for one that has been found to be broken. */
  abandon(): void {
    this.#restore();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #host(hostId: string): SimulatedHost {
    const host = this.#factory.living.find((living) => living.hostId === hostId);
    if (host === undefined) throw GreenroomError.of('invalid_option', { message: `no host ${hostId} lives` });
    return host;
  }
}

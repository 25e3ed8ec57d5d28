// Hosts of a simulation: the real link and the real runner at both ends of simulated lanes, in one thread. They die, hang and lose messages
// when they are told to, and at no other time.

import type { Host, HostEvents, HostFactory, HostLaunch } from '../host/host.ts';
import { Link } from '../host/link.ts';
import type { Carrier } from '../host/carrier.ts';
import type { InlineHostsOptions } from '../host/inline.ts';
import type { HostBoot } from '../host/boot.ts';
import type { LaneName } from '../host/ports.ts';
import { serveHost } from '../host/serve.ts';
import type { Isolation } from '../protocol/views.ts';
import { SimulatedPort } from './simulated-port.ts';
import type { LaneEnd, LaneFault } from './simulated-port.ts';
import { below } from './random.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** The lanes that faults can be put on. The others carry calls, which Node's ports do not lose either. */
export type FaultyLane = 'data' | 'control';

/** How a message gets through a lane, and what is made of it; for tests of the checks themselves. */
export type Corrupt = (lane: string, from: LaneEnd, message: unknown) => unknown;

export interface SimulatedHostsOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** The longest that a message takes unless its host is slow, in milliseconds. */
  readonly maxDelayMs: number;
  readonly onExit?: (hostId: string) => void;
  readonly corrupt?: Corrupt | undefined;
}

/** How long after its kill a host is gone, at most. */
const MAX_KILL_MS = 20;

const NO_FAULTS = (): Record<FaultyLane, Record<LaneEnd, LaneFault[]>> => ({
  data: { out: [], in: [] },
  control: { out: [], in: [] },
});

export class SimulatedHost {
  readonly hostId: string;
  readonly isolation: Isolation;
  readonly #options: SimulatedHostsOptions;
  readonly #faults = NO_FAULTS();
  #slowMs = 0;
  #ports: SimulatedPort[] = [];
  #die: ((cause: Error) => void) | null = null;
  #isDead = false;
  #isHanging = false;

  constructor({ hostId, isolation }: HostLaunch, options: SimulatedHostsOptions) {
    this.hostId = hostId;
    this.isolation = isolation;
    this.#options = options;
  }

  /** It ends like a thread that has crashed. */
  crash(cause = new Error('simulated host exited with code: 1')): void {
    if (this.#isDead) return;
    this.#die?.(cause);
    for (const port of this.#ports) port.close();
    this.#end();
  }

  #end(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#options.onExit?.(this.hostId);
  }

  /** It ends like a thread that has used up its heap. */
  runOutOfMemory(): void {
    this.crash(Object.assign(new Error('simulated host reached its heap limit'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }));
  }

  /** It takes nothing and sends nothing, for a time or until it is killed. */
  hang(ms?: number): void {
    if (this.#isDead) return;
    this.#isHanging = true;
    for (const port of this.#ports) port.freeze();
    if (ms !== undefined) this.#options.clock.wake(ms, () => this.#goOn());
  }

  #goOn(): void {
    if (this.#isDead || !this.#isHanging) return;
    this.#isHanging = false;
    for (const port of this.#ports) port.thaw();
  }

  /** From now on each message takes up to that much longer. */
  slow(ms: number): void {
    this.#slowMs = ms;
  }

  /** No fault that is armed happens any more. */
  clear(): void {
    this.#slowMs = 0;
    for (const { out, in: back } of Object.values(this.#faults)) out.length = back.length = 0;
  }

  /** What happens to the next message of a lane. */
  arm(fault: LaneFault, lane: FaultyLane, from: LaneEnd): void {
    this.#faults[lane][from].push(fault);
  }

  lane(name: LaneName): { port1: SimulatedPort; port2: SimulatedPort } {
    const { clock, random, maxDelayMs, corrupt } = this.#options;
    const faults = name === 'data' || name === 'control' ? this.#faults[name] : undefined;
    const lane = SimulatedPort.lane({
      clock,
      delayMs: () => below(random, maxDelayMs + this.#slowMs + 1),
      takeFault: (from) => faults?.[from].shift(),
      ...(corrupt !== undefined && {
        corrupt: (from: LaneEnd, message: unknown) => corrupt(name, from, message),
      }),
    });
    this.#ports.push(lane.port2);
    return lane;
  }

  carry(boot: HostBoot): Carrier {
    const { clock, random } = this.#options;
    const died = new Promise<never>((_resolve, reject) => (this.#die = reject));
    const served = serveHost(boot, 0, null).finally(() => this.#end());
    return {
      lifetime: Promise.race([died, served]),
      kill: () => void clock.wake(below(random, MAX_KILL_MS), () => this.crash(new Error('simulated host was killed'))),
      utilization: () => (this.#isHanging ? 1 : 0),
    };
  }
}

export class SimulatedHosts implements HostFactory {
  readonly #options: SimulatedHostsOptions;
  readonly #parts: InlineHostsOptions;
  readonly #hosts = new Map<string, SimulatedHost>();

  constructor(options: SimulatedHostsOptions, parts: InlineHostsOptions) {
    this.#options = options;
    this.#parts = parts;
  }

  launch(launch: HostLaunch, events: HostEvents): Host {
    const { hostId } = launch;
    const host = new SimulatedHost(launch, {
      ...this.#options,
      onExit: () => {
        this.#hosts.delete(hostId);
        this.#options.onExit?.(hostId);
      },
    });
    this.#hosts.set(hostId, host);
    return new Link({
      ...this.#parts,
      hostId,
      events,
      lane: (name) => host.lane(name),
      carry: (boot) => host.carry(boot),
    });
  }

  /** Those that live, the oldest first. */
  get living(): readonly SimulatedHost[] {
    return [...this.#hosts.values()];
  }

  async close(): Promise<void> {
    // The supervisor has ended each of them.
  }
}

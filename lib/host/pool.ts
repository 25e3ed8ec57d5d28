// Hosts as threads: one Piscina task is one host's lifetime. Its promise is the death signal, its abort signal the kill
// switch; nothing else of Piscina is used. Hosts are counted by whoever launches them, so the pool never queues a task:
// a queued one would start later, when nobody wants it any more.

import type { MessagePort } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Host, HostEvents, HostFactory, HostLaunch } from './host.ts';
import { Link } from './link.ts';
import type { Carrier } from './link.ts';
import { portsOf } from './boot.ts';
import type { HostBoot } from './boot.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { RuntimeServices } from './services.ts';

export interface HostPoolOptions {
  /** Hosts alive at once; a replacement may start while a killed one is still going. */
  readonly maxHosts: number;
  readonly inputIdPrefix: string;
  readonly limits: Limits;
  readonly services: RuntimeServices;
  readonly wheel: Wheel;
}

const MiB = 1024 * 1024;

export class HostPool implements HostFactory {
  readonly #options: HostPoolOptions;
  readonly #shared: Piscina;
  /** Made with the first host of its kind. */
  #dedicated: Piscina | null = null;

  constructor(options: HostPoolOptions) {
    this.#options = options;
    this.#shared = newPool(options.maxHosts * 2, options.limits.sharedHeapBytes);
  }

  launch({ hostId, isolation }: HostLaunch, events: HostEvents): Host {
    const { inputIdPrefix, limits, services, wheel } = this.#options;
    const pool = isolation === 'shared' ? this.#shared : this.#dedicatedPool();
    return new Link({ hostId, inputIdPrefix, limits, services, wheel, events, carry: (boot) => carry(pool, boot) });
  }

  #dedicatedPool(): Piscina {
    const { maxOwnHosts, dedicatedHeapBytes } = this.#options.limits;
    return (this.#dedicated ??= newPool(maxOwnHosts * 2, dedicatedHeapBytes));
  }

  async close(): Promise<void> {
    await Promise.all([this.#shared.destroy(), this.#dedicated?.destroy()]);
  }
}

/** `maxThreads`: a replacement may start while a killed one is still going. */
function newPool(maxThreads: number, heapBytes: number): Piscina {
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./thread.js', import.meta.url)),
    minThreads: 0,
    maxThreads,
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(heapBytes / MiB) },
    concurrentTasksPerWorker: 1,
    // 'sync' (Piscina's default) parks a thread between tasks in Atomics.wait, which freezes its timers and I/O.
    atomics: 'disabled',
    // A thread is not reused: what an actor left behind must not meet the next host's workers.
    idleTimeout: 0,
    recordTiming: false,
  });
  // Each death is reported through its own task; this event would otherwise be an uncaught error.
  pool.on('error', () => undefined);
  return pool;
}

function carry(pool: Piscina, boot: HostBoot): Carrier {
  const abort = new AbortController();
  const lifetime =
    pool.threads.length < pool.options.maxThreads
      ? (pool.run(boot, { transferList: portsOf(boot) as MessagePort[], signal: abort.signal }) as Promise<void>)
      : Promise.reject(GreenroomError.of('runtime_unavailable', { message: 'No thread is free.' }));
  let [lastActive, lastIdle] = [0, 0];
  const utilization = (threadId: number): number => {
    const thread = pool.threads.find((candidate) => candidate.threadId === threadId);
    if (thread === undefined) return 0;
    const { active, idle } = thread.performance.eventLoopUtilization();
    const [activeMs, idleMs] = [Math.max(active - lastActive, 0), Math.max(idle - lastIdle, 0)];
    [lastActive, lastIdle] = [active, idle];
    return activeMs + idleMs === 0 ? 0 : activeMs / (activeMs + idleMs);
  };
  return { lifetime, kill: () => abort.abort(), utilization };
}

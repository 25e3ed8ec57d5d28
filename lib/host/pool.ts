// Hosts of every isolation. A process has a file of its own; the others are threads: one Piscina task is one host's lifetime. Its promise is the death signal, its abort signal the kill
// switch; nothing else of Piscina is used. Hosts are counted by whoever launches them, so the pool never queues a task:
// a queued one would start later, when nobody wants it any more.

import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { isOutOfMemory, outOfMemory } from './endings.ts';
import type { Host, HostEvents, HostFactory, HostLaunch, LogLine } from './host.ts';
import { Link } from './link.ts';
import type { Carrier } from './carrier.ts';
import { portsOf } from './boot.ts';
import type { HostBoot } from './boot.ts';
import { carryProcess } from './process.ts';
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

/** What a thread of Node 24 and later can be asked while it runs. */
interface Interruptible {
  getHeapStatistics(): Promise<unknown>;
}

const MiB = 1024 * 1024;
/** Threads whose host has ended and that are still there for a moment. */
export const ENDING_THREADS = 16;

export class HostPool implements HostFactory {
  readonly #options: HostPoolOptions;
  readonly #shared: Piscina;
  /** Made with the first host of its kind. */
  #dedicated: Piscina | null = null;

  constructor(options: HostPoolOptions) {
    this.#options = options;
    this.#shared = newPool(options.maxHosts, options.limits.sharedHeapBytes);
  }

  launch({ hostId, isolation }: HostLaunch, events: HostEvents): Host {
    const { inputIdPrefix, limits, services, wheel } = this.#options;
    const parts = { hostId, inputIdPrefix, limits, services, wheel, events };
    if (isolation === 'process') {
      const options = { heapBytes: limits.processHeapBytes, wheel, logged: (line: LogLine) => events.logged(line) };
      return new Link({ ...parts, sharesMemory: false, carry: (boot) => carryProcess(boot, options) });
    }
    const pool = isolation === 'shared' ? this.#shared : this.#dedicatedPool();
    const heapBytes = isolation === 'shared' ? limits.sharedHeapBytes : limits.dedicatedHeapBytes;
    return new Link({ ...parts, carry: (boot) => carryThread(pool, boot, heapBytes) });
  }

  #dedicatedPool(): Piscina {
    const { maxOwnHosts, dedicatedHeapBytes } = this.#options.limits;
    return (this.#dedicated ??= newPool(maxOwnHosts, dedicatedHeapBytes));
  }

  async close(): Promise<void> {
    await Promise.all([this.#shared.destroy(), this.#dedicated?.destroy()]);
  }
}

/** `hosts`: a replacement may start while each of them is still going, and a few have ended without the pool knowing yet. */
function newPool(hosts: number, heapBytes: number): Piscina {
  const used = new WeakSet<Worker>();
  const pool = new Piscina({
    filename: fileURLToPath(new URL('./thread-entry.cjs', import.meta.url)),
    minThreads: 0,
    maxThreads: 2 * hosts + ENDING_THREADS,
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(heapBytes / MiB) },
    concurrentTasksPerWorker: 1,
    // 'sync' (Piscina's default) parks a thread between tasks in Atomics.wait, which freezes its timers and I/O.
    atomics: 'disabled',
    // A thread has one host in its life: what an actor left behind, its garbage included, must not meet the next one's workers.
    idleTimeout: 0,
    // The pool takes a moment to end an idle thread. A host that is launched in that moment gets another one.
    loadBalancer: (_task, threads) => {
      for (const candidate of threads) {
        const thread = pool.threads.find(({ threadId }) => threadId === candidate.id);
        if (thread === undefined || used.has(thread)) continue;
        used.add(thread);
        return candidate;
      }
      return null;
    },
    recordTiming: false,
  });
  // Each death is reported through its own task; this event would otherwise be an uncaught error.
  pool.on('error', () => undefined);
  return pool;
}

/** Threads of each pool that have not ended. Those that were killed and do not end are not the pool's any more, but count as well. */
const living = new WeakMap<Piscina, number>();

function carryThread(pool: Piscina, boot: HostBoot, heapBytes: number): Carrier {
  const abort = new AbortController();
  let thread: Worker | undefined;
  let threadEnded: Promise<unknown> | undefined;
  const alive = living.get(pool) ?? 0;
  if (alive >= pool.options.maxThreads) {
    const lifetime = Promise.reject(GreenroomError.of('runtime_unavailable', { message: 'No thread is free.' }));
    return { lifetime, kill: () => undefined, utilization: () => 0 };
  }
  living.set(pool, alive + 1);
  const task = pool.run(boot, { transferList: portsOf(boot), signal: abort.signal }) as Promise<void>;
  // A task that is aborted rejects at once, while its thread may go on: native code ends when it likes. One that crashed runs no more
  // JavaScript, although what it has asked of the system may keep it for a while.
  const lifetime = task.catch(async (cause: unknown) => {
    if (abort.signal.aborted) await threadEnded;
    throw isOutOfMemory(cause) ? outOfMemory(heapBytes) : cause;
  });
  const forget = async (): Promise<void> => {
    await threadEnded;
    living.set(pool, (living.get(pool) ?? 1) - 1);
  };
  void task.then(forget, forget);
  const adopt = (threadId: number): void => {
    thread = pool.threads.find((candidate) => candidate.threadId === threadId);
    threadEnded = thread && new Promise((resolve) => thread?.once('exit', resolve));
  };
  let [lastActive, lastIdle] = [0, 0];
  const utilization = (): number => {
    if (thread === undefined) return 0;
    const { active, idle } = thread.performance.eventLoopUtilization();
    const [activeMs, idleMs] = [Math.max(active - lastActive, 0), Math.max(idle - lastIdle, 0)];
    [lastActive, lastIdle] = [active, idle];
    return activeMs + idleMs === 0 ? 0 : activeMs / (activeMs + idleMs);
  };
  // Only newer versions of Node have it.
  const interrupt = () => (thread as Partial<Interruptible> | undefined)?.getHeapStatistics?.() ?? null;
  return { lifetime, kill: () => abort.abort(), adopt, utilization, interrupt };
}

// What a soak has to give back: threads, processes, handles and timers of this process, counted from outside of the runtime.

import { threadId } from 'node:worker_threads';
import type { Worker } from 'node:worker_threads';
import { childProcesses } from '../../bench/support/process.ts';

/** Live threads, by what Node tells of each that begins. */
export class Threads {
  readonly #alive = new Set<Worker>();
  readonly #onWorker = (worker: Worker): void => {
    this.#alive.add(worker);
    worker.once('exit', () => this.#alive.delete(worker));
  };

  constructor() {
    if (threadId !== 0) throw new Error('threads are counted by the main thread');
    process.on('worker', this.#onWorker);
  }

  get alive(): number {
    return this.#alive.size;
  }

  stop(): void {
    process.off('worker', this.#onWorker);
  }
}

/** Of this process, by kind; messages on their way through pipes and sockets are not among them. */
export function handles(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Kinds of handles of which there are more than before, with how many. */
export function moreHandles(before: Record<string, number>): Record<string, number> {
  const more = Object.entries(handles()).map(([kind, count]) => [kind, count - (before[kind] ?? 0)] as const);
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}

/** Child processes of this one; null where the kernel does not tell. */
export function countChildren(): number | null {
  if (process.platform !== 'linux') return null;
  return childProcesses().length;
}

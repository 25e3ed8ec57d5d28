// One thread for a kind of work that takes long or may be hostile, made when the first task comes and gone when it has been idle for a
// while. A task that is ended, or that takes too much memory, costs the thread and nothing else: the next one gets another. Tasks wait in a
// line that is bounded in number and size. It is not Piscina's, which would stand still when an aborted task takes the only thread along.

import { fileURLToPath } from 'node:url';
import type { Transferable } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { GreenroomError } from '../errors.ts';
import { orAborted } from '../protocol/waits.ts';
import { BUSY_RETRY_MS } from './bounds.ts';
import type { ThreadOutcome } from './thread-outcome.ts';

export interface SingleThreadOptions {
  /** What the thread runs; its default export resolves with a ThreadOutcome. */
  readonly module: URL;
  /** How long the thread stays when it has nothing to do. */
  readonly idleMs: number;
  /** Of its heap. */
  readonly memoryMib: number;
  /** Tasks that wait, and the one at work; one more is refused. */
  readonly maxTasks: number;
  /** The same of their sizes together. The only one may be larger. */
  readonly maxSize: number;
  /** Of the `worker_busy`. */
  readonly busyMessage: string;
  outOfMemory(): GreenroomError;
}

export interface ThreadTask<Task> {
  readonly task: Task;
  readonly transferList: Transferable[];
}

export class SingleThread<Task, Result> {
  readonly #options: SingleThreadOptions;
  #pool: Piscina | null = null;
  #tasks = 0;
  #size = 0;
  /** Resolves when nobody is before whoever comes next. */
  #line: Promise<void> = Promise.resolve();

  constructor(options: SingleThreadOptions) {
    this.#options = options;
  }

  /**
   * @param make the task, asked for when it is its turn: what waits holds nothing more than it had.
   * @param signal ends the task, and then the thread. Its reason is what the promise rejects with.
   * Rejects also with `worker_busy`, with what `outOfMemory` makes, or with what the task came to.
   */
  async run(
    size: number,
    make: () => ThreadTask<Task> | Promise<ThreadTask<Task>>,
    signal: AbortSignal,
  ): Promise<Result> {
    signal.throwIfAborted();
    this.#requireRoom(size);
    const before = this.#line;
    const own = turn();
    this.#line = before.then(() => own.left);
    this.#count(size, 1);
    try {
      await orAborted(before, signal);
      const { task, transferList } = await make();
      const outcome = (await this.#threads().run(task, { transferList, signal })) as ThreadOutcome<Result>;
      if ('error' in outcome) throw GreenroomError.fromWire(outcome.error);
      return outcome.result;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY' ? this.#options.outOfMemory() : error;
    } finally {
      this.#count(size, -1);
      own.leave();
    }
  }

  #requireRoom(size: number): void {
    const { maxTasks, maxSize, busyMessage } = this.#options;
    if (this.#tasks === 0 || (this.#tasks < maxTasks && this.#size + size <= maxSize)) return;
    throw GreenroomError.of('worker_busy', { message: busyMessage, details: { retry_after_ms: BUSY_RETRY_MS } });
  }

  #count(size: number, sign: 1 | -1): void {
    this.#tasks += sign;
    this.#size += sign * size;
  }

  #threads(): Piscina {
    if (this.#pool !== null) return this.#pool;
    const { module, idleMs, memoryMib } = this.#options;
    this.#pool = new Piscina({
      filename: fileURLToPath(new URL('./thread-entry.cjs', import.meta.url)),
      workerData: module.href,
      minThreads: 0,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      // 'sync' (Piscina's default) parks a thread between tasks in Atomics.wait, which freezes its timers and I/O.
      atomics: 'disabled',
      idleTimeout: idleMs,
      resourceLimits: { maxOldGenerationSizeMb: memoryMib },
      recordTiming: false,
    });
    // Each death is reported through its own task; this event would otherwise be an uncaught error.
    this.#pool.on('error', () => undefined);
    return this.#pool;
  }
}

function turn(): { readonly left: Promise<void>; leave(): void } {
  let leave = (): void => undefined;
  const left = new Promise<void>((resolve) => (leave = resolve));
  return { left, leave: () => leave() };
}

// Thread pools of one thread each, at the best setting that we know, so that a comparison flatters nobody. The questions
// of the window that a pool does not send wait in its own queue.

import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { FixedThreadPool } from 'poolifier';
import { Tinypool } from 'tinypool';
import workerpool from 'workerpool';
import type { Question } from '../support/question.ts';
import { threadUrl } from './contender.ts';
import type { Contender, Running } from './contender.ts';

const taskFile = threadUrl('task').href;

type PiscinaOptions = ConstructorParameters<typeof Piscina>[0];

export const piscinaDefault = piscina('piscina, default settings', {});

/** The whole window at the thread, and no histograms. Its default way to wait, `atomics: 'sync'`, is also its fastest. */
export const piscinaBest = piscina('piscina, best settings', {
  concurrentTasksPerWorker: 1_024,
  atomics: 'sync',
  recordTiming: false,
});

export function piscina(name: string, options: NonNullable<PiscinaOptions>): Contender {
  return {
    name,
    start: async () => {
      const pool = new Piscina({ filename: taskFile, minThreads: 1, maxThreads: 1, ...options });
      return { ask: (question) => pool.run(question) as Promise<unknown>, close: () => pool.destroy() };
    },
  };
}

export const tinypool: Contender = {
  name: 'tinypool, best settings',
  start: async () => {
    const options = { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 256 };
    const pool = new Tinypool({ filename: taskFile, ...options });
    return { ask: (question) => pool.run(question) as Promise<unknown>, close: () => pool.destroy() };
  },
};

/** Sends one task at a time; it has no setting for more. */
export const workerpoolThread: Contender = {
  name: 'workerpool',
  start: async (): Promise<Running> => {
    const pool = workerpool.pool(fileURLToPath(threadUrl('workerpool')), {
      workerType: 'thread',
      minWorkers: 1,
      maxWorkers: 1,
    });
    return {
      // Its promise is not a Promise: it is followed by one, as any `await` would.
      ask: (question) => Promise.resolve(pool.exec('echo', [question]) as PromiseLike<unknown>),
      close: async () => {
        await pool.terminate(true);
      },
    };
  },
};

/** Now and then its `destroy` waits for the exit of a thread that has exited already, and never settles. */
const POOLIFIER_END_MS = 1_000;

/** Without its queue of tasks: it then sends each one at once. */
export const poolifier: Contender = {
  name: 'poolifier, best settings',
  start: async () => {
    const pool = new FixedThreadPool<Question, Question>(1, fileURLToPath(threadUrl('poolifier')), {
      enableTasksQueue: false,
    });
    return {
      ask: (question) => pool.execute(question),
      close: () => Promise.race([pool.destroy(), setTimeout(POOLIFIER_END_MS)]),
    };
  },
};

export const pools: readonly Contender[] = [piscinaBest, tinypool, workerpoolThread, poolifier];

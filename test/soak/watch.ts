// Looks at a running soak once a second: takes a sample for the chart, and checks what has to hold all the time. What may differ for a
// moment, such as threads that are about to end, is a violation only when it does so for long.

import { existsSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { IntervalHistogram } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import type { Runtime } from '../../lib/runtime.ts';
import type { Book } from './book.ts';
import type { Threads } from './leftovers.ts';

export interface Sample {
  readonly second: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  /** Buffers and the like of the main thread, and what is shared. */
  readonly externalMiB: number;
  readonly threads: number;
  /** Threads that there should be: hosts that live, and those that were killed and do not end. */
  readonly hosts: number;
  readonly processes: number;
  readonly quarantined: number;
  readonly workers: number;
  readonly hibernated: number;
  readonly wheel: number;
  /** Accepted inputs without an outcome. */
  readonly waiting: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  /** For how long of that second the main thread was ready to run and had no CPU, because the machine was busy; null where it cannot be told. */
  readonly noCpuMs: number | null;
  readonly faults: number;
}

const EVERY_MS = 1_000;
/** How long something may differ: the longest that a start, a stop or a kill takes on a busy machine. */
const DIFFERS_MS = 30_000;
const MiB = 1_024 * 1_024;
const NS_PER_MS = 1e6;
/** Of the thread whose number is that of the process: what it ran, and what it waited for a CPU, in ns. */
const MAIN_THREAD = '/proc/self/schedstat';
/** Of workers that do nothing wrong themselves, on hosts that they share. */
const INNOCENT = ['soaked', 'soaked-again'];

export class Watch {
  readonly samples: Sample[] = [];
  readonly #runtime: Runtime;
  readonly #book: Book;
  readonly #threads: Threads;
  readonly #wantedHosts: number;
  readonly #startMs = performance.now();
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 10 });
  readonly #wholeDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: 10 });
  /** Since when each thing differs. */
  readonly #since = new Map<string, number>();
  #waitedMs = 0;
  faults = 0;

  constructor(runtime: Runtime, book: Book, threads: Threads, wantedHosts: number) {
    this.#runtime = runtime;
    this.#book = book;
    this.#threads = threads;
    this.#wantedHosts = wantedHosts;
    this.#delay.enable();
    this.#wholeDelay.enable();
  }

  /** Until `isOver`, and `onSample` hears of each. */
  async run(isOver: () => boolean, onSample: (sample: Sample) => void): Promise<void> {
    while (!isOver()) {
      await wait(EVERY_MS);
      this.#book.sweep();
      const sample = await this.#sample();
      this.samples.push(sample);
      this.#check(sample);
      onSample(sample);
    }
    this.#delay.disable();
    this.#wholeDelay.disable();
  }

  get loopDelayMs(): { readonly p99: number; readonly max: number } {
    return { p99: this.#wholeDelay.percentile(99) / NS_PER_MS, max: this.#wholeDelay.max / NS_PER_MS };
  }

  async #sample(): Promise<Sample> {
    const { workers } = await this.#runtime.describe();
    const hosts = this.#runtime.hosts();
    const { rss, heapUsed, external } = process.memoryUsage();
    const loopDelayP99Ms = this.#delay.percentile(99) / NS_PER_MS;
    const loopDelayMaxMs = this.#delay.max / NS_PER_MS;
    this.#delay.reset();
    return {
      second: Math.round((performance.now() - this.#startMs) / 1_000),
      rssMiB: rss / MiB,
      heapMiB: heapUsed / MiB,
      externalMiB: external / MiB,
      threads: this.#threads.alive,
      hosts: hosts.filter(({ isolation }) => isolation !== 'process').length,
      processes: hosts.filter(({ isolation }) => isolation === 'process').length,
      quarantined: hosts.filter(({ status }) => status === 'quarantined').length,
      workers: workers.total,
      hibernated: workers.hibernated ?? 0,
      wheel: this.#runtime.supervisor.wheel.size,
      waiting: this.#book.waiting,
      loopDelayP99Ms,
      loopDelayMaxMs,
      noCpuMs: this.#noCpuMs(),
      faults: this.faults,
    };
  }

  #noCpuMs(): number | null {
    if (!existsSync(MAIN_THREAD)) return null;
    const [, waitedNs] = readFileSync(MAIN_THREAD, 'utf8').split(' ');
    const waitedMs = Number(waitedNs) / NS_PER_MS;
    const passedMs = waitedMs - this.#waitedMs;
    this.#waitedMs = waitedMs;
    return passedMs;
  }

  #check({ threads, hosts }: Sample): void {
    const shared = this.#runtime
      .hosts()
      .filter(({ isolation, status }) => isolation === 'shared' && status !== 'quarantined').length;
    this.#differs('threads', threads !== hosts, () => `${threads} threads live for ${hosts} hosts`);
    this.#differs('shared hosts', shared < this.#wantedHosts, () => `${shared} shared hosts of ${this.#wantedHosts}`);
    for (const kind of INNOCENT)
      for (const { workerId } of this.#runtime.workers({ kind, status: 'failed' }))
        this.#book.violated(`${workerId} has failed: ${JSON.stringify(this.#runtime.worker(workerId).view().failure)}`);
  }

  #differs(what: string, isSo: boolean, describe: () => string): void {
    if (!isSo) {
      this.#since.delete(what);
      return;
    }
    const sinceMs = this.#since.get(what) ?? performance.now();
    this.#since.set(what, sinceMs);
    if (performance.now() - sinceMs < DIFFERS_MS) return;
    this.#book.violated(`for ${DIFFERS_MS / 1_000} s: ${describe()}`);
    this.#since.delete(what);
  }
}

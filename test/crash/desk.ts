// What the clients of one load process share: the way to the runtime, what they have heard, and names for their inputs.
// While the runtime is away they wait for it here, and when the driver says so they all rest.

import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from '../../lib/client/index.ts';
import { between, oneOf } from '../support/random.ts';
import type { Random } from '../support/random.ts';
import { HeardLog, nowUs } from './heard.ts';
import type { Told } from './heard.ts';
import { send } from './wire.ts';
import type { Place } from './wire.ts';

export interface DeskOptions extends Place {
  readonly heard: string;
  /** Number of the process: it stands in the names of its workers. */
  readonly process: number;
  readonly random: Random;
}

/** Inputs of one process are numbered from here, so that no two have the same number. */
const NUMBERS_PER_PROCESS = 1_000_000_000;
/** A worker gets no more than this: what a checker reads is bounded, and retention must not touch it. */
const MAX_INPUTS_PER_WORKER = 2_500;
const LOOK_EVERY_MS = 20;
const CALL_TIMEOUT_MS = 15_000;
/** Inputs whose answer was lost and that may be sent again; more are forgotten. */
const MAX_UNANSWERED = 500;
/** What a broken runtime makes of a load must not bury the rest. */
const MAX_COMPLAINTS = 10;

/** An input with a key whose answer has been lost. */
export interface Unanswered {
  readonly workerId: string;
  readonly name: string;
  readonly input: { readonly n: number };
  readonly key: string;
  readonly sentUs: number;
}

export class Desk {
  readonly place: Place;
  /** Number of the process. */
  readonly process: number;
  readonly random: Random;
  readonly client;
  readonly unanswered: Unanswered[] = [];
  readonly #log: HeardLog;
  #number: number;
  /** By role: the worker of now, and how many inputs it has been sent. */
  readonly #workers = new Map<string, { workerId: string; generation: number; sent: number }>();
  readonly #all: string[] = [];
  #back: Promise<void> | null = null;
  #rest: { readonly over: Promise<void>; readonly end: () => void } | null = null;
  #working = 0;
  #complaints = 0;

  constructor({ url, tokenFile, heard, process, random }: DeskOptions) {
    this.place = { url, tokenFile };
    this.random = random;
    this.client = createClient({ url, tokenFile, timeoutMs: CALL_TIMEOUT_MS });
    this.process = process;
    this.#number = process * NUMBERS_PER_PROCESS;
    this.#log = new HeardLog(heard, `load-${process}`);
  }

  hear(told: Told): void {
    this.#log.write(told);
  }

  nextNumber(): number {
    return ++this.#number;
  }

  /** All workers that this process has made for its roles, the newest last. */
  get workerIds(): readonly string[] {
    return this.#all;
  }

  /** The worker of a role; a new one when the last has had enough. `inputs`: how many it is about to be sent. */
  async workerOf(role: string, kind: string, inputs = 1): Promise<string> {
    const current = this.#workers.get(role);
    if (current !== undefined && current.sent + inputs <= MAX_INPUTS_PER_WORKER) {
      current.sent += inputs;
      return current.workerId;
    }
    const generation = (current?.generation ?? 0) + 1;
    const workerId = `p${this.process}-${role}-${generation}`;
    await this.client.create({ kind, workerId });
    this.hear({ op: 'life', workerId, kind, is: 'active' });
    if (this.#workers.get(role) === current) {
      this.#workers.set(role, { workerId, generation, sent: inputs });
      this.#all.push(workerId);
    }
    return workerId;
  }

  /** Any worker of the journalling kinds. */
  journalist(inputs = 1): Promise<string> {
    const kind = oneOf(this.random, ['crash-once', 'crash-again']);
    return this.workerOf(`${kind.slice('crash-'.length)}${between(this.random, 0, 3)}`, kind, inputs);
  }

  keep(unanswered: Unanswered): void {
    if (this.unanswered.length < MAX_UNANSWERED) this.unanswered.push(unanswered);
  }

  /** Does the work again and again; waits while the runtime is away, and rests when it is told to. */
  async keepAt(work: () => Promise<void>): Promise<never> {
    for (;;) {
      while (this.#rest !== null) await this.#rest.over;
      this.#working++;
      let isAway = false;
      try {
        await work();
      } catch (error) {
        isAway = isConnectionError(error);
        if (!isAway) this.complain(error);
      } finally {
        this.#working--;
      }
      if (isAway) await this.back();
    }
  }

  /** Something that should not happen, though it breaks no promise: the driver shows it. */
  complain(error: unknown): void {
    if (++this.#complaints > MAX_COMPLAINTS) return;
    const { code, message, stack } = error as { code?: string; message?: string; stack?: string };
    const where = stack?.split('\n').find((line) => line.includes('/crash/')) ?? '';
    process.stderr.write(`load ${this.process}: ${code ?? ''} ${message ?? String(error)} ${where.trim()}\n`);
  }

  /** Resolves when the runtime is ready. */
  back(): Promise<void> {
    this.#back ??= this.#untilReady().finally(() => (this.#back = null));
    return this.#back;
  }

  /** Resolves when no client has anything under way. */
  async rest(): Promise<void> {
    if (this.#rest === null) {
      let end = (): void => undefined;
      const over = new Promise<void>((resolve) => (end = resolve));
      this.#rest = { over, end };
    }
    while (this.#working > 0) await wait(LOOK_EVERY_MS);
  }

  resume(): void {
    this.#rest?.end();
    this.#rest = null;
  }

  async #untilReady(): Promise<void> {
    for (;;) {
      const isReady = await send(this.place, 'GET', '/readyz').then(
        ({ status }) => status === 200,
        () => false, // it is away: that is what we wait for
      );
      if (isReady) return;
      await wait(LOOK_EVERY_MS);
    }
  }
}

/** Sends, and says when it was sent. */
export async function timed<T>(work: () => Promise<T>): Promise<{ sentUs: number; answer: T }> {
  const sentUs = nowUs();
  return { sentUs, answer: await work() };
}

/** The runtime did not answer: it is away, or went while it was asked. */
export function isConnectionError(error: unknown): boolean {
  const { code, name } = error as { code?: string; name?: string };
  return code === 'runtime_unavailable' || code === 'timeout' || name === 'TypeError' || name === 'TimeoutError';
}

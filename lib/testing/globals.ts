// What a program asks for the time, a delay or a random number, for as long as a simulation is open: the virtual clock and the seed. So
// actors need not know that they are simulated. What Node does by itself (AbortSignal.timeout, sockets, files) stays on the machine's time.

import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import promises from 'node:timers/promises';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtual-clock.ts';

type Callback = (...args: unknown[]) => void;

/** What the places of the timers of Node take: the handle of a simulated one. */
class SimulatedTimer {
  #cancel: (() => void) | null = null;
  readonly #clock: VirtualClock;
  readonly #delayMs: number;
  readonly #isRepeated: boolean;
  readonly #call: () => void;

  constructor(clock: VirtualClock, call: () => void, delayMs: unknown, isRepeated: boolean) {
    this.#clock = clock;
    this.#call = call;
    this.#isRepeated = isRepeated;
    this.#delayMs = typeof delayMs === 'number' && delayMs >= 1 ? delayMs : 1;
    this.refresh();
  }

  refresh(): this {
    this.#cancel?.();
    this.#cancel = this.#clock.wake(this.#delayMs, () => {
      this.#cancel = null;
      if (this.#isRepeated) this.refresh();
      this.#call();
    });
    return this;
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  hasRef(): boolean {
    return false;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/** Puts the simulation in the place of the machine, until the function that is returned is called. */
export function replaceGlobals(clock: VirtualClock, random: Random): () => void {
  const undo: (() => void)[] = [];
  const put = (target: object, name: string, value: unknown): void => {
    const before = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
    undo.push(() => {
      if (before === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, before);
    });
  };
  const { clearTimeout, clearInterval } = globalThis;
  const set = (isRepeated: boolean) => (call: Callback, delayMs?: number, ...args: unknown[]) =>
    new SimulatedTimer(clock, () => call(...args), delayMs, isRepeated);
  const clear = (real: (timer?: NodeJS.Timeout) => void) => (timer?: unknown) => {
    if (timer instanceof SimulatedTimer) timer.close();
    else real(timer as NodeJS.Timeout);
  };
  const callbacks = {
    setTimeout: set(false),
    setInterval: set(true),
    clearTimeout: clear(clearTimeout),
    clearInterval: clear(clearInterval),
    setImmediate: (call: Callback, ...args: unknown[]) => clock.turn(() => call(...args)),
    clearImmediate: (turn?: NodeJS.Immediate) => void (turn && clock.cancelTurn(turn)),
  };
  for (const [name, value] of Object.entries(callbacks)) {
    put(globalThis, name, value);
    put(timers, name, value);
  }
  put(promises, 'setTimeout', (delayMs?: number, value?: unknown, options?: { signal?: AbortSignal }) =>
    delay(callbacks.setTimeout, delayMs, value, options?.signal),
  );
  put(promises, 'setImmediate', (value?: unknown) => new Promise((resolve) => clock.turn(() => resolve(value))));
  put(globalThis, 'Date', dateOf(clock));
  put(performance, 'now', () => clock.monotonicMs());
  put(Math, 'random', random);
  syncBuiltinESMExports();
  return () => {
    for (const step of undo.reverse()) step();
    syncBuiltinESMExports();
  };
}

async function delay(
  set: (call: Callback, delayMs?: number) => SimulatedTimer,
  delayMs: number | undefined,
  value: unknown,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const timer = set(() => {
      signal?.removeEventListener('abort', stop);
      resolve(value);
    }, delayMs);
    const stop = (): void => {
      timer.close();
      reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function dateOf(clock: VirtualClock): DateConstructor {
  return class extends Date {
    constructor(...given: [] | [number | string | Date]) {
      if (given.length === 0) super(clock.epochMs);
      else super(...given);
    }

    static override now(): number {
      return clock.epochMs;
    }
  } as DateConstructor;
}

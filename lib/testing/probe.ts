// A worker that belongs to a test: others send it inputs, and the test says which it expects. Time passes until they have come.

import { isDeepStrictEqual } from 'node:util';
import { inspect } from 'node:util';
import type { WorkerHandle } from '../supervisor/handle.ts';
import { closeLine, openLine } from './probe-inputs.ts';
import type { Simulation } from './simulation.ts';

export const PROBE_ACTOR = new URL('./probe-actor.js', import.meta.url);

/** How long an input may be on its way, unless the call says otherwise, in simulated milliseconds. */
const EXPECT_MS = 3_000;
const STEP_MS = 10;

export interface Probe {
  readonly workerId: string;
  readonly worker: WorkerHandle;
  /** What each input is answered with. Default: null. */
  reply(answer: (input: unknown) => unknown): void;
  /** Resolves to the next input, once it has come. Rejects if none comes within `withinMs` (default 3 s) of simulated time. */
  next(withinMs?: number): Promise<unknown>;
  /** The next input is this one; rejects if it is another, or none comes. */
  expect(input: unknown, withinMs?: number): Promise<void>;
  /** Nothing comes for that long. */
  expectNone(ms: number): Promise<void>;
}

export async function openProbe({ clock, runtime }: Simulation, workerId: string): Promise<Probe> {
  const line = openLine(workerId);
  const worker = await clock.until(runtime.create({ kind: 'greenroom:probe', workerId }));
  void runtime.closed.then(() => closeLine(workerId));
  const next = async (withinMs = EXPECT_MS): Promise<unknown> => {
    for (let leftMs = withinMs; line.inputs.length === 0; leftMs -= STEP_MS) {
      if (leftMs <= 0) throw new Error(`${workerId} got no input within ${withinMs} ms`);
      await clock.advance(STEP_MS);
    }
    return line.inputs.shift();
  };
  return {
    workerId,
    worker,
    reply: (answer) => void (line.reply = answer),
    next,
    expect: async (input, withinMs) => {
      const came = await next(withinMs);
      if (!isDeepStrictEqual(came, input)) throw new Error(`${workerId} expected ${inspect(input)} and got ${inspect(came)}`);
    },
    expectNone: async (ms) => {
      await clock.advance(ms);
      if (line.inputs.length > 0) throw new Error(`${workerId} expected nothing and got ${inspect(line.inputs[0])}`);
    },
  };
}

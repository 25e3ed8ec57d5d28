// One way to have a question answered by another thread. Each starts a thread of its own, so that a round pays for
// nothing that another contender keeps alive.

import type { Ask, LoadOptions, LoadResult } from '../support/load.ts';
import { holdInFlight, within } from '../support/load.ts';
import { collectGarbage } from '../support/machine.ts';

export interface Contender {
  readonly name: string;
  start(): Promise<Running>;
}

export interface Running {
  readonly ask: Ask;
  close(): Promise<void>;
}

const START_OR_END_WITHIN_MS = 20_000;

/** URL of the compiled module of a thread. */
export function threadUrl(name: string): URL {
  return new URL(`../threads/${name}.js`, import.meta.url);
}

export interface TurnOptions extends LoadOptions {
  readonly warmUpMs: number;
}

/** Starts it, warms it up, measures its throughput and whatever `more` measures, and ends it. */
export async function takeTurn(
  contender: Contender,
  { warmUpMs, ...load }: TurnOptions,
  more: (ask: Ask) => Promise<Readonly<Record<string, number>>> = async () => ({}),
): Promise<Record<string, number>> {
  collectGarbage();
  const running = await within(contender.start(), START_OR_END_WITHIN_MS, () => 'it does not start');
  try {
    await holdInFlight(running.ask, { ...load, forMs: warmUpMs });
    const { perSecond }: LoadResult = await holdInFlight(running.ask, load);
    return { 'asks/s': perSecond, ...(await more(running.ask)) };
  } finally {
    await within(running.close(), START_OR_END_WITHIN_MS, () => 'it does not end');
  }
}

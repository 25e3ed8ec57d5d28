// One way to have a question answered by another thread. Each starts a thread of its own, so that a round pays for
// nothing that another contender keeps alive.

import type { Ask } from '../support/load.ts';
import { holdInFlight, within } from '../support/load.ts';
import { collectGarbage } from '../support/machine.ts';
import { questionOf } from '../support/question.ts';

export interface Contender {
  readonly name: string;
  /** How a process is told which one it is; the name by default. */
  readonly key?: string;
  start(): Promise<Running>;
}

export interface Running {
  readonly ask: Ask;
  close(): Promise<void>;
}

const START_OR_END_WITHIN_MS = 60_000;

/** URL of the compiled module of a thread. */
export function threadUrl(name: string): URL {
  return new URL(`../threads/${name}.js`, import.meta.url);
}

export interface Load {
  /** What its rate is called. */
  readonly quantity: string;
  readonly inFlight: number;
  /** Of each question, as JSON. Default about 64, see `nextQuestion`. */
  readonly bytes?: number;
}

export interface TurnOptions {
  readonly warmUpMs: number;
  readonly forMs: number;
  /** Measured one after the other, each after a warm-up of its own size. */
  readonly loads: readonly Load[];
}

/** Starts it, warms it up, measures its throughput and whatever `more` measures, and ends it. */
export async function takeTurn(
  contender: Contender,
  { warmUpMs, forMs, loads }: TurnOptions,
  more: (
    ask: Ask,
    rates: Readonly<Record<string, number>>,
  ) => Promise<Readonly<Record<string, number>>> = async () => ({}),
): Promise<Record<string, number>> {
  collectGarbage();
  const running = await within(contender.start(), START_OR_END_WITHIN_MS, () => 'it does not start');
  try {
    const rates: Record<string, number> = {};
    let warmedUpBytes: number | undefined = NaN;
    for (const { quantity, inFlight, bytes } of loads) {
      const load = { inFlight, ...(bytes !== undefined && { question: () => questionOf(bytes) }) };
      if (bytes !== warmedUpBytes) await holdInFlight(running.ask, { ...load, forMs: warmUpMs });
      warmedUpBytes = bytes;
      rates[quantity] = (await holdInFlight(running.ask, { ...load, forMs })).perSecond;
    }
    return { ...rates, ...(await more(running.ask, rates)) };
  } finally {
    await within(running.close(), START_OR_END_WITHIN_MS, () => 'it does not end');
  }
}

export function loadOf(inFlight: number): Load {
  return { quantity: rateQuantity(inFlight), inFlight };
}

export function rateQuantity(inFlight: number): string {
  return `asks/s, ${inFlight.toLocaleString('en')} in flight`;
}

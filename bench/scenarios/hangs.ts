// How soon is a worker back whose handler hangs, blocks in native code, or takes all memory, and what do its neighbours notice?

import { JS_HANGS } from '../actors/hangs.ts';
import type { Blocked, HangsRequest, Hung, Overflowed } from '../processes/hangs.ts';
import { askNewProcess } from '../support/child.ts';
import type { Effort, Findings, Measure, Scenario } from '../support/scenario.ts';
import { percentiles } from '../support/statistics.ts';

/** `times`: of each hang in a round; `rare`: of native blocks and overflows. */
const EFFORTS = {
  quick: { rounds: 1, times: 3, rare: 2 },
  full: { rounds: 3, times: 12, rare: 4 },
} as const satisfies Record<Effort, unknown>;

/** Some seconds of native code: longer than it takes to be found, killed and given up. */
const NATIVE_ROUNDS = 6_000_000;
const WITHIN_MS = 300_000;
const BACK_GOAL_MS = 200;
const RECOGNISED_GOAL_MS = 1_000;
const NEIGHBOUR_GOAL_MS = 500;

interface Round {
  readonly stuck: readonly (readonly [string, Hung])[];
  readonly cancelled: readonly (readonly [string, Hung])[];
  readonly blocked: Blocked;
  readonly overflowed: Overflowed;
}

export const hangs: Scenario = {
  name: 'hangs',
  question: 'time from the end of the grace until a worker that hangs answers again, and what its neighbours notice',
  run: async (effort): Promise<Findings> => {
    const { rounds, times, rare } = EFFORTS[effort];
    const found: Round[] = [];
    for (let round = 0; round < rounds; round++) found.push(await oneRound(times, rare));
    const asks = found.reduce((sum, { overflowed }) => sum + overflowed.neighbourAsks, 0);
    const notes = [
      `each kind of JavaScript hang ${times} times per round and way, native blocks and overflows ${rare} times`,
      '`stuck`: stuckAfterMs from the start of the handler; `cancel`: cancelGraceMs from the cancel',
      `while processes overflowed, neighbours asked ${asks.toLocaleString('en')} times`,
    ];
    return { measures: measuresOf(found), ratios: [], notes, chart: { of: 'measures', scale: 'linear' } };
  },
};

async function oneRound(times: number, rare: number): Promise<Round> {
  const hung = async (by: 'stuck' | 'cancel'): Promise<[string, Hung][]> => {
    const all: [string, Hung][] = [];
    for (const hang of JS_HANGS) all.push([hang, (await ask({ what: 'js', hang, by, times })) as Hung]);
    return all;
  };
  return {
    stuck: await hung('stuck'),
    cancelled: await hung('cancel'),
    blocked: (await ask({ what: 'native', rounds: NATIVE_ROUNDS, times: rare })) as Blocked,
    overflowed: (await ask({ what: 'overflow', times: rare })) as Overflowed,
  };
}

function ask(request: HangsRequest): Promise<unknown> {
  return askNewProcess('hangs', request, WITHIN_MS);
}

function measuresOf(found: readonly Round[]): Measure[] {
  return [
    ...hungMeasures(
      'cancel',
      found.map(({ cancelled }) => cancelled),
    ),
    ...hungMeasures(
      'stuck',
      found.map(({ stuck }) => stuck),
    ),
    ...spread(
      'native block in a shared host',
      'ms until it is recognised',
      found,
      ({ blocked }) => blocked.recognisedMs,
      {
        atMost: RECOGNISED_GOAL_MS,
      },
    ),
    ...spread('its neighbour', 'ms until it answers', found, ({ blocked }) => blocked.neighbourMs, {
      atMost: NEIGHBOUR_GOAL_MS,
    }),
    ...spread('process out of memory', 'ms until it answers again', found, ({ overflowed }) => overflowed.againMs, {}),
    {
      subject: 'its neighbours',
      quantity: 'asks that failed',
      perRound: found.map(({ overflowed }) => overflowed.neighbourFailures),
      atMost: 0,
    },
  ];
}

/** The median of each hang by itself, and the 99th percentile of all. */
function hungMeasures(by: string, rounds: readonly Round['stuck'][]): Measure[] {
  const quantity = 'ms from the end of the grace to the next answer';
  const each = JS_HANGS.map((hang) => ({
    subject: `${by}: ${hang}`,
    quantity: `${quantity}, p50`,
    perRound: rounds.map((round) => percentiles(round.find(([name]) => name === hang)?.[1].againMs ?? []).p50),
  }));
  const all = (of: (hung: Hung) => readonly number[]): number[] =>
    rounds.map((round) => percentiles(round.flatMap(([, hung]) => of(hung))).p99);
  return [
    ...each,
    {
      subject: `${by}: all`,
      quantity: `${quantity}, p99`,
      perRound: all(({ againMs }) => againMs),
      atMost: BACK_GOAL_MS,
    },
    {
      subject: `${by}: all`,
      quantity: 'ms from the end of the grace to the kill, p99',
      perRound: all(({ orderedMs }) => orderedMs),
    },
  ];
}

function spread(
  subject: string,
  quantity: string,
  found: readonly Round[],
  of: (round: Round) => readonly number[],
  goal: { atMost?: number },
): Measure[] {
  const each = (share: 'p50' | 'p99'): number[] => found.map((round) => percentiles(of(round))[share]);
  return [
    { subject, quantity: `${quantity}, p50`, perRound: each('p50') },
    { subject, quantity: `${quantity}, p99`, perRound: each('p99'), ...goal },
  ];
}

// What do the size checks cost? The same ask with them and without them, by payload size, in processes of their own.

import { copyBuild } from '../support/build-copy.ts';
import type { BuildCopy } from '../support/build-copy.ts';
import { forkPeer } from '../support/child.ts';
import type { Peer } from '../support/child.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Measure, Scenario } from '../support/scenario.ts';
import { SIZES as ALL_SIZES } from '../support/sizes.ts';
import type { Size } from '../support/sizes.ts';
import { pairwise } from '../support/statistics.ts';
import type { SideRequest } from '../processes/size-check-side.ts';

/** Every launch has new processes: two that run the same code differ by some percent all their lives. */
const EFFORTS = {
  quick: { launches: 1, warmUpMs: 150, forMs: 60, rounds: 1, roundsOfGoals: 8 },
  full: { launches: 3, warmUpMs: 250, forMs: 60, rounds: 2, roundsOfGoals: 16 },
} as const satisfies Record<Effort, unknown>;

/** Many short rounds, so that what disturbs the machine hits both sides alike; most of them where there is a goal. */
const GOAL_SIZES: readonly string[] = ['64 B', '64 KiB'];
const SIZES = ALL_SIZES.filter(({ name }) => [...GOAL_SIZES, '1 MiB', '16 MiB'].includes(name));
/** Of the speed without checks. */
const GOAL = 0.97;
const ANSWER_WITHIN_MS = 60_000;

const OFF = 'checks off';
const ON = 'checks on';
/** The same as `checks on`, once more: how far two equal sides are apart is what no result can be finer than. */
const ON_AGAIN = 'checks on, again';
const SIDES = [
  { name: OFF, checks: 'off' },
  { name: ON, checks: 'on' },
  { name: ON_AGAIN, checks: 'on' },
] as const;

export const sizeCheck: Scenario = {
  name: 'size-check',
  question: 'speed with the size checks as a share of the speed without them, by payload size',
  run: async (effort): Promise<Findings> => {
    const { launches, ...plan } = EFFORTS[effort];
    const copies = { on: await copyBuild('on'), off: await copyBuild('off') };
    const runs: Measure[][] = [];
    try {
      for (let launch = 0; launch < launches; launch++) runs.push(await runOnce(copies, plan));
    } finally {
      await Promise.all([copies.on.remove(), copies.off.remove()]);
    }
    const measures = join(runs);
    const share = (over: string, under: string, name: string): number[] =>
      pairwise(roundsOf(measures, over, quantity(name)), roundsOf(measures, under, quantity(name)));
    const ratios = SIZES.flatMap(({ name }) => [
      {
        label: `${name}, on : off`,
        perRound: share(ON, OFF, name),
        ...(GOAL_SIZES.includes(name) && { atLeast: GOAL }),
      },
      { label: `${name}, on again : on (noise)`, perRound: share(ON_AGAIN, ON, name) },
    ]);
    return { measures, ratios, chart: { of: 'ratios', scale: 'linear' } };
  },
};

type Copies = Readonly<Record<'on' | 'off', BuildCopy>>;
type Plan = Readonly<Record<'warmUpMs' | 'forMs' | 'rounds' | 'roundsOfGoals', number>>;

async function runOnce(copies: Copies, { warmUpMs, forMs, rounds, roundsOfGoals }: Plan): Promise<Measure[]> {
  const peers = SIDES.map(({ name, checks }) => ({
    name,
    peer: forkPeer(copies[checks].moduleUrl('bench/processes/size-check-side.js'), [checks]),
  }));
  try {
    const measures: Measure[] = [];
    for (const size of SIZES) {
      for (const { peer } of peers) await measure(peer, size, warmUpMs);
      const subjects = peers.map(({ name, peer }) => ({
        name,
        turn: async () => ({ [quantity(size.name)]: await measure(peer, size, forMs) }),
      }));
      measures.push(...(await interleave(subjects, GOAL_SIZES.includes(size.name) ? roundsOfGoals : rounds)));
    }
    return measures;
  } finally {
    await Promise.all(peers.map(({ peer }) => peer.close()));
  }
}

async function measure(peer: Peer, { bytes, inFlight }: Size, forMs: number): Promise<number> {
  const request: SideRequest = { bytes, inFlight, forMs };
  return (await peer.request(request, forMs + ANSWER_WITHIN_MS)) as number;
}

function quantity(size: string): string {
  return `asks/s of ${size}`;
}

/** Rounds of all launches in a row; every launch has the same measures in the same order. */
function join(runs: readonly Measure[][]): Measure[] {
  return (runs[0] ?? []).map(({ subject, quantity: of }) => ({
    subject,
    quantity: of,
    perRound: runs.flatMap((measures) => roundsOf(measures, subject, of)),
  }));
}

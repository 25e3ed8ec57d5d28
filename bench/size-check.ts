// What do the size checks cost? The same ask with them and without them, by payload size, in processes of their own.

import { copyBuild } from './support/build-copy.ts';
import type { BuildCopy } from './support/build-copy.ts';
import { forkPeer } from './support/child.ts';
import type { Peer } from './support/child.ts';
import { interleave, roundsOf } from './support/rounds.ts';
import type { Effort, Findings, Measure, Scenario } from './support/scenario.ts';
import { pairwise } from './support/statistics.ts';
import type { SideRequest } from './processes/size-check-side.ts';

const KiB = 1_024;
const MiB = 1_024 * KiB;

/** Every launch has new processes: two that run the same code differ by some percent all their lives. */
const EFFORTS = {
  quick: { launches: 1, rounds: 5, warmUpMs: 100, forMs: 100 },
  full: { launches: 5, rounds: 6, warmUpMs: 500, forMs: 500 },
} as const satisfies Record<Effort, unknown>;

const SIZES = [
  { bytes: 64, name: '64 B' },
  { bytes: 1 * KiB, name: '1 KiB' },
  { bytes: 16 * KiB, name: '16 KiB' },
  { bytes: 256 * KiB, name: '256 KiB' },
  { bytes: 4 * MiB, name: '4 MiB' },
  { bytes: 16 * MiB, name: '16 MiB' },
] as const;

const MAX_IN_FLIGHT = 1_024;
/** Bytes in flight, so that large questions do not measure the garbage collector of a full heap. */
const MAX_BYTES_IN_FLIGHT = 32 * MiB;
/** Of the speed without checks, for the smallest questions. */
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
    const { launches, rounds, ...times } = EFFORTS[effort];
    const copies = { on: await copyBuild('on'), off: await copyBuild('off') };
    const runs: Measure[][] = [];
    try {
      for (let launch = 0; launch < launches; launch++) runs.push(await runOnce(copies, rounds, times));
    } finally {
      await Promise.all([copies.on.remove(), copies.off.remove()]);
    }
    const measures = join(runs);
    const share = (over: string, under: string, name: string): number[] =>
      pairwise(roundsOf(measures, over, quantity(name)), roundsOf(measures, under, quantity(name)));
    const ratios = SIZES.flatMap(({ bytes, name }) => [
      { label: `${name}, on : off`, perRound: share(ON, OFF, name), ...(bytes === 64 && { atLeast: GOAL }) },
      { label: `${name}, on again : on (noise)`, perRound: share(ON_AGAIN, ON, name) },
    ]);
    return { measures, ratios, chart: { of: 'ratios', scale: 'linear' } };
  },
};

type Copies = Readonly<Record<'on' | 'off', BuildCopy>>;
type Times = Readonly<Record<'warmUpMs' | 'forMs', number>>;

async function runOnce(copies: Copies, rounds: number, { warmUpMs, forMs }: Times): Promise<Measure[]> {
  const peers = SIDES.map(({ name, checks }) => ({
    name,
    peer: forkPeer(copies[checks].moduleUrl('bench/processes/size-check-side.js'), [checks]),
  }));
  try {
    const measures: Measure[] = [];
    for (const { bytes, name: size } of SIZES) {
      for (const { peer } of peers) await measure(peer, bytes, warmUpMs);
      const subjects = peers.map(({ name, peer }) => ({
        name,
        turn: async () => ({ [quantity(size)]: await measure(peer, bytes, forMs) }),
      }));
      measures.push(...(await interleave(subjects, rounds)));
    }
    return measures;
  } finally {
    await Promise.all(peers.map(({ peer }) => peer.close()));
  }
}

async function measure(peer: Peer, bytes: number, forMs: number): Promise<number> {
  const inFlight = Math.min(MAX_IN_FLIGHT, Math.floor(MAX_BYTES_IN_FLIGHT / bytes));
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

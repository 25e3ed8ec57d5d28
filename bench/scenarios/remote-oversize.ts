// What does a message above the hard cap cost the server that refuses it, and what do its neighbours notice?

import { askNewProcess } from '../support/child.ts';
import { interleave } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import type { Oversize, OversizeRequest } from '../processes/remote-oversize.ts';

const EFFORTS = { quick: { rounds: 1 }, full: { rounds: 5 } } as const satisfies Record<Effort, unknown>;

const MiB = 1_024 * 1_024;
const WITHIN_MS = 120_000;
const GROWN = 'MiB by which RSS grows';
/** The default hard cap and 16 MiB. */
const GOAL_MIB = 32 + 16;
const TOO_BIG = 1_009;
const TOO_LARGE = 'invocation_failed_payload_too_large';

interface Case {
  readonly name: string;
  readonly bytes: number;
  readonly fragmentBytes: number;
}

const ABOVE: readonly Case[] = [
  { name: '100 MiB, one frame', bytes: 100 * MiB, fragmentBytes: 100 * MiB },
  { name: '100 MiB, fragments of 64 KiB', bytes: 100 * MiB, fragmentBytes: MiB / 16 },
  { name: '100 MiB, fragments of 1 MiB', bytes: 100 * MiB, fragmentBytes: MiB },
  { name: '100 MiB, fragments of 16 MiB', bytes: 100 * MiB, fragmentBytes: 16 * MiB },
];
/** Between the limit and the hard cap: read, and answered. */
const BELOW: Case = { name: '32 MiB, one frame', bytes: 32 * MiB, fragmentBytes: 32 * MiB };

export const remoteOversize: Scenario = {
  name: 'remote-oversize',
  question:
    'memory of the server while it refuses a message above the hard cap, and the slowest call of a neighbour meanwhile',
  run: async (effort): Promise<Findings> => {
    const { rounds } = EFFORTS[effort];
    const subjects = [...ABOVE, BELOW].map((one) => ({ name: one.name, turn: () => refuse(one) }));
    const found = await interleave(subjects, rounds);
    const measures = found.map((measure) => ({ ...measure, ...(hasGoal(measure) && { atMost: GOAL_MIB }) }));
    return { measures, ratios: [], chart: { of: 'measures', scale: 'linear' } };
  },
};

function hasGoal({ subject, quantity }: { subject: string; quantity: string }): boolean {
  return quantity === GROWN && subject !== BELOW.name;
}

async function refuse(one: Case): Promise<Record<string, number>> {
  const { bytes, fragmentBytes } = one;
  const request: OversizeRequest = { bytes, fragmentBytes };
  const found = (await askNewProcess('remote-oversize', request, WITHIN_MS)) as Oversize;
  const { closeCode, errorCode, maxFrameBytes, grownBytes, neighbourCalls, slowestMs } = found;
  const isRight = bytes > maxFrameBytes ? closeCode === TOO_BIG : errorCode === TOO_LARGE;
  if (!isRight) throw new Error(`it ended with ${closeCode ?? 'an open socket'}, ${errorCode ?? 'no answer'}`);
  return {
    [GROWN]: grownBytes / MiB,
    "slowest of a neighbour's calls in ms": slowestMs,
    "neighbour's calls, all answered": neighbourCalls,
  };
}

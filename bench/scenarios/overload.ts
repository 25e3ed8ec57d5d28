// Does a runtime that gets ten times what it can do go on doing what it can, within its memory?

import { askNewProcess } from '../support/child.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';
import { workRounds } from '../support/work.ts';
import type { Overload, OverloadRequest } from '../processes/overload.ts';

const EFFORTS = {
  quick: { rounds: 1, calmForMs: 2_000, overloadedForMs: 2_000 },
  full: { rounds: 5, calmForMs: 2_500, overloadedForMs: 3_000 },
} as const satisfies Record<Effort, unknown>;

/** Handlers so long that the thread which sends has time to be refused: at 100 µs it would be the one that is overloaded. */
const WORK_US = 500;
const TIMES_CAPACITY = 10;
const MiB = 1_024 * 1_024;
const MAX_TOTAL_BYTES = 64 * MiB;
const WITHIN_MS = 120_000;
const MEMORY_GOAL = 1.2;
const RATE_GOAL = 0.9;
const [CALM, OVERLOADED] = ['completed/s, sustainable load', 'completed/s, overloaded'];
const [BEFORE, MOST] = ['most RSS in MiB, sustainable load', 'most RSS in MiB, overloaded'];
const SUBJECT = 'greenroom, 200 workers';

export const overload: Scenario = {
  name: 'overload',
  question: `completed inputs per second and memory under ${TIMES_CAPACITY} times the load that it can sustain`,
  run: async (effort): Promise<Findings> => {
    const { rounds, ...times } = EFFORTS[effort];
    const request: OverloadRequest = {
      ...times,
      workRounds: workRounds(WORK_US),
      timesCapacity: TIMES_CAPACITY,
      maxTotalBytes: MAX_TOTAL_BYTES,
    };
    const notes: string[] = [];
    const turn = async (): Promise<Record<string, number>> => {
      const found = (await askNewProcess('overload', request, WITHIN_MS)) as Overload;
      notes.push(noteOf(found));
      return {
        [CALM]: found.calmPerSecond,
        [OVERLOADED]: found.overloadedPerSecond,
        [BEFORE]: found.rssBeforeBytes / MiB,
        [MOST]: found.maxRssBytes / MiB,
      };
    };
    const measures = await interleave([{ name: SUBJECT, turn }], rounds);
    const of = (quantity: string): readonly number[] => roundsOf(measures, SUBJECT, quantity);
    const allowed = of(BEFORE).map((before) => before + MAX_TOTAL_BYTES / MiB);
    const ratios = [
      {
        label: 'completed/s, overloaded : sustainable',
        perRound: pairwise(of(OVERLOADED), of(CALM)),
        atLeast: RATE_GOAL,
      },
      {
        label: 'most RSS, overloaded : the same, sustainable, + maxTotalBytes',
        perRound: pairwise(of(MOST), allowed),
        atMost: MEMORY_GOAL,
      },
    ];
    return { measures, ratios, notes, chart: { of: 'measures', scale: 'linear' } };
  },
};

function noteOf({ sent, completed, refused, calmPerSecond }: Overload): string {
  const refusals = Object.entries(refused).map(([code, count]) => `${count.toLocaleString('en')} ${code}`);
  const seconds = sent / calmPerSecond;
  return [
    `sent ${sent.toLocaleString('en')} inputs, as much as is sustainable in ${seconds.toFixed(1)} s`,
    `${completed.toLocaleString('en')} completed`,
    ...refusals,
  ].join(', ');
}

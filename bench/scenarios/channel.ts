// What does a channel cost next to a bare socket pipe, in speed and in the memory of the server between?

import { askNewProcess } from '../support/child.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';
import type { ChannelRequest, Piped } from '../processes/channel.ts';

const KiB = 1_024;
const MiB = 1_024 * KiB;
const EFFORTS = {
  quick: { rounds: 2, mebibytes: 512 },
  full: { rounds: 5, mebibytes: 1_024 },
} as const satisfies Record<Effort, unknown>;

/** As the SDK cuts what it writes. */
const MESSAGE_BYTES = 64 * KiB;
const WITHIN_MS = 300_000;
const [BARE, OURS] = ['ws, bare pipe', 'greenroom, channel'];
const [RATE, GROWN] = ['MiB/s', 'MiB by which RSS grows'];
const RATE_GOAL = 0.5;
const GROWN_GOAL_MIB = 64;

export const channel: Scenario = {
  name: 'channel',
  question:
    'megabytes per second from one process through the server to another, and how the memory of the server grows',
  run: async (effort): Promise<Findings> => {
    const { rounds, mebibytes } = EFFORTS[effort];
    const messages = (mebibytes * MiB) / MESSAGE_BYTES;
    const subjects = (
      [
        [BARE, 'bare'],
        [OURS, 'ours'],
      ] as const
    ).map(([name, how]) => ({
      name,
      turn: async () => {
        const request: ChannelRequest = { how, messages, messageBytes: MESSAGE_BYTES };
        const { seconds, grownBytes, cpuMs } = (await askNewProcess('channel', request, WITHIN_MS)) as Piped;
        const cpu = cpuMs === null ? {} : { 'CPU of the server in ms, per MiB': cpuMs / mebibytes };
        return { [RATE]: mebibytes / seconds, [GROWN]: grownBytes / MiB, ...cpu };
      },
    }));
    const found = await interleave(subjects, rounds);
    const measures = found.map((measure) => {
      const isGoal = measure.subject === OURS && measure.quantity === GROWN;
      return { ...measure, ...(isGoal && { atMost: GROWN_GOAL_MIB }) };
    });
    const of = (subject: string): readonly number[] => roundsOf(measures, subject, RATE);
    const ratios = [
      { label: `${OURS} : ${BARE}, ${RATE}`, perRound: pairwise(of(OURS), of(BARE)), atLeast: RATE_GOAL },
    ];
    const notes = [`${mebibytes.toLocaleString('en')} MiB in messages of ${MESSAGE_BYTES / KiB} KiB`];
    return { measures, ratios, notes, chart: { of: 'measures', scale: 'linear' } };
  },
};

// How long does one ask take: alone, and while half of what the runtime can do is asked of it on a schedule?

import { loadOf } from '../contenders/contender.ts';
import { greenroom } from '../contenders/greenroom.ts';
import { piscinaBest } from '../contenders/pools.ts';
import { postMessage } from '../contenders/ports.ts';
import { NO_ERLANG, openErlang } from '../support/erlang.ts';
import { roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';
import { measureInProcesses } from '../support/turns.ts';

const EFFORTS = {
  quick: { rounds: 2, warmUpMs: 200, forMs: 200, latencyForMs: 250, scheduleForMs: 400 },
  full: { rounds: 5, warmUpMs: 400, forMs: 600, latencyForMs: 1_000, scheduleForMs: 2_000 },
} as const satisfies Record<Effort, unknown>;

/** For the capacity. */
const IN_FLIGHT = 1_024;
const ALONE = 'p50 in µs, 1 in flight';
/** Many, so that the backlog of a stall of seconds finds room: a refusal would fail the run. */
const ours = greenroom({ workers: 1_000 });

export const latency: Scenario = {
  name: 'latency',
  question: 'latency of one ask at a time, and of asks on a schedule at half of the measured capacity',
  run: async (effort): Promise<Findings> => {
    const { rounds, ...times } = EFFORTS[effort];
    const erlang = await openErlang();
    try {
      const turn = async (): Promise<Record<string, number>> => {
        const { p50Us = NaN, p99Us = NaN } =
          (await erlang?.run(['latency', times.latencyForMs], times.latencyForMs)) ?? {};
        return { [ALONE]: p50Us, 'p99 in µs, 1 in flight': p99Us };
      };
      const guests = erlang === null ? [] : [{ name: `${erlang.name}, gen_server:call`, turn }];
      const contenders = [postMessage, piscinaBest, ours];
      const request = { ...times, loads: [loadOf(IN_FLIGHT)] };
      const measures = await measureInProcesses(contenders, rounds, request, guests);
      const p50 = (name: string): readonly number[] => roundsOf(measures, name, ALONE);
      const ratios = [
        {
          label: `${ours.name} : ${postMessage.name}, ${ALONE}`,
          perRound: pairwise(p50(ours.name), p50(postMessage.name)),
          atMost: 1.4,
        },
      ];
      const notes = erlang === null ? [NO_ERLANG] : [];
      return { measures, ratios, notes, chart: { of: 'measures', scale: 'log' } };
    } finally {
      await erlang?.close();
    }
  },
};

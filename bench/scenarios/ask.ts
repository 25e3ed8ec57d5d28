// How many asks per second, by how many are in flight and how many workers they are spread over, next to thread pools,
// bare message loops and Erlang that answer the same question? What does a second host add when there is work to do?

import { loadOf, rateQuantity } from '../contenders/contender.ts';
import { bareLoops, comlink } from '../contenders/ports.ts';
import { piscinaBest, pools } from '../contenders/pools.ts';
import { greenroom } from '../contenders/greenroom.ts';
import { NO_ERLANG, openErlang } from '../support/erlang.ts';
import type { Erlang } from '../support/erlang.ts';
import { roundsOf } from '../support/rounds.ts';
import type { Subject } from '../support/rounds.ts';
import type { Effort, Findings, Measure, Ratio, Scenario } from '../support/scenario.ts';
import { median, pairwise } from '../support/statistics.ts';
import { measureInProcesses } from '../support/turns.ts';
import { workRounds } from '../support/work.ts';

const EFFORTS = {
  quick: { rounds: 1, warmUpMs: 400, forMs: 250, inFlight: [1_024], others: [piscinaBest, comlink] },
  full: { rounds: 5, warmUpMs: 300, forMs: 300, inFlight: [1_024, 64, 1], others: [...pools, comlink] },
} as const satisfies Record<Effort, unknown>;

const MAX_IN_FLIGHT = 1_024;
const TOP = rateQuantity(MAX_IN_FLIGHT);
/** CPU that the handler uses where hosts are compared. */
const WORK_US = 20;

const ours = {
  one: greenroom({ workers: 1 }),
  few: greenroom({ workers: 100 }),
  headline: greenroom({ workers: 1_000 }),
  many: greenroom({ workers: 100_000 }),
};

export const ask: Scenario = {
  name: 'ask',
  question: 'asks per second on one host, by questions in flight and workers; and by hosts when the handler works',
  run: async (effort): Promise<Findings> => {
    const { rounds, inFlight, others, ...times } = EFFORTS[effort];
    const contenders = [...bareLoops, ...others, ...Object.values(ours)];
    const erlang = await openErlang();
    try {
      const guests = erlang === null ? [] : [1, 1_000].map((servers) => calls(erlang, servers, inFlight, times));
      const request = { ...times, loads: inFlight.map(loadOf) };
      const measures = await measureInProcesses(contenders, rounds, request, guests);
      const hosts = await measureHosts(rounds, times);
      const best = (names: readonly { readonly name: string }[]): string => fastest(measures, names);
      const ratios: Ratio[] = [
        { ...over(measures, ours.headline.name, best(others)), atLeast: 6 },
        { ...over(measures, ours.headline.name, best(bareLoops)), atLeast: 0.65 },
        ...guests.map(({ name }, at) => ({
          ...over(measures, at === 0 ? ours.one.name : ours.headline.name, name),
          ...(at === 1 && { atLeast: 1.2 }),
        })),
        { ...over(measures, ours.one.name, ours.headline.name), atLeast: 0.8 },
        { ...over(measures, ours.many.name, ours.few.name), atLeast: 0.85 },
        hosts.ratio,
      ];
      const notes = erlang === null ? [NO_ERLANG] : [];
      return { measures: [...measures, ...hosts.measures], ratios, notes, chart: { of: 'measures', scale: 'linear' } };
    } finally {
      await erlang?.close();
    }
  },
};

type Times = Readonly<Record<'warmUpMs' | 'forMs', number>>;

function calls(erlang: Erlang, servers: number, inFlight: readonly number[], { warmUpMs, forMs }: Times): Subject {
  return {
    name: `${erlang.name}, gen_server:call, ${servers.toLocaleString('en')} server${servers === 1 ? '' : 's'}`,
    turn: async () => {
      const command = ['call', servers, warmUpMs, forMs, ...inFlight];
      const rates = await erlang.run(command, (warmUpMs + forMs) * inFlight.length);
      return Object.fromEntries(inFlight.map((clients) => [rateQuantity(clients), rates[clients] ?? NaN]));
    },
  };
}

async function measureHosts(rounds: number, times: Times): Promise<{ measures: Measure[]; ratio: Ratio }> {
  const rounds20Us = workRounds(WORK_US);
  const [one, two] = [1, 2].map((hosts) => greenroom({ workers: 100, hosts, workRounds: rounds20Us }));
  if (one === undefined || two === undefined) throw new Error('there are two sides');
  const request = { ...times, loads: [loadOf(MAX_IN_FLIGHT)] };
  const measures = await measureInProcesses([one, two], rounds, request);
  const ratio = over(measures, two.name, one.name);
  return { measures, ratio: { ...ratio, label: `${ratio.label}, ${WORK_US} µs of work each`, atLeast: 1.7 } };
}

function fastest(measures: readonly Measure[], contenders: readonly { readonly name: string }[]): string {
  const rate = (name: string): number => median(roundsOf(measures, name, TOP));
  const [best] = contenders.map(({ name }) => name).toSorted((a, b) => rate(b) - rate(a));
  if (best === undefined) throw new Error('nobody is there to be the fastest');
  return best;
}

function over(measures: readonly Measure[], name: string, under: string): Ratio {
  return {
    label: `${name} : ${under}`,
    perRound: pairwise(roundsOf(measures, name, TOP), roundsOf(measures, under, TOP)),
  };
}

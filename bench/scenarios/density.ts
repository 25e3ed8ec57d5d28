// What does a new worker cost, and one that has handled an input; and how fast are many created?

import { askNewProcess } from '../support/child.ts';
import { NO_ERLANG, openErlang } from '../support/erlang.ts';
import type { Erlang } from '../support/erlang.ts';
import { interleave } from '../support/rounds.ts';
import type { Subject } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import type { Density, DensityRequest } from '../processes/density.ts';

/** The million takes a minute, so it is done once. */
const EFFORTS = {
  quick: { rounds: 1, counts: [50_000], million: 0 },
  full: { rounds: 3, counts: [10_000, 200_000], million: 1_000_000 },
} as const satisfies Record<Effort, unknown>;

const WITHIN_MS = 300_000;
const BYTES = 'bytes each, new';
const RATE = 'created/s';
const BYTES_GOAL = 1_500;
const RATE_GOAL = 100_000;

export const density: Scenario = {
  name: 'density',
  question: 'bytes of memory per worker, new and after one input, and creations per second, by how many there are',
  run: async (effort): Promise<Findings> => {
    const { rounds, counts, million } = EFFORTS[effort];
    const erlang = await openErlang();
    const notes = new Set(erlang === null ? [NO_ERLANG] : []);
    const workers = (count: number, by: DensityRequest['by']): Subject => ({
      name: subjectOf(count, by),
      turn: () => createInProcess({ workers: count, by }, (status) => notes.add(`after ${by} a worker is ${status}`)),
    });
    try {
      const most = Math.max(...counts);
      const ours = [...counts.map((count) => workers(count, 'createAll')), workers(most, 'create')];
      const found = await interleave([...ours, ...(erlang === null ? [] : spawns(erlang, most))], rounds);
      if (million > 0) found.push(...(await interleave([workers(million, 'createAll')], 1)));
      // With few workers the memory that comes and goes by itself is spread over too few to say something.
      const measures = found.map((measure) => {
        if (measure.subject !== subjectOf(most, 'createAll')) return measure;
        if (measure.quantity === BYTES) return { ...measure, atMost: BYTES_GOAL };
        return measure.quantity === RATE ? { ...measure, atLeast: RATE_GOAL } : measure;
      });
      return { measures, ratios: [], notes: [...notes], chart: { of: 'measures', scale: 'linear' } };
    } finally {
      await erlang?.close();
    }
  },
};

function subjectOf(count: number, by: string): string {
  return `greenroom, ${count.toLocaleString('en')} workers by ${by}`;
}

/** In a process that has done nothing else. */
async function createInProcess(
  request: DensityRequest,
  say: (status: string) => void,
): Promise<Record<string, number>> {
  const found = (await askNewProcess('density', request, WITHIN_MS)) as Density;
  say(found.status);
  return {
    [RATE]: found.createdPerSecond,
    [BYTES]: found.idleBytesEach,
    'bytes each, after one input': found.usedBytesEach,
  };
}

/** One after the other as our `createAll`, and by as many creators as there are cores. */
function spawns(erlang: Erlang, count: number): Subject[] {
  return [1, 2].map((creators) => ({
    name: `${erlang.name}, ${count.toLocaleString('en')} gen_servers by ${creators} creator${creators === 1 ? '' : 's'}`,
    turn: async () => {
      const { perSecond = NaN, rssBytesEach = NaN } = await erlang.run(['spawn', count, creators], WITHIN_MS);
      return { [RATE]: perSecond, [BYTES]: rssBytesEach };
    },
  }));
}

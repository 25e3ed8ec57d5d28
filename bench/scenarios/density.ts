// What does a worker cost that does nothing, and one that has handled an input; and how fast are many created?

import { forkPeer, processUrl } from '../support/child.ts';
import { NO_ERLANG, openErlang } from '../support/erlang.ts';
import type { Erlang } from '../support/erlang.ts';
import { interleave } from '../support/rounds.ts';
import type { Subject } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import type { Density, DensityRequest } from '../processes/density.ts';

/** The million takes a minute, so it is done once. */
const EFFORTS = {
  quick: { rounds: 1, counts: [10_000, 50_000], million: 0 },
  full: { rounds: 3, counts: [1_000, 10_000, 100_000, 200_000], million: 1_000_000 },
} as const satisfies Record<Effort, unknown>;

const WITHIN_MS = 300_000;
const BYTES = 'bytes each, idle';
const RATE = 'created/s';
const BYTES_GOAL = 1_500;
const RATE_GOAL = 100_000;

export const density: Scenario = {
  name: 'density',
  question: 'bytes of memory per worker, idle and after one input, and creations per second, by how many there are',
  run: async (effort): Promise<Findings> => {
    const { rounds, counts, million } = EFFORTS[effort];
    const erlang = await openErlang();
    try {
      const greatest = Math.max(...counts);
      const subjects = [...counts.map((count) => workers(count)), ...(erlang === null ? [] : spawns(erlang, greatest))];
      const found = await interleave(subjects, rounds);
      if (million > 0) found.push(...(await interleave([workers(million)], 1)));
      // With few workers the memory that comes and goes by itself is spread over too few to say something.
      const measures = found.map((measure) => {
        if (measure.subject !== subjectOf(greatest)) return measure;
        if (measure.quantity === BYTES) return { ...measure, atMost: BYTES_GOAL };
        return measure.quantity === RATE ? { ...measure, atLeast: RATE_GOAL } : measure;
      });
      const notes = erlang === null ? [NO_ERLANG] : [];
      return { measures, ratios: [], notes, chart: { of: 'measures', scale: 'linear' } };
    } finally {
      await erlang?.close();
    }
  },
};

function subjectOf(count: number): string {
  return `greenroom, ${count.toLocaleString('en')} workers`;
}

/** Each turn in a process that has done nothing else. */
function workers(count: number): Subject {
  return {
    name: subjectOf(count),
    turn: async () => {
      const peer = forkPeer(processUrl('density'));
      try {
        const request: DensityRequest = { workers: count };
        const { createdPerSecond, idleBytesEach, usedBytesEach } = (await peer.request(request, WITHIN_MS)) as Density;
        return { [RATE]: createdPerSecond, [BYTES]: idleBytesEach, 'bytes each, after one input': usedBytesEach };
      } finally {
        await peer.close();
      }
    },
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

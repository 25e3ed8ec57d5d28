// How long until a running input is cancelled, or a worker with a running input and a line behind it has stopped, while
// the other workers of its host have more to do than they can?

import { forkPeer, processUrl } from '../support/child.ts';
import { interleave } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import type { Percentiles } from '../support/statistics.ts';
import { workRounds } from '../support/work.ts';
import type { ControlRequest } from '../processes/control.ts';

const EFFORTS = { quick: { rounds: 1, samples: 40 }, full: { rounds: 5, samples: 120 } } as const satisfies Record<
  Effort,
  unknown
>;

const HANDLER_MS = 1;
/** On top of the handler that is running when the command is given, and which nothing interrupts. */
const GOAL_MS = 5;
const WITHIN_MS = 60_000;
const P99 = 'p99 in ms';

export const control: Scenario = {
  name: 'control',
  question: `time to cancel a running input, and to stop its worker, on a saturated host whose handlers take ${HANDLER_MS} ms`,
  run: async (effort): Promise<Findings> => {
    const { rounds, samples } = EFFORTS[effort];
    const msOfWork = workRounds(HANDLER_MS * 1_000);
    const cases = (['cancel', 'stop'] as const).flatMap((verb) =>
      (['wait', 'compute'] as const).map((how) => ({ verb, how, peer: forkPeer(processUrl('control')) })),
    );
    try {
      const subjects = cases.map(({ verb, how, peer }) => ({
        name: `${verb}, handler that ${how === 'wait' ? 'waits' : 'computes with checkpoints'}`,
        turn: async () => {
          const request: ControlRequest = { verb, how, workRounds: msOfWork, samples };
          const { p50, p99 } = (await peer.request(request, WITHIN_MS)) as Percentiles;
          return { 'p50 in ms': p50, [P99]: p99 };
        },
      }));
      const found = await interleave(subjects, rounds);
      const goal = { atMost: HANDLER_MS + GOAL_MS };
      const measures = found.map((measure) => ({ ...measure, ...(measure.quantity === P99 && goal) }));
      const notes = [`the goal is one handler (${HANDLER_MS} ms) and ${GOAL_MS} ms; nothing is subtracted`];
      return { measures, ratios: [], notes, chart: { of: 'measures', scale: 'linear' } };
    } finally {
      await Promise.all(cases.map(({ peer }) => peer.close()));
    }
  },
};

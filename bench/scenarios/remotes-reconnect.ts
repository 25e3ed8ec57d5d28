// How long is a herd of remotes away whose connections are all killed at once, and does any call pay for it twice?

import { askNewProcess } from '../support/child.ts';
import { interleave } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import type { Reconnected, ReconnectRequest } from '../processes/remotes-reconnect.ts';

const EFFORTS = {
  quick: { rounds: 1, calmForMs: 500 },
  full: { rounds: 5, calmForMs: 1_000 },
} as const satisfies Record<Effort, unknown>;

const COUNT = 500;
const WITHIN_MS = 180_000;
const GOAL_MS = 5_000;
const REGISTERED = 'ms until the last is registered';
const TWICE = 'calls answered or handed out twice';

export const remotesReconnect: Scenario = {
  name: 'remotes-reconnect',
  question: `how long until ${COUNT} remotes are back whose connections were all killed at once, while calls run both ways`,
  run: async (effort): Promise<Findings> => {
    const { rounds, calmForMs } = EFFORTS[effort];
    const notes: string[] = [];
    const turn = async (): Promise<Record<string, number>> => {
      const request: ReconnectRequest = { count: COUNT, calmForMs };
      const found = (await askNewProcess('remotes-reconnect', request, WITHIN_MS)) as Reconnected;
      notes.push(noteOf(found));
      const { answeredTwice, calledTwice } = found.remotes;
      return {
        [REGISTERED]: found.registeredMs,
        'ms until the last has answered': found.servedMs,
        [TWICE]: answeredTwice + calledTwice,
      };
    };
    const measures = await interleave([{ name: `greenroom, ${COUNT} remotes`, turn }], rounds);
    const goals: Record<string, number> = { [REGISTERED]: GOAL_MS, [TWICE]: 0 };
    const withGoals = measures.map((measure) => {
      const atMost = goals[measure.quantity];
      return { ...measure, ...(atMost !== undefined && { atMost }) };
    });
    return { measures: withGoals, ratios: [], notes, chart: { of: 'measures', scale: 'linear' } };
  },
};

function noteOf({ outcomes, remotes }: Reconnected): string {
  const { asked, answered, stopped, failed } = remotes;
  const counts = (of: Readonly<Record<string, number>>): string[] =>
    Object.entries(of).map(([what, count]) => `${count.toLocaleString('en')} ${what}`);
  const theirs = { answered: answered, 'of them invocation_stopped': stopped, ...failed, lost: asked - answered };
  return [`calls of the runtime: ${counts(outcomes).join(', ')}`, `of remotes: ${counts(theirs).join(', ')}`].join(
    '; ',
  );
}

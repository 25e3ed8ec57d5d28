// What does it save to tell a worker something instead of asking it? Every message is proven to have been handled.

import { NO_ERLANG, openErlang } from '../support/erlang.ts';
import { forkPeer, processUrl } from '../support/child.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';
import { IN_FLIGHT, WORKERS } from '../support/tell.ts';
import type { TellRequest } from '../processes/tell.ts';

const EFFORTS = {
  quick: { rounds: 2, warmUpMs: 300, forMs: 400 },
  full: { rounds: 9, warmUpMs: 500, forMs: 1_000 },
} as const satisfies Record<Effort, unknown>;

const SLACK_MS = 60_000;
const HANDLED = 'handled/s';

export const tell: Scenario = {
  name: 'tell',
  question: `messages handled per second by ${WORKERS} workers on one host, ${IN_FLIGHT} in flight: told, and asked`,
  run: async (effort): Promise<Findings> => {
    const { rounds, warmUpMs, forMs } = EFFORTS[effort];
    const peers = (['ask', 'tell'] as const).map((verb) => ({ verb, peer: forkPeer(processUrl('tell')) }));
    const erlang = await openErlang();
    try {
      const subjects = peers.map(({ verb, peer }) => ({
        name: `greenroom, ${verb}`,
        turn: async () => {
          const request: TellRequest = { verb, warmUpMs, forMs };
          return { [HANDLED]: (await peer.request(request, warmUpMs + forMs + SLACK_MS)) as number };
        },
      }));
      const cast = async (): Promise<Record<string, number>> => {
        const { casts = NaN } = (await erlang?.run(['cast', WORKERS, warmUpMs, forMs], warmUpMs + forMs)) ?? {};
        return { [HANDLED]: casts };
      };
      const guests = erlang === null ? [] : [{ name: `${erlang.name}, gen_server:cast`, turn: cast }];
      const measures = await interleave([...subjects, ...guests], rounds);
      const [asked, told] = ['ask', 'tell'].map((verb) => roundsOf(measures, `greenroom, ${verb}`, HANDLED));
      const ratios = [{ label: 'tell : ask', perRound: pairwise(told ?? [], asked ?? []), atLeast: 1.3 }];
      const notes = erlang === null ? [NO_ERLANG] : [];
      return { measures, ratios, notes, chart: { of: 'measures', scale: 'linear' } };
    } finally {
      await Promise.all(peers.map(({ peer }) => peer.close()));
      await erlang?.close();
    }
  },
};

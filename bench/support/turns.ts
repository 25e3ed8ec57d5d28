// Contenders as subjects of interleaved rounds, each in a process of its own that lives for the whole scenario.

import type { Contender } from '../contenders/contender.ts';
import type { TurnRequest } from '../processes/turn.ts';
import { forkPeer, processUrl } from './child.ts';
import { interleave } from './rounds.ts';
import type { Subject } from './rounds.ts';
import type { Measure } from './scenario.ts';

/** On top of the time that a turn is meant to take: starting, ending, and answers that are late. */
const SLACK_MS = 120_000;

/** `guests` take part in the rounds and are no processes of ours. */
export async function measureInProcesses(
  contenders: readonly Contender[],
  rounds: number,
  request: TurnRequest,
  guests: readonly Subject[] = [],
): Promise<Measure[]> {
  const peers = contenders.map(({ name, key = name }) => ({ name, peer: forkPeer(processUrl('turn'), [key]) }));
  const { warmUpMs, forMs, loads, latencyForMs = 0, scheduleForMs = 0 } = request;
  const withinMs = (warmUpMs + forMs) * loads.length + latencyForMs + scheduleForMs + SLACK_MS;
  try {
    const subjects = peers.map(({ name, peer }) => ({
      name,
      turn: async () => (await peer.request(request, withinMs)) as Record<string, number>,
    }));
    return await interleave([...subjects, ...guests], rounds);
  } finally {
    await Promise.all(peers.map(({ peer }) => peer.close()));
  }
}

// The remotes-reconnect scenario: the process of the gateway. It calls the remotes all the while, has all their connections killed at once,
// and looks when each function has an owner again and has answered it.

import type { GreenroomError } from '../../lib/index.ts';
import { answerRequests, forkPeer, processUrl } from '../support/child.ts';
import { openGateway } from '../support/gateway.ts';
import type { OpenGateway } from '../support/gateway.ts';
import { within } from '../support/load.ts';
import { functionIdOf } from '../support/raw-remote.ts';
import { drawFrom } from '../support/runtime.ts';
import type { CallingReport, CallingRequest } from './remotes-calling.ts';

export interface ReconnectRequest {
  readonly count: number;
  /** How long calls run before the connections are killed, and after all are back. */
  readonly calmForMs: number;
}

export interface Reconnected {
  /** From the kill until the last function was registered again, and until the last one has answered. */
  readonly registeredMs: number;
  readonly servedMs: number;
  /** Calls that this process has made meanwhile, by what became of them. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly remotes: CallingReport;
}

const WITHIN_MS = 60_000;
const CALLS_IN_FLIGHT = 64;
const AFTER_LOSS_MS = 10;
/** What a call may end with whose remote has gone. Anything else fails the scenario. */
const LOST: readonly string[] = ['invocation_stopped', 'function_not_found'];

async function measure({ count, calmForMs }: ReconnectRequest): Promise<Reconnected> {
  const gateway = await openGateway();
  const far = forkPeer(processUrl('remotes-calling'));
  const tell = (request: CallingRequest): Promise<unknown> => far.request(request, WITHIN_MS);
  try {
    await tell({ verb: 'open', address: gateway.address, count });
    const ids = Array.from({ length: count }, (_, number) => functionIdOf(number));
    const load = keepCalling(gateway, ids);
    await pause(calmForMs);
    const startMs = performance.now();
    const returns = watchReturns(gateway, ids, startMs);
    const back = tell({ verb: 'reconnect' });
    const [found] = await within(Promise.all([returns, back]), WITHIN_MS, () => 'not all remotes are back');
    await pause(calmForMs);
    const outcomes = await load.end();
    await tell({ verb: 'rest' });
    await quiet(gateway);
    const remotes = (await tell({ verb: 'report' })) as CallingReport;
    return { ...found, outcomes, remotes };
  } finally {
    await far.close();
    await gateway.close();
  }
}

/** Each function as soon as another session owns it. */
async function watchReturns(
  gateway: OpenGateway,
  ids: readonly string[],
  startMs: number,
): Promise<Pick<Reconnected, 'registeredMs' | 'servedMs'>> {
  const { functions } = gateway.runtime;
  const gone = new Map(ids.map((id) => [id, functions.get(id)?.owner]));
  const sinceMs = (): number => performance.now() - startMs;
  const answers: Promise<number>[] = [];
  const registeredMs = await new Promise<number>((resolve) => {
    const stop = functions.onChange(() => {
      for (const [id, owner] of gone) {
        const now = functions.get(id)?.owner;
        if (now === undefined || now === owner) continue;
        gone.delete(id);
        answers.push(gateway.call(id, id).then(sinceMs));
      }
      if (gone.size > 0) return;
      stop();
      resolve(sinceMs());
    });
  });
  return { registeredMs, servedMs: Math.max(...(await Promise.all(answers))) };
}

function keepCalling(gateway: OpenGateway, ids: readonly string[]): { end(): Promise<Record<string, number>> } {
  const draw = drawFrom(ids);
  const outcomes: Record<string, number> = { answered: 0 };
  let [isOver, lastCall] = [false, 0];
  const lane = async (): Promise<void> => {
    while (!isOver) {
      const call = ++lastCall;
      const outcome = await gateway.call(draw(), call).then(
        (answer) => (answer === call ? 'answered' : 'answered with something else'),
        ({ code }: GreenroomError) => code,
      );
      if (outcome !== 'answered' && !LOST.includes(outcome)) throw new Error(`a call was ${outcome}`);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      // A call of a function that is gone fails at once, and would be all that this process does.
      if (outcome !== 'answered') await pause(AFTER_LOSS_MS);
    }
  };
  const lanes = Promise.all(Array.from({ length: CALLS_IN_FLIGHT }, lane));
  lanes.catch(() => undefined); // reported by end
  return {
    end: async () => {
      isOver = true;
      await within(lanes, WITHIN_MS, () => 'a call has no answer');
      return outcomes;
    },
  };
}

/** Until nothing is in flight, on any connection that there is. */
async function quiet(gateway: OpenGateway): Promise<void> {
  const isBusy = (): boolean =>
    gateway.runtime.peers.summaries().some(({ status, inFlight }) => status === 'connected' && inFlight > 0);
  const look = async (): Promise<void> => {
    while (isBusy()) await new Promise((resolve) => setImmediate(resolve));
  };
  await within(look(), WITHIN_MS, () => 'calls are still in flight');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

answerRequests((request) => measure(request as ReconnectRequest));

// One side of the tell scenario: the same workers in number and the same window, told or asked.

import { createRuntime } from '../../lib/index.ts';
import { answerRequests } from '../support/child.ts';
import { holdInFlight } from '../support/load.ts';
import { collectGarbage } from '../support/machine.ts';
import { benchActor, closeRuntime, createWorkers, drawFrom, echoActor } from '../support/runtime.ts';
import { holdBursts, IN_FLIGHT, WORKERS } from '../support/tell.ts';

export interface TellRequest {
  readonly verb: 'tell' | 'ask';
  readonly warmUpMs: number;
  readonly forMs: number;
}

async function measure({ verb, warmUpMs, forMs }: TellRequest): Promise<number> {
  collectGarbage();
  const [module, kind] = verb === 'tell' ? [benchActor('tally'), 'tally'] : [echoActor, 'echo'];
  const runtime = await createRuntime({ actors: [module], hosts: 1 });
  try {
    const workers = await createWorkers(runtime, WORKERS, { kind, config: {} });
    const draw = drawFrom(workers);
    const load = async (ms: number): Promise<number> =>
      verb === 'tell'
        ? await holdBursts(workers, ms)
        : (await holdInFlight((question) => draw().ask(question), { inFlight: IN_FLIGHT, forMs: ms })).perSecond;
    await load(warmUpMs);
    return await load(forMs);
  } finally {
    await closeRuntime(runtime);
  }
}

answerRequests((request) => measure(request as TellRequest));

// A client that makes workers, stops them, brings them back and deletes them, one command after the other, and knows at each moment what
// its worker is; or that it does not, because a command was not answered.

import { between } from '../support/random.ts';
import { waitFor } from './clients.ts';
import type { Desk } from './desk.ts';
import type { Told } from './heard.ts';
import { send } from './wire.ts';

type Life = Extract<Told, { op: 'life' }>['is'];

const KIND = 'crash-again';
const IDS = 3;
const MAX_INPUTS = 6;

export function lives(desk: Desk): () => Promise<void> {
  const is = new Map<string, Life>();
  return async () => {
    const workerId = `p${desk.process}-life${between(desk.random, 1, IDS)}`;
    const now = is.get(workerId) ?? 'deleted';
    const change = async (next: Life, work: () => Promise<unknown>): Promise<void> => {
      set('unsure');
      await work();
      set(next);
    };
    const set = (next: Life): void => {
      is.set(workerId, next);
      desk.hear({ op: 'life', workerId, kind: KIND, is: next });
    };
    const worker = desk.client.worker(workerId);
    const chance = desk.random();
    if (now === 'unsure') set(await found(desk, workerId));
    else if (now === 'deleted') await change('active', () => desk.client.create({ kind: KIND, workerId }));
    else if (chance < 0.5 && now === 'active')
      for (let inputs = between(desk.random, 1, MAX_INPUTS); inputs > 0; inputs--)
        await waitFor(desk, workerId, { n: desk.nextNumber(), workMs: between(desk.random, 0, 3) });
    else if (chance < 0.8)
      await (now === 'active'
        ? change('stopped', () => worker.stop({ drain: desk.random() < 0.5 }))
        : change('active', () => worker.restore()));
    else await change('deleted', () => worker.delete({ force: true }));
  };
}

/** What a worker is whose last command was not answered. */
async function found(desk: Desk, workerId: string): Promise<Life> {
  const { status, body } = await send(desk.place, 'GET', `/v1/workers/${workerId}`);
  if (status === 404) return 'deleted';
  const worker = body['worker'] as { status?: string } | undefined;
  if (worker?.status === undefined) return 'unsure';
  return worker.status === 'stopped' || worker.status === 'stopping' ? 'stopped' : 'active';
}

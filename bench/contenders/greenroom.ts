// Greenroom itself, through its public entry; and one layer below it, the link alone: batches, ports and the runner of a
// host, without mailbox, receipts, deadlines and transcript.

import { createRuntime } from '../../lib/index.ts';
import { HostPool } from '../../lib/host/pool.ts';
import type { HostEvents } from '../../lib/host/host.ts';
import { uniformServices } from '../../lib/host/services.ts';
import { resolveLimits } from '../../lib/limits.ts';
import { Wheel } from '../../lib/protocol/wheel.ts';
import { COMPLETED } from '../../lib/protocol/frames.ts';
import type { Ticket } from '../../lib/protocol/frames.ts';
import type { Question } from '../support/question.ts';
import { benchActor, closeRuntime, createWorkers, drawFrom, echoActor, touchAll } from '../support/runtime.ts';
import type { Contender } from './contender.ts';

export interface GreenroomOptions {
  readonly workers: number;
  /** Default 1. */
  readonly hosts?: number;
  /** Work of the handler, as `workRounds` of support/work.ts counts it. Default 0: the shipped echo actor. */
  readonly workRounds?: number;
}

/** Each question goes to a worker that is drawn, each as likely as the others, whatever the lane. */
export function greenroom({ workers, hosts = 1, workRounds = 0 }: GreenroomOptions): Contender {
  const parts = [
    count(workers, 'worker'),
    ...(hosts === 1 ? [] : [count(hosts, 'hosts')]),
    ...(workRounds === 0 ? [] : ['with work']),
  ];
  return {
    name: `greenroom, ${parts.join(', ')}`,
    key: JSON.stringify({ workers, hosts, workRounds }),
    start: async () => {
      const [module, kind] = workRounds === 0 ? [echoActor, 'echo'] : [benchActor('work'), 'work'];
      const runtime = await createRuntime({ actors: [module], hosts });
      const config = workRounds === 0 ? {} : { rounds: workRounds };
      const handles = await createWorkers(runtime, workers, { kind, config });
      await touchAll(handles);
      const draw = drawFrom(handles);
      return { ask: (question) => draw().ask(question), close: () => closeRuntime(runtime) };
    },
  };
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 || noun.endsWith('s') ? '' : 's'}`;
}

interface LinkTicket extends Ticket {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export const linkAlone: Contender = {
  name: 'greenroom, link alone',
  start: async () => {
    const pool = new HostPool({
      maxHosts: 1,
      inputIdPrefix: '',
      limits: resolveLimits(),
      services: noServices,
      wheel: new Wheel(),
    });
    const events: HostEvents = {
      reply: (ticket, code, _startedAtMs, _endedAtMs, body) => {
        const { resolve, reject } = ticket as LinkTicket;
        if (code === COMPLETED) resolve(body.value());
        else reject(new Error(`the host answered with ${JSON.stringify(body.value())}`));
      },
      emitted: () => undefined,
      crashed: () => undefined,
      dropped: () => undefined,
      logged: () => undefined,
    };
    const host = pool.launch({ hostId: 'bench', isolation: 'shared' }, events);
    await host.ready;
    const worker = {
      slot: 0,
      workerId: 'bench',
      kind: 'echo',
      module: echoActor.href,
      config: '{}',
      state: null,
      stateVersion: 0,
    };
    const [started] = await host.startWorkers([worker]);
    if (started === undefined || 'error' in started) throw new Error('the echo actor does not start');
    let lastSeq = 0;
    const ask = (question: Question): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const payload = JSON.stringify(question);
        const ticket: LinkTicket = { seq: ++lastSeq, attempt: 1, payload, bytes: payload.length, resolve, reject };
        host.send(worker.slot, ticket);
      });
    return {
      ask,
      close: async () => {
        await host.close();
        await pool.close();
      },
    };
  },
};

const refuse = (): never => {
  throw new Error('the echo actor asks for nothing');
};

const noServices = uniformServices(refuse);

// Greenroom itself, through its public entry; and one layer below it, the link alone: batches, ports and the runner of a
// host, without mailbox, receipts, deadlines and transcript.

import { createRuntime } from '../../lib/index.ts';
import type { WorkerHandle } from '../../lib/index.ts';
import { HostPool } from '../../lib/host/pool.ts';
import type { HostEvents } from '../../lib/host/host.ts';
import type { RuntimeServices } from '../../lib/host/services.ts';
import { resolveLimits } from '../../lib/limits.ts';
import { COMPLETED } from '../../lib/protocol/frames.ts';
import type { Ticket } from '../../lib/protocol/frames.ts';
import type { Question } from '../support/question.ts';
import type { Contender } from './contender.ts';

export const echoActor = new URL('../../actors/echo.js', import.meta.url);

/** One host; question after question goes to the workers in turn, by the lane of whoever asks. */
export function greenroom(workers: number): Contender {
  return {
    name: `greenroom, ${workers} worker${workers === 1 ? '' : 's'}`,
    start: async () => {
      const runtime = await createRuntime({ actors: [echoActor], hosts: 1 });
      const handles = await Promise.all(Array.from({ length: workers }, () => runtime.create({ kind: 'echo' })));
      const handleOf = (lane: number): WorkerHandle => {
        const handle = handles[lane % workers];
        if (handle === undefined) throw new Error('no worker has this lane');
        return handle;
      };
      return {
        ask: (question, lane) => handleOf(lane).ask(question),
        close: async () => {
          const { cancelled } = await runtime.close();
          if (cancelled > 0) throw new Error(`${cancelled} inputs were cancelled`);
        },
      };
    },
  };
}

interface LinkTicket extends Ticket {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export const linkAlone: Contender = {
  name: 'greenroom, link alone',
  start: async () => {
    const pool = new HostPool({ maxHosts: 1, inputIdPrefix: '', limits: resolveLimits(), services: noServices });
    const events: HostEvents = {
      reply: (ticket, code, _startedAtMs, _endedAtMs, body) => {
        const { resolve, reject } = ticket as LinkTicket;
        if (code === COMPLETED) resolve(body.value());
        else reject(new Error(`the host answered with ${JSON.stringify(body.value())}`));
      },
      emitted: () => undefined,
    };
    const host = pool.launch('bench', events);
    await host.ready;
    const worker = { slot: 0, workerId: 'bench', kind: 'echo', module: echoActor.href, config: '{}', state: null };
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

const noServices: RuntimeServices = {
  log: refuse,
  ask: refuse,
  tell: refuse,
  create: refuse,
  stop: refuse,
  invoke: refuse,
  after: refuse,
};

// The floor: Node's own postMessage, with the least that makes it answer questions, and comlink on top of it.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import * as Comlink from 'comlink';
import nodeAdapter from 'comlink/dist/umd/node-adapter.js';
import type { Question } from '../support/question.ts';
import { threadUrl } from './contender.ts';
import type { Contender, Running } from './contender.ts';

/** The module is the function, whatever its types say. */
const nodeEndpoint = nodeAdapter as unknown as typeof nodeAdapter.default;

type Settle = (answer: unknown) => void;

/** One message per question, as soon as it is asked. */
export const postMessage: Contender = {
  name: 'postMessage, one each',
  start: async () => {
    const worker = await startThread('post-message');
    const { pending, settle } = pendingById();
    worker.on('message', ([id, answer]: [number, unknown]) => settle(id, answer));
    let lastId = 0;
    const ask = (question: Question): Promise<unknown> =>
      new Promise((resolve) => {
        pending.set(++lastId, resolve);
        worker.postMessage([lastId, question]);
      });
    return { ask, close: () => end(worker) };
  },
};

/** All questions of a turn of the loop in one message: as values, or each as its JSON text. */
export function batchedPostMessage(as: 'values' | 'JSON texts'): Contender {
  const [encode, decode] =
    as === 'values' ? [same, same] : [JSON.stringify, (text: unknown) => JSON.parse(text as string) as unknown];
  return {
    name: `postMessage, batched ${as}`,
    start: async () => {
      const worker = await startThread(as === 'values' ? 'batch' : 'batch-json');
      const { pending, settle } = pendingById();
      worker.on('message', (batch: unknown[]) => {
        for (let at = 0; at < batch.length; at += 2) settle(batch[at] as number, decode(batch[at + 1]));
      });
      let lastId = 0;
      let outbox: unknown[] = [];
      const flush = (): void => {
        worker.postMessage(outbox);
        outbox = [];
      };
      const ask = (question: Question): Promise<unknown> =>
        new Promise((resolve) => {
          if (outbox.length === 0) setImmediate(flush);
          pending.set(++lastId, resolve);
          outbox.push(lastId, encode(question));
        });
      return { ask, close: () => end(worker) };
    },
  };
}

export const comlink: Contender = {
  name: 'comlink',
  start: async (): Promise<Running> => {
    const worker = await startThread('comlink');
    const remote = Comlink.wrap<{ echo: (value: Question) => Question }>(nodeEndpoint(worker));
    // Each property access makes a proxy that is registered for finalisation: made once, as its users should.
    const echo = remote.echo;
    return { ask: (question) => echo(question), close: () => end(worker) };
  },
};

function same(value: unknown): unknown {
  return value;
}

async function startThread(name: string): Promise<Worker> {
  const worker = new Worker(threadUrl(name));
  await once(worker, 'online');
  return worker;
}

async function end(worker: Worker): Promise<void> {
  await worker.terminate();
}

function pendingById(): { pending: Map<number, Settle>; settle: (id: number, answer: unknown) => void } {
  const pending = new Map<number, Settle>();
  const settle = (id: number, answer: unknown): void => {
    const resolve = pending.get(id);
    if (resolve === undefined) throw new Error(`an answer to nothing: ${id}`);
    pending.delete(id);
    resolve(answer);
  };
  return { pending, settle };
}

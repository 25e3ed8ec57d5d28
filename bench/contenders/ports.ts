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

/** What a batch is on the wire. */
const FORMS = {
  values: { thread: 'batch', pack: same, unpack: same, encode: same, decode: same },
  'JSON texts': { thread: 'batch-json', pack: same, unpack: same, encode: JSON.stringify, decode: parse },
  'one JSON text': { thread: 'batch-text', pack: JSON.stringify, unpack: parse, encode: same, decode: same },
} as const satisfies Record<string, Record<string, string | ((value: unknown) => unknown)>>;

/** Greater ones are slower: a thread then waits for the other to be done. */
const BATCH_QUESTIONS = 128;
/** How long batches may leave before the end of a turn; without an end, answers that keep coming starve all timers. */
const EARLY_FOR_MS = 5;

/**
 * Questions in batches: as values, each as its JSON text, or the whole batch as one. A batch leaves when it is full, so
 * that both threads work at once, or at the end of the turn of the loop.
 */
function batchedPostMessage(form: keyof typeof FORMS): Contender {
  const { thread, pack, unpack, encode, decode } = FORMS[form];
  return {
    name: `postMessage, batches as ${form}`,
    start: async () => {
      const worker = await startThread(thread);
      const { pending, settle } = pendingById();
      worker.on('message', (message: unknown) => {
        const batch = unpack(message) as unknown[];
        for (let at = 0; at < batch.length; at += 2) settle(batch[at] as number, decode(batch[at + 1]));
      });
      let lastId = 0;
      let outbox: unknown[] = [];
      let isFlushing = false;
      const flush = (): void => {
        if (outbox.length > 0) worker.postMessage(pack(outbox));
        outbox = [];
      };
      let turnEndedMs = performance.now();
      const flushAtEnd = (): void => {
        isFlushing = false;
        flush();
        turnEndedMs = performance.now();
      };
      const ask = (question: Question): Promise<unknown> =>
        new Promise((resolve) => {
          if (!isFlushing) setImmediate(flushAtEnd);
          isFlushing = true;
          pending.set(++lastId, resolve);
          outbox.push(lastId, encode(question));
          if (outbox.length >= BATCH_QUESTIONS * 2 && performance.now() - turnEndedMs < EARLY_FOR_MS) flush();
        });
      return { ask, close: () => end(worker) };
    },
  };
}

export const batchesOfTexts = batchedPostMessage('JSON texts');

/** The fastest ways that we know to move these questions to a thread and back, with nothing around them. */
export const bareLoops: readonly Contender[] = [
  batchedPostMessage('values'),
  batchesOfTexts,
  batchedPostMessage('one JSON text'),
];

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

function parse(text: unknown): unknown {
  return JSON.parse(text as string);
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

// Batches over REST, by the client and through a real server: workers of their own, whose inputs have to come in the order of the lines.

import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from '../../lib/client/index.ts';
import { startServer } from '../../lib/server/index.ts';
import { between } from '../support/random.ts';
import { ASK_MS, COMMAND_MS } from './scene.ts';
import type { Scene } from './scene.ts';
import type { Worked } from './work.ts';

const TOKEN = 'soak';
const MAX_LINES = 200;
const PAUSE_MS = [50, 500] as const;

/** One batch after the other, until the scene is over. */
export async function runBatches(scene: Scene): Promise<void> {
  const server = await startServer({ runtime: scene.runtime, token: TOKEN });
  const client = createClient({ url: server.url, token: TOKEN });
  try {
    while (!scene.isOver()) {
      await scene.book.settle('batch', 2 * COMMAND_MS, batch(scene, client));
      await wait(between(scene.random, ...PAUSE_MS));
    }
  } finally {
    await client.close();
    await server.close();
  }
}

async function batch(scene: Scene, client: ReturnType<typeof createClient>): Promise<void> {
  const { book, runtime } = scene;
  const worker = await runtime.create({ kind: 'soaked', workerId: scene.nextId('batched') });
  const lines = between(scene.random, 1, MAX_LINES);
  const inputs = Array.from({ length: lines }, (_, at) => ({ input: { op: 'work', no: at + 1 } }));
  try {
    let results = 0;
    for await (const { receipt } of client.worker(worker.workerId).tellAll(inputs)) {
      results++;
      if (receipt !== undefined) book.told(worker, receipt);
    }
    if (results !== lines) book.violated(`a batch of ${lines} lines had ${results} results`);
    // Behind all of them in the mailbox.
    const answer = (await worker.ask({ op: 'work', no: lines + 1 }, { timeoutMs: ASK_MS })) as Worked;
    book.answered(worker.workerId, lines + 1, answer);
    // With the worker go its receipts.
    book.sweep();
  } finally {
    await worker.delete({ force: true });
  }
}

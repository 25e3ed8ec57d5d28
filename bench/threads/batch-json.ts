// Answers a batch with a batch: id, JSON text, id, JSON text, … Each text is parsed and made again, as for a handler.

import { parentPort } from 'node:worker_threads';

parentPort?.on('message', (batch: (number | string)[]) => {
  const answers: (number | string)[] = [];
  for (let at = 0; at < batch.length; at += 2) {
    const question: unknown = JSON.parse(batch[at + 1] as string);
    answers.push(batch[at] as number, JSON.stringify(question));
  }
  parentPort?.postMessage(answers);
});

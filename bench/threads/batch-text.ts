// Answers a batch with a batch, each as one JSON text: id, value, id, value, …

import { parentPort } from 'node:worker_threads';

parentPort?.on('message', (text: string) => {
  const batch = JSON.parse(text) as unknown[];
  const answers: unknown[] = [];
  for (let at = 0; at < batch.length; at += 2) answers.push(batch[at], batch[at + 1]);
  parentPort?.postMessage(JSON.stringify(answers));
});

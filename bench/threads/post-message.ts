// Answers each message with itself.

import { parentPort } from 'node:worker_threads';

parentPort?.on('message', ([id, question]: [number, unknown]) => parentPort?.postMessage([id, question]));

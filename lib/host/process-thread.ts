// Entry of the thread that runs the host in a process of its own. How it is ended tells an orderly end from an actor that calls process.exit.

import { parentPort, workerData } from 'node:worker_threads';
import type { HostBoot } from './boot.ts';
import run from './thread.ts';

await run(workerData as HostBoot);
parentPort?.postMessage('closed');
// What was written is on its way to the main thread, and would end with this one.
for (const output of [process.stdout, process.stderr])
  await new Promise<void>((resolve) => output.write('', () => resolve()));
// What an actor has left behind (timers, sockets) would keep the thread.
process.exit();

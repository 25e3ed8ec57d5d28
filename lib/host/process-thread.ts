// Entry of the thread that runs the host in a process of its own. How it is ended tells an orderly end from an actor that calls process.exit.

import { parentPort, workerData } from 'node:worker_threads';
import type { HostBoot } from './boot.ts';
import run from './thread.ts';

await run(workerData as HostBoot);
parentPort?.postMessage('closed');
// What an actor has left behind (timers, sockets) would keep the thread.
process.exit();

// Entry of a host thread: one task of the pool is one host's lifetime. It returns when the supervisor closes the host;
// if the thread exits, throws or is killed, the task rejects, and that rejection is how the supervisor learns of the death.

import { Console } from 'node:console';
import { isMainThread, threadId } from 'node:worker_threads';
import { describeError } from '../observe/log.ts';
import { serveHost } from './serve.ts';
import type { Report } from './serve.ts';
import type { HostBoot } from './boot.ts';

if (isMainThread) throw new Error('host/thread.ts runs in a thread of the pool only');

// Before any user code is loaded: without it one forgotten promise would end every worker on this host.
// The input that awaited the promise, if any, gets its error from there; this one belonged to nobody.
let report: Report | undefined;
process.on('unhandledRejection', (reason) => report?.(describeError(reason)));

// stdout belongs to the process: the standalone runtime writes one line to it, for machines.
globalThis.console = new Console(process.stderr);

export default async function run(boot: HostBoot): Promise<void> {
  await serveHost(boot, threadId, (onRejection) => (report = onRejection));
}

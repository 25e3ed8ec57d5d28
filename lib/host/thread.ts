// Entry of a host thread: one task of the pool is one host's lifetime. It returns when the supervisor closes the host;
// if the thread exits, throws or is killed, the task rejects, and that rejection is how the supervisor learns of the death.

import { isMainThread, threadId } from 'node:worker_threads';
import { OwnThread } from './own-thread.ts';
import { serveHost } from './serve.ts';
import type { HostBoot } from './boot.ts';

if (isMainThread) throw new Error('host/thread.ts runs in a thread of the pool only');

const thread = new OwnThread();

export default async function run(boot: HostBoot): Promise<void> {
  await serveHost(boot, threadId, thread);
}

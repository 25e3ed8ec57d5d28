// The other end of `openGate`, for actors: they wait until the test says that it is time.

import { once } from 'node:events';
import { BroadcastChannel } from 'node:worker_threads';

/** Resolves when the gate of that name is opened, `onWaiting` having been called once nothing can be missed. Rejects when the signal aborts. */
export async function opened(name: string, signal: AbortSignal, onWaiting: () => void): Promise<void> {
  const channel = new BroadcastChannel(name);
  try {
    const message = once(channel as unknown as EventTarget, 'message', { signal });
    onWaiting();
    await message;
  } finally {
    channel.close();
  }
}

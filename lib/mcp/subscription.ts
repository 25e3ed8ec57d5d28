// The stream on which a server of the newer protocol tells of changes, opened again whenever it ends: it is the only sign of life of a server
// that nobody calls. The older protocol's is opened again by the library.

import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@modelcontextprotocol/client';
import { jittered } from '../protocol/waits.ts';
import { CHECK_TIMEOUT_MS, FIRST_STREAM_PAUSE_MS, MAX_STREAM_PAUSE_MS } from './bounds.ts';

export interface SubscriptionEvents {
  /** It is open again; what was told meanwhile is lost. */
  reopened(): void;
  /** It cannot be opened. */
  failed(): void;
}

/** Resolves when the signal aborts, or at once if there is nothing to subscribe to. */
export async function keepSubscribed(client: Client, signal: AbortSignal, events: SubscriptionEvents): Promise<void> {
  let subscription = client.autoOpenedSubscription;
  let pauseMs = FIRST_STREAM_PAUSE_MS;
  while (subscription !== undefined) {
    const sinceMs = performance.now();
    await subscription.closed;
    if (performance.now() - sinceMs > MAX_STREAM_PAUSE_MS) pauseMs = FIRST_STREAM_PAUSE_MS;
    subscription = undefined;
    while (subscription === undefined) {
      try {
        await pause(jittered(pauseMs), undefined, { signal });
      } catch {
        return;
      }
      pauseMs = Math.min(2 * pauseMs, MAX_STREAM_PAUSE_MS);
      try {
        subscription = await client.listen({ toolsListChanged: true }, { timeout: CHECK_TIMEOUT_MS, signal });
        events.reopened();
      } catch {
        if (signal.aborted) return;
        events.failed();
      }
    }
  }
}

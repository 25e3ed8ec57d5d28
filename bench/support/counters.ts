// Counters behind REST, whose totals prove that what was acknowledged has been handled, and turns of inputs to them.

import type { BatchRequest, BatchResult } from '../processes/http-batches.ts';
import type { Peer } from './child.ts';
import type { Subject } from './rounds.ts';
import type { Standalone } from './standalone.ts';

export const HANDLED = 'handled/s';
export const ACKNOWLEDGED = 'acknowledged/s';
const REFUSED = 'refused/s';
const SLACK_MS = 60_000;

/** What was acknowledged in a turn. */
export interface Sent {
  readonly least: number;
  readonly most: number;
  readonly refused: number;
  /** How long it took to send it. */
  readonly seconds: number;
  /** Whether there is nothing to wait for when it is sent, because nobody sends faster than it is handled. */
  readonly isPaced?: boolean;
}

export interface Counters {
  readonly ids: readonly string[];
  /** Waits for what was accepted before; what all of them have added up since the last look. */
  added(): Promise<number>;
}

export async function createCounters(standalone: Standalone, count: number): Promise<Counters> {
  const ids = Array.from({ length: count }, (_, at) => `counter-${at}`);
  await Promise.all(ids.map((id) => standalone.create('counter', id)));
  let last = 0;
  return {
    ids,
    added: async () => {
      const totals = await Promise.all(ids.map((id) => standalone.ask(id, { add: 0 })));
      const total = totals.reduce<number>((sum, one) => sum + (one as number), 0);
      const added = total - last;
      last = total;
      return added;
    },
  };
}

/** Batches of 256 by a process of `http-batches`. */
export async function sendBatches(
  peer: Peer,
  { url, headers }: Standalone,
  request: Pick<BatchRequest, 'to' | 'workerIds' | 'forMs'>,
): Promise<Sent> {
  const ndjson = { ...headers, 'content-type': 'application/x-ndjson' };
  const startMs = performance.now();
  const answer = await peer.request({ url, headers: ndjson, ...request }, request.forMs + SLACK_MS);
  const { acknowledged, refused } = answer as BatchResult;
  const seconds = (performance.now() - startMs) / 1_000;
  return { least: acknowledged, most: acknowledged, refused, seconds };
}

/** A turn that fails unless what was acknowledged was handled. */
export function countedSubject(name: string, counters: Counters, send: () => Promise<Sent>): Subject {
  return {
    name,
    turn: async () => {
      const startMs = performance.now();
      const { least, most, refused, seconds, isPaced = false } = await send();
      const handled = await counters.added();
      if (handled < least || handled > most) throw new Error(`${least} were acknowledged, ${handled} were handled`);
      const tookSeconds = isPaced ? seconds : (performance.now() - startMs) / 1_000;
      return { [HANDLED]: least / tookSeconds, [ACKNOWLEDGED]: least / seconds, [REFUSED]: refused / tookSeconds };
    },
  };
}
